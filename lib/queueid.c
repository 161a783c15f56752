/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* The ids of messages: see queueid.h. */
#include "lib/queueid.h"
#include "lib/util.h"

#include <stdio.h>
#include <string.h>

/* Without i, l, o and u, which are read for others. */
static const char base32[] = "0123456789abcdefghjkmnpqrstvwxyz";

/* n base-32 digits of v, the highest first. */
static void put_base32(char *dst, int n, uint64_t v)
{
	while (n-- > 0) {
		dst[n] = base32[v & 31];
		v >>= 5;
	}
}

void queueid_of(char id[QUEUE_ID_LEN + 1], int64_t ms, uint64_t chance)
{
	put_base32(id, 9, (uint64_t)ms);
	put_base32(id + 9, 11, chance);
	id[QUEUE_ID_LEN] = '\0';
}

void queueid_new(char id[QUEUE_ID_LEN + 1])
{
	uint64_t chance;

	random_bytes(&chance, sizeof chance);
	/* Seconds suffice for the order; the rest is chance. */
	queueid_of(id, (int64_t)now_real() * 1000 + (int64_t)(chance % 1000),
		   chance >> 9);
}

uint64_t queueid_hash(const char *text)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return h;
}

/* What follows must be the same after a crash, not secret: who can read the
 * first id can read its report too. */
void queueid_derive(char id[QUEUE_ID_LEN + 1], const char *from,
		    unsigned number, char purpose)
{
	char seed[QUEUE_ID_LEN + 32];

	snprintf(seed, sizeof seed, "%s %u %c", from, number, purpose);
	memcpy(id, from, 9);
	put_base32(id + 9, 11, queueid_hash(seed));
	id[QUEUE_ID_LEN] = '\0';
}

bool queueid_is(const char *text)
{
	int i;

	for (i = 0; i < QUEUE_ID_LEN; i++)
		if (!text[i] || !strchr(base32, text[i]))
			return false;
	return true;
}
