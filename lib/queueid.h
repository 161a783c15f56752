/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* The ids of messages: twenty base-32 digits. */
#ifndef LIB_QUEUEID_H
#define LIB_QUEUEID_H

#include <stdbool.h>
#include <stdint.h>

/* Nine digits of time (its milliseconds are chance) and eleven of chance (55
 * bits): ids sort by time and cannot be guessed. */
#define QUEUE_ID_LEN 20

/* A new one. */
void queueid_new(char id[QUEUE_ID_LEN + 1]);
/* Of a time in milliseconds and 55 bits of the caller's. */
void queueid_of(char id[QUEUE_ID_LEN + 1], int64_t ms, uint64_t chance);
/* The same of the same text, for nothing that must be secret (FNV-1a). */
uint64_t queueid_hash(const char *text);
/* One that follows from another, a number and a purpose, for what must not be
 * made twice. */
void queueid_derive(char id[QUEUE_ID_LEN + 1], const char *from,
		    unsigned number, char purpose);

/* Does text, of at least QUEUE_ID_LEN octets, begin like an id? */
bool queueid_is(const char *text);

#endif
