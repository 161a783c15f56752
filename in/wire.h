/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The two descriptors a client of -bs speaks through: lines and octets in,
 * replies out.  Replies wait here until there is nothing more to read, so that
 * a group of commands gets its replies in one piece (RFC 2920 3.2).
 */
#ifndef IN_WIRE_H
#define IN_WIRE_H

#include "config.h"
#include "lib/buf.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct wire {
	int in, out;
	const volatile sig_atomic_t *stop;	/* a signal says stop */
	bool saw_cr;		/* a line with a CR in it has come */
	bool broken;		/* a reply could not be written: the client is
				 * gone, and what is said is lost */
	/* private */
	size_t at, end, before;	/* of octets; before the last line */
	char octets[IO_CHUNK];
	struct buf replies;
};

void wire_open(struct wire *w, int in, int out,
	       const volatile sig_atomic_t *stop);

/*
 * All of them: 1; 0 at the end of the input; -1 with errno: EINTR a signal
 * says stop, ETIMEDOUT nothing came for so many seconds, EMSGSIZE more was
 * thrown away than SMTPD_DISCARD_MAX, or what the system said.
 */

/* The next line, without its LF or CRLF, valid until the next call of any.  Of
 * one over SMTPD_LINE_MAX only the first SMTPD_LINE_MAX + 1 octets are left.  A
 * last line without an end is none. */
int wire_line(struct wire *w, unsigned seconds, const char **line, size_t *n);
/* The last line is given again by the next wire_line. */
void wire_unread(struct wire *w);

/* Octets as they are: at least one; wire_take says how many were used. */
int wire_octets(struct wire *w, unsigned seconds, const char **p, size_t *n);
void wire_take(struct wire *w, size_t n);

/* One line of a reply; more: another of the same reply follows.  status: NULL
 * where none is wanted.  The text is made printable. */
void wire_say(struct wire *w, bool more, int code, const char *status,
	      const char *text);
/* What was said goes out now. */
void wire_flush(struct wire *w);

#endif
