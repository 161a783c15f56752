/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The recipients of one transaction: how far each has come, and the verdicts
 * that have been heard but are not believed yet.  Whoever is told of is told
 * of once.
 */
#ifndef OUT_ROLL_H
#define OUT_ROLL_H

#include "lib/reply.h"

#include <stdbool.h>
#include <stddef.h>

/* A recipient's way; a second try leads from ASKED back to OPEN. */
enum stage {
	ROLL_OPEN, ROLL_ASKED, ROLL_ACCEPTED,
	ROLL_HELD,		/* a verdict waits to be believed */
	ROLL_SETTLED,
	ROLL_STAGES,
};

struct roll_entry {
	unsigned char stage;
	bool plain;		/* the parameters were refused: without */
	struct reply *verdict;	/* while HELD */
};

/* Zero-filled is one of nobody. */
struct roll {
	struct roll_entry *rcpt;
	size_t n;
	size_t count[ROLL_STAGES];	/* recipients in each stage */
	size_t next;		/* the first that is OPEN; n: none */
	size_t final;		/* verdicts held that would end a life */
	void (*settle)(void *ctx, size_t i, const struct reply *r);
	void *ctx;
};

/* n recipients, all OPEN; settle is told of each that is settled. */
void roll_init(struct roll *r, size_t n,
	       void (*settle)(void *, size_t, const struct reply *), void *ctx);
void roll_free(struct roll *r);
/* To any stage but HELD and SETTLED. */
void roll_move(struct roll *r, size_t i, enum stage to);
/* The verdict, told now; or kept until roll_release. */
void roll_settle(struct roll *r, size_t i, const struct reply *verdict);
void roll_hold(struct roll *r, size_t i, const struct reply *verdict);
/* All that is held is believed: it is told. */
void roll_release(struct roll *r);

#endif
