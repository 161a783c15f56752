/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Connecting to one host: its addresses race (RFC 8305).  They are tried in
 * their order, the next one when the one before has failed or has been silent
 * for RACE_STAGGER_MS; the first that answers wins, the others are closed.
 */
#ifndef OUT_RACE_H
#define OUT_RACE_H

#include "config.h"
#include "dns.h"
#include "lib/loop.h"

struct race;

/* fd: connected, the caller's; -1: all failed, why is one sentence about the
 * last and err its errno.  winner is the address that was reached, or the last that failed;
 * valid during the call. */
typedef void race_done(void *ctx, int fd, const struct dns_address *winner,
		       int err, const char *why);

/* The addresses are copied, their ports set to port.  timeout: seconds for
 * each.  bind_to: an address text, "" none (used for its family only).  done
 * is called once, from loop_turn. */
struct race *race_start(struct loop *l, const struct dns_address *a, size_t n,
			unsigned port, unsigned timeout, const char *bind_to,
			race_done *done, void *ctx);
/* Closes what is open; done is not called.  Not needed after done. */
void race_cancel(struct race *r);

#endif
