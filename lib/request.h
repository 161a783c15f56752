/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The commands a client may give us over SMTP (RFC 5321 4.1): one line in, a
 * request or a refusal out.  Pure: what the session has come to is told, and
 * nothing is remembered from one line to the next.
 */
#ifndef LIB_REQUEST_H
#define LIB_REQUEST_H

#include "config.h"
#include "lib/dsn.h"
#include "lib/reply.h"
#include "lib/verb.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum request_verb {
	REQUEST_HELO, REQUEST_EHLO, REQUEST_MAIL, REQUEST_RCPT, REQUEST_DATA,
	REQUEST_BDAT, REQUEST_RSET, REQUEST_NOOP, REQUEST_VRFY, REQUEST_HELP,
	REQUEST_ETRN, REQUEST_QUIT,
	REQUEST_UNBUILT,	/* known by name, and answered 502 */
};

/* The verbs that may be offered: no others are built. */
#define REQUEST_BUILT	(VERB_SIZE | VERB_ETRN | VERB_PIPELINING | VERB_DSN | \
			 VERB_ENHANCEDSTATUS | VERB_8BITMIME | VERB_CHUNKING)

/* One row of the table of commands. */
struct request_command {
	const char *word;
	enum request_verb verb;
	int form;		/* of the argument; request.c */
	unsigned order;		/* when it may come; request.c */
	uint64_t offer;		/* only if EHLO offered this verb; 0: always */
	const char *usage;	/* for HELP and for a wrong argument */
};
/* Ended by a row without a word. */
extern const struct request_command request_commands[];

/* What the session has come to. */
struct request_state {
	uint64_t mask;		/* SmtpInboundCommandSupportOptions */
	uint64_t max_size;	/* octets of a message; 0 none */
	bool extended;		/* EHLO was the last greeting */
	bool mail;		/* a transaction is open */
	bool chunks;		/* and BDAT has begun its text */
	size_t nrcpt;		/* recipients it has */
};

/* Strings point into line, or are constants. */
struct request {
	const struct request_command *command;	/* NULL: an unknown word */
	struct reply refusal;	/* code 0: none, the request may be carried out.
				 * 421: nothing behind it can be understood */
	const char *argument;	/* behind the word, trimmed; "" none.  (Of MAIL
				 * and RCPT it is taken apart.) */
	/* MAIL and RCPT */
	const char *address;	/* checked; without route; "" for <> */
	const char *ret, *envid, *notify, *orcpt;	/* NULL: not given */
	/* BDAT */
	uint64_t chunk;		/* its octets follow, even after a refusal */
	bool last;
	/* private */
	char line[SMTPD_LINE_MAX + 1], words[DSN_NOTIFY_SIZE];
};

/*
 * Reads one line, n octets without its end, into q; more than SMTPD_LINE_MAX
 * are refused.  The refusals:
 *
 *   421 4.5.4  BDAT whose number of octets cannot be read
 *   500 5.5.1  an unknown word        500 5.5.2  too long; a control octet
 *   501 5.5.4  a wrong argument, a parameter twice or with a wrong value
 *   501 5.1.3, 5.1.7  a recipient, a sender that is no address
 *   502 5.5.1  known, but not built or not offered
 *   503 5.5.1  not now: RCPT before MAIL, and so on
 *   552 5.3.4  SIZE= over max_size
 *   553 5.6.7  an address in UTF-8
 *   555 5.5.4  a parameter that EHLO did not offer
 */
void request_parse(struct request *q, const char *line, size_t n,
		   const struct request_state *s);

/* What EHLO offers under this mask; 0 too where EHLO itself is refused. */
uint64_t request_offers(uint64_t mask);

#endif
