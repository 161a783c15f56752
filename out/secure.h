/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * What a connection must fulfil, as far as it is known without one: for -bv.
 * The rest of out/secure is the engine's own (out/engine.h).
 */
#ifndef OUT_SECURE_H
#define OUT_SECURE_H

#include "lib/tls.h"
#include "out/route.h"

#include <stdbool.h>
#include <stddef.h>

/* The level for this way; host may raise it (smtps://), NULL: it is an MX. */
enum tls_level secure_route_level(const struct route *r,
				  const struct smart_host *host);

/*
 * True if a connection could come about.  False with one sentence why no
 * server can make it so: the verb mask, the files of TLS, the password, the
 * mechanisms.  Connects to nobody and does not run RoutePasswordCommand.
 */
bool secure_possible(const struct route *r, const struct smart_host *host,
		     char *why, size_t size);

#endif
