/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The text of delivery status reports: RFC 3464 in an RFC 6522
 * multipart/report.  Which reports there are, and where they go, is bounce.c's.
 */
#ifndef OUT_REPORT_H
#define OUT_REPORT_H

#include "out/bounce.h"

struct report {
	struct message *m;		/* what the report is about */
	enum bounce_action action;
	const struct bounce_rcpt *const *rcpt;	/* who it is about */
	size_t nrcpt;
	const char *to;			/* for To: the sender of m */
	time_t now;
};

/* The whole text into out, whose envelope is written, and queue_complete.  0,
 * or -1 with errno. */
int report_write(struct message *out, const struct report *r);

/* The same for SendBadTo: words about m, which goes to Badmail, and m. */
int report_badmail(struct message *out, struct message *m, const char *why,
		   time_t now);

#endif
