/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The result type.  Whatever may end in a log line, a report or an exit
 * status is a struct reply: a server's words, a DNS failure, a full disk.
 * Copied by value, owns nothing.  reply_fate() is the only place that says
 * what becomes of a recipient.
 */
#ifndef LIB_REPLY_H
#define LIB_REPLY_H

#include "config.h"

#include <stdbool.h>
#include <stddef.h>

/* What the reply answers.  Only the last four can end a recipient's life:
 * a 5xx to anything else is the host's trouble, not the message's. */
enum reply_to {
	REPLY_TO_HOST,		/* connection, greeting, EHLO, TLS, AUTH, DNS
				 * trouble: never final */
	REPLY_TO_MAIL,
	REPLY_TO_RCPT,
	REPLY_TO_MESSAGE,	/* DATA, BDAT, the end of data, or a verdict
				 * made here on the message itself */
	REPLY_TO_DOMAIN,	/* NXDOMAIN, null MX, every host says 521 */
};

/* Zero-filled means "no reply yet". */
struct reply {
	int code;			/* SMTP code; 0: none */
	enum reply_to to;
	bool local;			/* made here, not said by a server */
	char status[12];		/* enhanced status, RFC 3463; set when
					 * code is, class equal to code's */
	char text[REPLY_TEXT];		/* printable, one line, no code */
};

enum fate {
	FATE_DELIVERED,
	FATE_RETRY,
	FATE_FAILED,
};

/*
 * DELIVERED for 2xx.  FAILED for a 5xx to MAIL, RCPT, MESSAGE or DOMAIN,
 * except 530, 534, 535, 538 (the operator's fault) and 552 to RCPT (RFC 5321
 * 4.5.3.1.10: too many recipients).  RETRY for all else, also for "none yet".
 */
enum fate reply_fate(const struct reply *r);

/* The 530s: wait, and be loud about it (LOG_ALERT). */
bool reply_operator(const struct reply *r);

/* A reply made here: reply_local(&r, REPLY_TO_HOST, 451, "4.4.1", "...", ...).
 * The text is made printable and cut to fit. */
void reply_local(struct reply *r, enum reply_to to, int code,
		 const char *status, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/*
 * A server's words.  text is what followed the code, n octets, lines joined
 * by LF; an enhanced status at its start (RFC 2034) is moved into r->status
 * if read_status and its class equals the code's, else the status becomes
 * 2.0.0, 4.0.0 or 5.0.0.  The text is made printable; lines are joined by
 * one blank, an enhanced status repeated on later lines is dropped.
 */
void reply_remote(struct reply *r, enum reply_to to, int code,
		  const char *text, size_t n, bool read_status);

/* "451 4.7.1 greylisted" into dst, always ended by NUL; returns dst. */
char *reply_print(const struct reply *r, char *dst, size_t size);

/* The sysexits number for a failed reply: 67 no such user (X.1.1, X.1.3,
 * X.1.6 or RCPT 550 without detail), 68 no such host (X.1.2, X.1.10, X.4.4),
 * 65 bad content (X.6.x, X.3.4, X.2.3), else 69. */
int reply_exit(const struct reply *r);

/*
 * src, n octets, into dst as one printable line, at most size - 1 octets and
 * a NUL: control characters, DEL, C1, broken UTF-8, line and paragraph
 * separators and bidi overrides become '?', runs of white space one blank.
 * Returns the octets written.  Used at every door: logs, mailq, reports.
 */
size_t printable(char *dst, size_t size, const char *src, size_t n);

#endif
