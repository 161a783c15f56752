/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The SMTP dialogue of one connection, client side: bytes in, bytes out.  No
 * socket, no clock, no file: who holds the connection feeds what arrived,
 * writes what is in the output, and watches the time limit that is named here.
 *
 *	esmtp_new		the greeting is awaited
 *	  -> ESMTP_SECURE	STARTTLS was granted: do the handshake, then
 *	esmtp_secured		EHLO once more
 *	  -> ESMTP_READY	EHLO and AUTH are done: look at the offers, then
 *	esmtp_begin		one transaction: MAIL, RCPT ..., the message
 *	  -> ESMTP_BODY		hand in message text with esmtp_body
 *	  -> ESMTP_READY	every recipient has been settled; begin again,
 *	esmtp_quit		or leave
 *	  -> ESMTP_CLOSED	at any time: esmtp_ended says why
 *
 * Everything is borrowed until the phase is READY again or the session is
 * closed; esmtp owns only itself and its output.
 */
#ifndef ESMTP_H
#define ESMTP_H

#include "lib/buf.h"
#include "lib/reply.h"
#include "lib/verb.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct esmtp;
struct sasl_identity;

/* STARTTLS: not even where offered; where offered, and in clear where it is
 * not or is refused; or no mail goes out. */
enum esmtp_tls { ESMTP_TLS_OFF, ESMTP_TLS_MAY, ESMTP_TLS_MUST };

/* How the session is to be held; copied, the strings borrowed for its life. */
struct esmtp_setup {
	const char *name;	/* for EHLO: a host name or an address literal */
	uint64_t mask;		/* verbs we may use; VERB_NONE: HELO at once */
	bool helo;		/* HELO at once: this host closes on EHLO */
	bool no_bdat;		/* BDAT was met by silence here: DATA */
	enum esmtp_tls tls;
	bool tls_on;		/* the connection is encrypted already */
	/* NULL: no AUTH.  Else no mail goes out without it: borrowed, and what
	 * of it may be shown on this channel is up to sasl_choose. */
	const struct sasl_identity *identity;
	const char *auth_allowed;	/* mechanisms; "" or NULL: all */
	bool auth_in_clear;	/* loopback, and the operator wants it so: AUTH
				 * may be without TLS */

	/* Each recipient of a transaction that is decided, exactly once: i is
	 * its index in the transaction.  Not called for those still open when
	 * the session closes.  Must not call back into esmtp. */
	void (*settle)(void *ctx, size_t i, const struct reply *r);
	/* -v: one line of the dialogue, without CRLF; dir is '>' or '<', or
	 * '-' for a remark ("1234 octets of message").  May be NULL. */
	void (*trace)(void *ctx, char dir, const char *line, size_t n);
	void *ctx;
};

enum esmtp_phase {
	ESMTP_WAITING,		/* for the server */
	ESMTP_READY,		/* for a transaction */
	ESMTP_BODY,		/* for message text */
	ESMTP_SECURE,		/* for the TLS handshake, and esmtp_secured */
	ESMTP_CLOSED,
};

struct esmtp *esmtp_new(const struct esmtp_setup *setup);
void esmtp_free(struct esmtp *e);
enum esmtp_phase esmtp_phase(const struct esmtp *e);

/* n octets have arrived, and for now no more.  Anything is allowed, at any
 * time, in any pieces.  But what stood together is best handed in together: the
 * last reply of a group is believed only if nothing follows it in its input. */
void esmtp_input(struct esmtp *e, const char *p, size_t n);
/* The same where more is at hand: esmtp_input follows at once, with the rest
 * or with nothing. */
void esmtp_input_part(struct esmtp *e, const char *p, size_t n);
/* The connection is gone; why is one sentence ("lost connection"). */
void esmtp_lost(struct esmtp *e, const char *why);
/* The time limit has passed. */
void esmtp_timeout(struct esmtp *e);

/* Only in ESMTP_SECURE: TLS stands, and fulfils all that the caller asks of
 * it.  The output was empty; what arrives from now on is decrypted.  If there
 * is to be no TLS: esmtp_lost, with the reason, and the connection is closed.
 * What arrives in clear meanwhile belongs to the handshake and not here: it
 * would be taken for an attack, and end the session. */
void esmtp_secured(struct esmtp *e);

/* What is to be written to the connection; the caller drops what it wrote,
 * and does so before it hands in what it read later: a reply that begins
 * before its command has left the output is nobody's. */
struct buf *esmtp_output(struct esmtp *e);

/* Seconds the oldest unanswered command, or the TLS handshake, may still take
 * (RFC 5321 4.5.3.2), 0 when nothing is awaited; and a number that changes
 * when that clock starts anew: a command was put out or a whole reply came in.
 * (Single octets that drip in do not count.)  While the message is being
 * written the caller also starts anew whenever the socket took octets. */
unsigned esmtp_time_limit(const struct esmtp *e);
uint64_t esmtp_progress(const struct esmtp *e);

/* From ESMTP_READY on: the verbs both sides know and the mask allows, and the
 * size the server named (0: none). */
uint64_t esmtp_offers(const struct esmtp *e);
uint64_t esmtp_size_limit(const struct esmtp *e);

/* ---- a transaction ----------------------------------------------------- */

struct esmtp_rcpt {
	const char *addr;	/* no angle brackets */
	const char *notify;	/* "FAILURE,DELAY" or NULL */
	const char *orcpt;	/* "rfc822;xtext" or NULL */
};

struct esmtp_mail {
	const char *sender;	/* "" is the null sender */
	uint64_t size;		/* octets of the text that will be handed in,
				 * before dot-stuffing */
	bool eight_bit;		/* the text has octets above 127: allowed only
				 * with 8BITMIME among the offers */
	const char *ret;	/* "FULL" or "HDRS" or NULL */
	const char *envid;	/* xtext or NULL */
	size_t nrcpt;
	const struct esmtp_rcpt *rcpt;
};

/*
 * Only in ESMTP_READY.  What goes out is up to next_command() in esmtp.c: with
 * PIPELINING MAIL, all RCPT and DATA in one group; with CHUNKING a message up
 * to BDAT_RIDE_MAX rides along.  DSN parameters are sent only if offered.  501,
 * 504 and 555 to a MAIL or RCPT with parameters are answered by sending it
 * once more without them (BODY=8BITMIME stays while the text has octets above
 * 127).  500-504 or 5.5.x to BDAT: once more from RSET on with DATA, for the
 * recipients that had been accepted.
 */
void esmtp_begin(struct esmtp *e, const struct esmtp_mail *mail);

/* In ESMTP_BODY: the offset of the text that must be handed in next.  It goes
 * back to 0 when DATA follows a refused BDAT, or when MAIL or a recipient is
 * asked once more without parameters. */
uint64_t esmtp_body_at(const struct esmtp *e);
/* n octets from that offset, CRLF lines; 0 < n <= IO_CHUNK (for a message of
 * no octets the phase is never ESMTP_BODY).  The end is known from mail.size:
 * with its last octet the end of data goes out in the same output.  The caller
 * pauses while the output holds OUT_HIGH_WATER.  With BDAT text may be asked
 * for although all recipients have been settled: it was announced. */
void esmtp_body(struct esmtp *e, const char *p, size_t n);

/* The end of data stands in the output, or has left it, and its reply has not
 * come.  Once the output is empty, the server may have the message: from here
 * on it may not be dropped without calling the outcome unknown. */
bool esmtp_end_given(const struct esmtp *e);

/* Only in ESMTP_READY: QUIT into the output; the session is closed and the
 * reply is not awaited. */
void esmtp_quit(struct esmtp *e);

/* ---- how it ended --------------------------------------------------------- */

struct esmtp_end {
	struct reply why;	/* for the recipients still open: always a
				 * RETRY (to is REPLY_TO_HOST) */
	bool at_greeting;	/* the greeting itself refused (why has its
				 * code) or never came */
	bool at_ehlo;		/* the connection went, without a word, between
				 * EHLO and its reply: call again with HELO */
	bool after_bdat;	/* silence, a lost connection or nonsense with
				 * a BDAT unanswered, or any bad end after one
				 * was not understood: DATA next time */
	bool after_end;		/* the end of data was out: a copy may exist */
	bool tls_failed;	/* STARTTLS was granted, but the handshake did
				 * not come to its end (nor, with TLS 1.3, was
				 * one word heard after it): in clear next
				 * time, if that is allowed */
	bool tls_refused;	/* ESMTP_TLS_MUST, and STARTTLS was not offered,
				 * was refused, or it is HELO only */
};
/* In ESMTP_CLOSED; borrowed from e. */
const struct esmtp_end *esmtp_ended(const struct esmtp *e);

#endif
