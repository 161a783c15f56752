/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* The recipients of one transaction: see roll.h. */
#include "out/roll.h"
#include "lib/util.h"

#include <stdlib.h>

void roll_init(struct roll *r, size_t n,
	       void (*settle)(void *, size_t, const struct reply *), void *ctx)
{
	*r = (struct roll){ .n = n, .settle = settle, .ctx = ctx };
	r->rcpt = xcalloc(n, sizeof *r->rcpt);
	r->count[ROLL_OPEN] = n;
}

void roll_free(struct roll *r)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		free(r->rcpt[i].verdict);
	free(r->rcpt);
	*r = (struct roll){ 0 };
}

void roll_move(struct roll *r, size_t i, enum stage to)
{
	r->count[r->rcpt[i].stage]--;
	r->count[to]++;
	r->rcpt[i].stage = (unsigned char)to;
	if (to == ROLL_OPEN && i < r->next)
		r->next = i;
	while (r->next < r->n && r->rcpt[r->next].stage != ROLL_OPEN)
		r->next++;
}

void roll_settle(struct roll *r, size_t i, const struct reply *verdict)
{
	roll_move(r, i, ROLL_SETTLED);
	r->settle(r->ctx, i, verdict);
}

void roll_hold(struct roll *r, size_t i, const struct reply *verdict)
{
	r->rcpt[i].verdict = xcalloc(1, sizeof *verdict);
	*r->rcpt[i].verdict = *verdict;
	r->final += reply_fate(verdict) == FATE_FAILED;
	roll_move(r, i, ROLL_HELD);
}

void roll_release(struct roll *r)
{
	struct reply *verdict;
	size_t i;

	for (i = 0; i < r->n && r->count[ROLL_HELD]; i++) {
		if (r->rcpt[i].stage != ROLL_HELD)
			continue;
		verdict = r->rcpt[i].verdict;
		r->rcpt[i].verdict = NULL;
		roll_settle(r, i, verdict);
		free(verdict);
	}
	r->final = 0;
}
