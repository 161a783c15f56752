/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * lib/request: a table of lines, what must have been said before, and the
 * request or the refusal each must become.
 */
#include "lib/request.h"
#include "lib/buf.h"
#include "tests/check.h"

/* What the session has come to, in one letter: n nothing, h HELO, e EHLO,
 * m MAIL behind EHLO, r RCPT, b BDAT has begun, s MAIL behind HELO, t RCPT
 * behind HELO. */
static struct request_state state_of(char c, uint64_t mask)
{
	struct request_state s = { .mask = mask, .max_size = 1000 };

	s.extended = strchr("emrb", c) != NULL;
	s.mail = strchr("mrbst", c) != NULL;
	s.nrcpt = strchr("rbt", c) != NULL;
	s.chunks = c == 'b';
	return s;
}

/* ---- good ones ----------------------------------------------------------------- */

static const struct {
	char state;
	const char *line;
	enum request_verb verb;
	const char *want;	/* argument, or "address;ret;envid;notify;orcpt"
				 * with - for what is not given, or chunk */
} good[] = {
	{ 'n', "HELO client.test", REQUEST_HELO, "client.test" },
	{ 'n', "helo [127.0.0.1]", REQUEST_HELO, "[127.0.0.1]" },
	{ 'n', "EHLO vm", REQUEST_EHLO, "vm" },
	{ 'b', "EHLO \t under_score \t", REQUEST_EHLO, "under_score" },
	{ 'n', "MAIL FROM:<a@x>", REQUEST_MAIL, "a@x;-;-;-;-" },
	{ 'h', "mail from:<>", REQUEST_MAIL, ";-;-;-;-" },
	{ 'e', "MAIL FROM: <a@x>", REQUEST_MAIL, "a@x;-;-;-;-" },
	{ 'e', "MAIL  FROM:<a@x>  ", REQUEST_MAIL, "a@x;-;-;-;-" },
	{ 'e', "MAIL FROM:<alice>", REQUEST_MAIL, "alice;-;-;-;-" },
	{ 'e', "MAIL FROM:<\"a b\"@x>", REQUEST_MAIL, "\"a b\"@x;-;-;-;-" },
	{ 'e', "MAIL FROM:<\"a>\\\"\"@x>", REQUEST_MAIL,
	  "\"a>\\\"\"@x;-;-;-;-" },
	{ 'e', "MAIL FROM:<@a,@b.c:d@x>", REQUEST_MAIL, "d@x;-;-;-;-" },
	{ 'e', "MAIL FROM:<@[IPv6:::1],@[1.2.3.4]:d@[1.2.3.4]>", REQUEST_MAIL,
	  "d@[1.2.3.4];-;-;-;-" },
	{ 'e', "MAIL FROM:<a@x> SIZE=1000", REQUEST_MAIL, "a@x;-;-;-;-" },
	{ 'e', "MAIL FROM:<a@x> size=00000000000000000000 body=8bitmime",
	  REQUEST_MAIL, "a@x;-;-;-;-" },
	{ 'e', "MAIL FROM:<a@x> BODY=7BIT RET=hdrs ENVID=a+20b", REQUEST_MAIL,
	  "a@x;HDRS;a+20b;-;-" },
	{ 'e', "MAIL FROM:<a@x>   RET=Full", REQUEST_MAIL, "a@x;FULL;-;-;-" },
	{ 'm', "RCPT TO:<b@y>", REQUEST_RCPT, "b@y;-;-;-;-" },
	{ 'r', "RCPT TO: <postmaster>", REQUEST_RCPT, "postmaster;-;-;-;-" },
	{ 's', "RCPT TO:<b@[IPv6:::1]>", REQUEST_RCPT, "b@[IPv6:::1];-;-;-;-" },
	{ 'm', "RCPT TO:<b@y> NOTIFY=never", REQUEST_RCPT, "b@y;-;-;NEVER;-" },
	{ 'm', "RCPT TO:<b@y> NOTIFY=delay,Success,delay", REQUEST_RCPT,
	  "b@y;-;-;SUCCESS,DELAY;-" },
	{ 'm', "RCPT TO:<b@y> NOTIFY=SUCCESS,FAILURE,DELAY "
	  "ORCPT=rfc822;b+2By@y", REQUEST_RCPT,
	  "b@y;-;-;SUCCESS,FAILURE,DELAY;rfc822;b+2By@y" },
	{ 'r', "DATA", REQUEST_DATA, "" },
	{ 't', "data   ", REQUEST_DATA, "" },
	{ 'r', "BDAT 0", REQUEST_BDAT, "0" },
	{ 'r', "BDAT 12  last", REQUEST_BDAT, "12L" },
	{ 'b', "BDAT 9223372036854775807", REQUEST_BDAT,
	  "9223372036854775807" },
	{ 'n', "RSET", REQUEST_RSET, "" },
	{ 'b', "RSET", REQUEST_RSET, "" },
	{ 'n', "NOOP", REQUEST_NOOP, "" },
	{ 'b', "NOOP \xc3\xbc <>", REQUEST_NOOP, "\xc3\xbc <>" },
	{ 'n', "VRFY bob", REQUEST_VRFY, "bob" },
	{ 'n', "HELP", REQUEST_HELP, "" },
	{ 'r', "HELP DATA", REQUEST_HELP, "DATA" },
	{ 'e', "ETRN y.test", REQUEST_ETRN, "y.test" },
	{ 'e', "ETRN @y.test", REQUEST_ETRN, "@y.test" },
	{ 'n', "QUIT", REQUEST_QUIT, "" },
	{ 'b', "quit ", REQUEST_QUIT, "" },
};

static void shown(char *dst, size_t size, const struct request *q)
{
	switch (q->command ? q->command->verb : REQUEST_UNBUILT) {
	case REQUEST_MAIL: case REQUEST_RCPT:
		snprintf(dst, size, "%s;%s;%s;%s;%s", q->address,
			 q->ret ? q->ret : "-", q->envid ? q->envid : "-",
			 q->notify ? q->notify : "-",
			 q->orcpt ? q->orcpt : "-");
		break;
	case REQUEST_BDAT:
		snprintf(dst, size, "%llu%s", (unsigned long long)q->chunk,
			 q->last ? "L" : "");
		break;
	default:
		snprintf(dst, size, "%s", q->argument);
	}
}

static void test_good(void)
{
	static struct request q;
	struct request_state s;
	char text[1000];
	size_t i;

	for (i = 0; i < sizeof good / sizeof *good; i++) {
		s = state_of(good[i].state, VERB_DEFAULT);
		request_parse(&q, good[i].line, strlen(good[i].line), &s);
		check_int(good[i].line, q.refusal.code, 0);
		check(q.command && q.command->verb == good[i].verb,
		      good[i].line);
		shown(text, sizeof text, &q);
		check_str(good[i].line, text, good[i].want);
	}
}

/* ---- bad ones -------------------------------------------------------------------- */

#define NO(verb)	(VERB_DEFAULT & ~verb)

static const struct {
	char state;
	uint64_t mask;		/* 0: the default */
	const char *line;
	const char *want;	/* code and status */
} bad[] = {
	/* words */
	{ 'n', 0, "", "500 5.5.1" },
	{ 'n', 0, "  ", "500 5.5.1" },
	{ 'n', 0, " NOOP", "500 5.5.1" },
	{ 'n', 0, "FOO", "500 5.5.1" },
	{ 'n', 0, "MAILFROM:<a@x>", "500 5.5.1" },
	{ 'n', 0, "GET / HTTP/1.1", "500 5.5.1" },
	{ 'n', 0, "NOOP\rNOOP", "500 5.5.2" },
	{ 'n', 0, "NOOP \x7f", "500 5.5.2" },
	{ 'n', 0, "NOOP \x1b[0m", "500 5.5.2" },
	{ 'e', 0, "EXPN list", "502 5.5.1" },
	{ 'e', 0, "TURN", "502 5.5.1" },
	{ 'e', 0, "ATRN y.test", "502 5.5.1" },
	{ 'e', 0, "STARTTLS", "502 5.5.1" },
	{ 'e', 0, "AUTH PLAIN AGEAYg==", "502 5.5.1" },
	{ 'e', NO(VERB_CHUNKING), "BDAT 5", "502 5.5.1" },
	{ 'e', NO(VERB_ETRN), "ETRN y.test", "502 5.5.1" },
	{ 'h', 0, "ETRN y.test", "503 5.5.1" },
	{ 't', 0, "BDAT 5", "503 5.5.1" },
	/* order */
	{ 'e', 0, "RCPT TO:<b@y>", "503 5.5.1" },
	{ 'e', 0, "DATA", "503 5.5.1" },
	{ 'm', 0, "DATA", "503 5.5.1" },
	{ 'e', 0, "BDAT 5 LAST", "503 5.5.1" },
	{ 'm', 0, "BDAT 5 LAST", "503 5.5.1" },
	{ 'm', 0, "MAIL FROM:<a@x>", "503 5.5.1" },
	{ 'b', 0, "MAIL FROM:<a@x>", "503 5.5.1" },
	{ 'b', 0, "RCPT TO:<b@y>", "503 5.5.1" },
	{ 'b', 0, "DATA", "503 5.5.1" },
	{ 'r', 0, "ETRN y.test", "503 5.5.1" },
	/* arguments */
	{ 'n', 0, "HELO", "501 5.5.4" },
	{ 'n', 0, "EHLO a b", "501 5.5.4" },
	{ 'n', 0, "EHLO \xc3\xbc", "501 5.5.4" },
	{ 'r', 0, "DATA now", "501 5.5.4" },
	{ 'n', 0, "RSET x", "501 5.5.4" },
	{ 'n', 0, "QUIT x", "501 5.5.4" },
	{ 'n', 0, "VRFY", "501 5.5.4" },
	{ 'e', 0, "ETRN", "501 5.5.4" },
	{ 'e', 0, "ETRN #queue", "501 5.5.4" },
	{ 'e', 0, "ETRN a..b", "501 5.5.4" },
	{ 'r', 0, "BDAT", "421 4.5.4" },
	{ 'r', 0, "BDAT x", "421 4.5.4" },
	{ 'r', 0, "BDAT -1", "421 4.5.4" },
	{ 'r', 0, "BDAT 9223372036854775808", "421 4.5.4" },
	{ 'n', 0, "BDAT 1x LAST", "421 4.5.4" },
	{ 'r', 0, "BDAT 5 FIRST", "501 5.5.4" },
	{ 'r', 0, "BDAT 5 LAST x", "501 5.5.4" },
	/* paths */
	{ 'e', 0, "MAIL", "501 5.5.4" },
	{ 'e', 0, "MAIL TO:<a@x>", "501 5.5.4" },
	{ 'e', 0, "MAIL FROM :<a@x>", "501 5.5.4" },
	{ 'e', 0, "MAIL FROM:", "501 5.1.7" },
	{ 'e', 0, "MAIL FROM:a@x", "501 5.1.7" },
	{ 'e', 0, "MAIL FROM:Al <a@x>", "501 5.1.7" },
	{ 'e', 0, "MAIL FROM:<a@x", "501 5.1.7" },
	{ 'e', 0, "MAIL FROM:<\"a@x>", "501 5.1.7" },
	{ 'e', 0, "MAIL FROM:<a@x>SIZE=1", "501 5.1.7" },
	{ 'e', 0, "MAIL FROM:<<a@x>>", "501 5.1.7" },
	{ 'e', 0, "MAIL FROM:< a@x>", "501 5.1.7" },
	{ 'e', 0, "MAIL FROM:<a b@x>", "501 5.1.7" },
	{ 'e', 0, "MAIL FROM:<a@x >", "501 5.1.7" },
	{ 'e', 0, "MAIL FROM:<@>", "501 5.1.7" },
	{ 'e', 0, "MAIL FROM:<@x>", "501 5.1.7" },
	{ 'e', 0, "MAIL FROM:<a@>", "501 5.1.7" },
	{ 'e', 0, "MAIL FROM:<@b:>", "501 5.1.7" },
	{ 'e', 0, "MAIL FROM:<@b,:a@x>", "501 5.1.7" },
	{ 'e', 0, "MAIL FROM:<@b,c:a@x>", "501 5.1.7" },
	{ 'e', 0, "MAIL FROM:<@a..b:a@x>", "501 5.1.7" },
	{ 'e', 0, "MAIL FROM:<a@x,b@y>", "501 5.1.7" },
	{ 'e', 0, "MAIL FROM:<a@x_>y>", "501 5.1.7" },
	{ 'e', 0, "MAIL FROM:<a(b)@x>", "501 5.1.7" },
	{ 'e', 0, "MAIL FROM:<a@[1.2.3]>", "501 5.1.7" },
	{ 'e', 0, "MAIL FROM:<\xc3\xbc@x>", "553 5.6.7" },
	{ 'm', 0, "RCPT TO:<b@\xc3\xbc.test>", "553 5.6.7" },
	{ 'm', 0, "RCPT TO:<>", "501 5.1.3" },
	{ 'm', 0, "RCPT TO:b@y", "501 5.1.3" },
	{ 'm', 0, "RCPT FROM:<b@y>", "501 5.5.4" },
	{ 'm', 0, "RCPT TO:<b@y> <c@y>", "555 5.5.4" },
	/* parameters */
	{ 'e', 0, "MAIL FROM:<a@x> SIZE=1001", "552 5.3.4" },
	{ 'e', 0, "MAIL FROM:<a@x> SIZE=99999999999999999999", "552 5.3.4" },
	{ 'e', 0, "MAIL FROM:<a@x> SIZE=999999999999999999999", "501 5.5.4" },
	{ 'e', 0, "MAIL FROM:<a@x> SIZE", "501 5.5.4" },
	{ 'e', 0, "MAIL FROM:<a@x> SIZE=", "501 5.5.4" },
	{ 'e', 0, "MAIL FROM:<a@x> SIZE=1k", "501 5.5.4" },
	{ 'e', 0, "MAIL FROM:<a@x> SIZE=1 SIZE=1", "501 5.5.4" },
	{ 'e', 0, "MAIL FROM:<a@x> BODY=9BIT", "501 5.5.4" },
	{ 'e', 0, "MAIL FROM:<a@x> BODY=BINARYMIME", "555 5.5.4" },
	{ 'e', 0, "MAIL FROM:<a@x> SMTPUTF8", "555 5.5.4" },
	{ 'e', 0, "MAIL FROM:<a@x> AUTH=<>", "555 5.5.4" },
	{ 'e', 0, "MAIL FROM:<a@x> NOTIFY=NEVER", "555 5.5.4" },
	{ 'e', 0, "MAIL FROM:<a@x> =", "555 5.5.4" },
	{ 'e', 0, "MAIL FROM:<a@x> RET=HEADERS", "501 5.5.4" },
	{ 'e', 0, "MAIL FROM:<a@x> RET=FULL ENVID=a RET=FULL", "501 5.5.4" },
	{ 'e', 0, "MAIL FROM:<a@x> ENVID=a=b", "501 5.5.4" },
	{ 'e', 0, "MAIL FROM:<a@x> ENVID=a+0Ab", "501 5.5.4" },
	{ 'e', 0, "MAIL FROM:<a@x> ENVID=a+ffb", "501 5.5.4" },
	{ 'e', NO(VERB_SIZE), "MAIL FROM:<a@x> SIZE=1", "555 5.5.4" },
	{ 'e', NO(VERB_8BITMIME), "MAIL FROM:<a@x> BODY=7BIT", "555 5.5.4" },
	{ 'e', NO(VERB_DSN), "MAIL FROM:<a@x> RET=FULL", "555 5.5.4" },
	{ 'm', NO(VERB_DSN), "RCPT TO:<b@y> NOTIFY=NEVER", "555 5.5.4" },
	{ 'h', 0, "MAIL FROM:<a@x> SIZE=1", "555 5.5.4" },
	{ 'n', 0, "MAIL FROM:<a@x> BODY=8BITMIME", "555 5.5.4" },
	{ 's', 0, "RCPT TO:<b@y> NOTIFY=NEVER", "555 5.5.4" },
	{ 'm', 0, "RCPT TO:<b@y> SIZE=1", "555 5.5.4" },
	{ 'm', 0, "RCPT TO:<b@y> NOTIFY=NEVER,DELAY", "501 5.5.4" },
	{ 'm', 0, "RCPT TO:<b@y> NOTIFY=DELAY,", "501 5.5.4" },
	{ 'm', 0, "RCPT TO:<b@y> NOTIFY=,DELAY", "501 5.5.4" },
	{ 'm', 0, "RCPT TO:<b@y> NOTIFY=ALWAYS", "501 5.5.4" },
	{ 'm', 0, "RCPT TO:<b@y> ORCPT=b@y", "501 5.5.4" },
	{ 'm', 0, "RCPT TO:<b@y> ORCPT=rfc822;", "501 5.5.4" },
	{ 'm', 0, "RCPT TO:<b@y> ORCPT=;b", "501 5.5.4" },
	{ 'm', 0, "RCPT TO:<b@y> ORCPT=rfc822;b+0D", "501 5.5.4" },
	{ 'm', 0, "RCPT TO:<b@y> ORCPT=rfc822;b ORCPT=rfc822;c",
	  "501 5.5.4" },
	/* the mask 0 */
	{ 'n', VERB_EHLO_ONLY, "BDAT 5", "502 5.5.1" },
	{ 'e', VERB_EHLO_ONLY, "MAIL FROM:<a@x> SIZE=1", "555 5.5.4" },
};

static void refused(const char *name, const struct request *q,
		    const char *want)
{
	char text[40];

	snprintf(text, sizeof text, "%d %s", q->refusal.code,
		 q->refusal.status);
	check_str(name, text, want);
	check(q->refusal.code == 0 || *q->refusal.text, name);
}

static void test_bad(void)
{
	static struct request q;
	struct request_state s;
	size_t i;

	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		s = state_of(bad[i].state, bad[i].mask ? bad[i].mask :
			     VERB_DEFAULT);
		request_parse(&q, bad[i].line, strlen(bad[i].line), &s);
		refused(bad[i].line, &q, bad[i].want);
	}
	s = state_of('n', VERB_NONE);
	request_parse(&q, "EHLO x", 6, &s);
	refused("EHLO under the mask 0", &q, "502 5.5.1");
	request_parse(&q, "HELO x", 6, &s);
	refused("HELO under the mask 0", &q, "0 ");
	request_parse(&q, "NOOP\0x", 6, &s);
	refused("NUL", &q, "500 5.5.2");
}

/* The octets of a chunk come whatever is said of it. */
static void test_refused_chunks(void)
{
	static const struct {
		char state;
		uint64_t mask;
		const char *line;
	} rows[] = {
		{ 'n', VERB_DEFAULT, "BDAT 17" },
		{ 't', VERB_DEFAULT, "BDAT 17 LAST" },
		{ 'r', NO(VERB_CHUNKING), "BDAT 17 LAST" },
		{ 'r', VERB_DEFAULT, "BDAT 17 FIRST" },
		{ 'm', VERB_NONE, "BDAT 17" },
	};
	static struct request q;
	struct request_state s;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		s = state_of(rows[i].state, rows[i].mask);
		request_parse(&q, rows[i].line, strlen(rows[i].line), &s);
		check(q.refusal.code >= 500, rows[i].line);
		check_int(rows[i].line, (long long)q.chunk, 17);
	}
}

/* ---- limits ------------------------------------------------------------------------- */

static const struct {
	const char *name, *begin;
	size_t n;		/* of 'x' behind it */
	const char *end, *want;
} limits[] = {
	{ "a line that just fits", "NOOP ", SMTPD_LINE_MAX - 5, "", "0 " },
	{ "a line too long", "NOOP ", SMTPD_LINE_MAX - 4, "", "500 5.5.2" },
	{ "the longest address", "MAIL FROM:<", ADDRESS_MAX - 2, "@x>", "0 " },
	{ "an address too long", "MAIL FROM:<", ADDRESS_MAX - 1, "@x>",
	  "501 5.1.7" },
	{ "a label too long", "MAIL FROM:<a@", 64, ">", "501 5.1.7" },
	{ "the longest ENVID", "MAIL FROM:<a@x> ENVID=", 100, "", "0 " },
	{ "an ENVID too long", "MAIL FROM:<a@x> ENVID=", 101, "",
	  "501 5.5.4" },
	{ "a route of one long name", "MAIL FROM:<@", 1900, ":a@x>",
	  "501 5.1.7" },
};

static void test_limits(void)
{
	struct request_state s = state_of('e', VERB_DEFAULT);
	static struct request q;
	struct buf b;
	size_t i, k;

	buf_init(&b, 10000);
	for (i = 0; i < sizeof limits / sizeof *limits; i++) {
		buf_clear(&b);
		buf_puts(&b, limits[i].begin);
		for (k = 0; k < limits[i].n; k++)
			buf_putc(&b, 'x');
		buf_puts(&b, limits[i].end);
		request_parse(&q, buf_data(&b), buf_len(&b), &s);
		refused(limits[i].name, &q, limits[i].want);
	}
	buf_free(&b);
	s.max_size = 0;
	request_parse(&q, "MAIL FROM:<a@x> SIZE=99999999999", 32, &s);
	refused("SIZE without a limit", &q, "0 ");
}

/* What is not built is not offered, whatever the mask says. */
static void test_offers(void)
{
	check(!(request_offers(UINT64_MAX) &
		(VERB_TURN | VERB_BINARYMIME | VERB_SMTPUTF8)), "not built");
	check(request_offers(UINT64_MAX) == request_offers(VERB_DEFAULT),
	      "the default is all");
	check(request_offers(VERB_NONE) == 0, "nothing for 0");
	check(request_offers(VERB_EHLO_ONLY) == 0, "nothing for none");
}

int main(void)
{
	test_good();
	test_bad();
	test_refused_chunks();
	test_limits();
	test_offers();
	return check_done("request");
}
