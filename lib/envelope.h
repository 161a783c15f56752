/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The envelope as it stands at the head of a queue file: text in, struct out,
 * and back.  No I/O: queue.c reads and writes the file, and is the only user
 * of the offsets given here.
 *
 *   x-mailroot: 1 envelope=00000612 message=000000018234
 *   x-created: 2026-11-22T01:00:00Z uid=0000000033 attempts=0003 last=20261122T013000Z warned=0
 *   x-sender: <alice@client.test> BODY=8BITMIME RET=HDRS ENVID=abc
 *   x-receiver: <bob@far.test> NOTIFY=FAILURE ORCPT=rfc822;bob@far.test
 *   x-status: 451 4.7.1 greylisted (mx1.far.test) ...
 *
 * Lines end in CRLF.  The first two have a fixed width, x-status has exactly
 * STATUS_OCTETS octets of text, so that all of it can be rewritten in place.
 */
#ifndef LIB_ENVELOPE_H
#define LIB_ENVELOPE_H

#include "config.h"
#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define ENVELOPE_FIRST_LEN 54		/* with CRLF */
#define ENVELOPE_CREATED_LEN 93
#define ENVELOPE_MARK_LEN 10		/* "x-receiver" and its like */

enum rcpt_state {
	RCPT_WAITING,		/* x-receiver, or any unknown spelling */
	RCPT_DELIVERED,		/* x-received */
	RCPT_RETURNED,		/* x-returned: failed, its report committed */
};
extern const char *const envelope_marks[];

struct recipient {
	const char *addr;	/* no angle brackets */
	const char *notify;	/* "NEVER", "SUCCESS,FAILURE" ...; NULL */
	const char *orcpt;	/* "rfc822;xtext"; NULL */
	/* parsed only */
	enum rcpt_state state;
	char *status;		/* the last reason, "" none; room for
				 * STATUS_OCTETS + 1 octets */
	off_t mark_at, status_at;	/* where they stand in the file */
};

struct envelope {
	uid_t uid;		/* of the submitter */
	time_t created, last;	/* last: of the last attempt; 0 none */
	unsigned attempts;
	bool warned;		/* the delay report has been sent */
	const char *sender;	/* "" the null sender */
	const char *ret, *envid;	/* NULL: not given */
	bool eight_bit;		/* BODY=8BITMIME: octets above 127 */
	size_t nrcpt;
	struct recipient *rcpt;
	/* parsed only */
	char *text;		/* what the strings point into: owned */
	off_t body_at;		/* where BODY= stands */
};

/* The whole envelope, sizes zero, all recipients waiting.  False if out was
 * full. */
bool envelope_print(const struct envelope *e, struct buf *out);
/* The first line, and the second. */
void envelope_print_first(char line[ENVELOPE_FIRST_LEN + 1], size_t envelope,
			  uint64_t message);
void envelope_print_created(char line[ENVELOPE_CREATED_LEN + 1],
			    const struct envelope *e);
/* BODY= and its value, fixed width. */
const char *envelope_body(bool eight_bit);
/* Text as x-status holds it: STATUS_OCTETS octets, blanks behind. */
void envelope_print_status(char dst[STATUS_OCTETS], const char *text);

/* The sizes in the first line (ENVELOPE_FIRST_LEN octets).  False: not one. */
bool envelope_parse_first(const char *line, uint64_t *envelope,
			  uint64_t *message);
/* text: n octets and a NUL, on the heap, owned by e from now on, also on
 * failure.  False: not an envelope. */
bool envelope_parse(struct envelope *e, char *text, size_t n);
/* Frees what a parse made. */
void envelope_free(struct envelope *e);

#endif
