/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* The first way in: one message on standard input. */
#ifndef IN_SUBMIT_H
#define IN_SUBMIT_H

#include <stdbool.h>
#include <stddef.h>

/* What the command line said. */
struct submit {
	bool header_recipients;		/* -t */
	const char *sender;		/* -f or -r; NULL: who calls us */
	const char *full_name;		/* -F; NULL */
	const char *notify;		/* -N, checked, upper case; NULL */
	const char *ret;		/* -R: "FULL", "HDRS"; NULL */
	const char *envid;		/* -V, xtext; NULL */
	unsigned hops;			/* -h */
	char *const *rcpt;		/* arguments: each a list of addresses */
	size_t nrcpt;
};

/*
 * Reads the message, tries to deliver it as DeliveryMode says, and keeps what
 * is left.  Returns an exit status, sendmail(8): 0 means every
 * recipient is delivered, stands durably somewhere, or has been reported; any
 * other that nothing of it stands anywhere.  Complains itself.
 */
int submit(const struct submit *s);

#endif
