/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * One header field made legal without changing what it says: octets above 127
 * become RFC 2047 words (RFC 2231 in parameters), addresses get the domain
 * they lack, lines over 998 octets are folded.  For the message's own header
 * and for the headers of its MIME parts alike.
 */
#ifndef LIB_FIXUP_H
#define LIB_FIXUP_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Appends the field with its CRLF.  value: what stands behind the colon, folds
 * included, without its last CRLF.  domain: appended to addresses without one
 * in the fields where header.h says so; NULL leaves addresses alone.  False if
 * out was full (out->failed), or if a line cannot be folded under 998: then
 * nothing of it was appended.
 */
bool fixup_field(struct buf *out, const char *name, size_t name_len,
		 const char *value, size_t value_len, const char *domain);

#endif
