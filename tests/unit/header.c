/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Tests of lib/header and lib/fixup.  Texts are written with LF, for reading,
 * and turned into CRLF before they are used; results are turned back.
 */
#include "lib/header.h"

#include "config.h"
#include "lib/codec.h"
#include "lib/fixup.h"
#include "tests/check.h"

#include <stdlib.h>

#define COUNT(table) (sizeof (table) / sizeof *(table))

enum { ROOM = 1 << 26 };

/* The bytes of p with CRLF; exactly as many as there are, so that a read
 * behind them is seen. */
static char *with_crlf(const char *p, size_t *n)
{
	size_t len = strlen(p), at = 0;
	char *text = malloc(2 * len + 1), *copy;

	for (size_t i = 0; i < len; i++) {
		if (p[i] == '\n')
			text[at++] = '\r';
		text[at++] = p[i];
	}
	copy = malloc(at ? at : 1);
	memcpy(copy, text, at);
	free(text);
	*n = at;
	return copy;
}

/* The other way, in place; a line end that is not CRLF is a fault. */
static const char *without_crlf(const char *name, struct buf *b)
{
	char *p, *to;
	size_t n = buf_len(b), kept = 0;

	if (!n)
		return "";
	p = to = buf_data(b);
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n')
			check(i > 0 && p[i - 1] == '\r', name);
		if (p[i] == '\r')
			check(i + 1 < n && p[i + 1] == '\n', name);
		else
			to[kept++] = p[i];
	}
	buf_cut(b, kept);
	return buf_str(b);
}

static const struct header_task plain_task = {
	.id = "ID1", .fqdn = "our.test", .domain = "dom.test",
	.sender = "alice@dom.test", .author = "alice@dom.test",
	.full_name = "", .uid = 33, .with = "local", .now = 1795309200, .utc_offset = 3600,
};

#define RECEIVED "Received: (from userid 33)\n" \
	"\tby our.test (mailroot) with local id ID1;\n" \
	"\tSun, 22 Nov 2026 02:00:00 +0100\n"
#define DATE "Date: Sun, 22 Nov 2026 02:00:00 +0100\n"
#define ID "Message-ID: <ID1@our.test>\n"
#define HAVE "From: a@b\nDate: x\nMessage-ID: <m@x>\n"

/* ---- the rewrite --------------------------------------------------------- */

/* want: what stands between our Received and the empty line. */
struct rewrite_case {
	const char *name, *in, *want;
};

#define X10 "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define X500 X100 X100 X100 X100 X100
#define Y11 " yyyyyyyyyy"
#define Y110 Y11 Y11 Y11 Y11 Y11 Y11 Y11 Y11 Y11 Y11
#define Y77 Y11 Y11 Y11 Y11 Y11 Y11 Y11

static const struct rewrite_case rewrite_cases[] = {
	/* what is missing */
	{ "empty", "", "From: alice@dom.test\n" DATE ID },
	{ "all there", HAVE, HAVE },
	{ "no From", "Date: x\nMessage-ID: <m@x>\n",
	  "Date: x\nMessage-ID: <m@x>\nFrom: alice@dom.test\n" },
	{ "no Date", "From: a@b\nMessage-ID: <m@x>\n",
	  "From: a@b\nMessage-ID: <m@x>\n" DATE },
	{ "no Message-ID", "From: a@b\nDate: x\n", "From: a@b\nDate: x\n" ID },
	{ "empty ones", "From:\nDate: \nMessage-ID:\n \nSubject: s\n",
	  "Subject: s\nFrom: alice@dom.test\n" DATE ID },
	{ "empty, then real", "Date:\n" HAVE, HAVE },
	{ "order and case", "x-b: 1\nX-A: 2\n" HAVE "x-b: 3\n",
	  "x-b: 1\nX-A: 2\n" HAVE "x-b: 3\n" },
	{ "names without case", "FROM: a@b\nDATE: x\nmessage-id: <m@x>\n",
	  "FROM: a@b\nDATE: x\nmessage-id: <m@x>\n" },
	{ "blank before the colon", HAVE "Subject : s\n", HAVE "Subject: s\n" },
	{ "no blank behind it", HAVE "Subject:s\n", HAVE "Subject:s\n" },
	{ "mime", HAVE "Content-Type: text/plain\n",
	  HAVE "Content-Type: text/plain\nMIME-Version: 1.0\n" },
	{ "mime there", HAVE "Content-Type: text/plain\nMime-Version: 1.0\n",
	  HAVE "Content-Type: text/plain\nMime-Version: 1.0\n" },
	{ "mime, other field", HAVE "Content-Language: de\n",
	  HAVE "Content-Language: de\nMIME-Version: 1.0\n" },
	/* what is left out */
	{ "From_", "From a@b Thu Jan  1 00:00:00 1970\n" HAVE, HAVE },
	{ ">From_", ">From a@b Thu Jan  1 00:00:00 1970\n" HAVE, HAVE },
	{ "From_ and >From_", "From a x\n>From b y\n" HAVE, HAVE },
	{ "From_ only", "From a@b Thu Jan  1 00:00:00 1970\n",
	  "From: alice@dom.test\n" DATE ID },
	{ "From with a blank", "From : a@b\nDate: x\nMessage-ID: <m@x>\n",
	  HAVE },
	{ "Bcc", "Bcc: x@y\n" HAVE "bcc: z\n", HAVE },
	{ "Bcc with a blank", HAVE "Bcc : x@y\n", HAVE },
	{ "folded Bcc", HAVE "BCC: x@y,\n\tz@w,\n v@u\nSubject: s\n",
	  HAVE "Subject: s\n" },
	{ "empty Bcc", "Bcc:\n" HAVE, HAVE },
	{ "bad Bcc", "Bcc: (x\n" HAVE, HAVE },
	{ "not Bcc", HAVE "X-Bcc: x@y\nBcc2: z\n",
	  HAVE "X-Bcc: x@y\nBcc2: z\n" },
	{ "Return-Path", "Return-Path: <x@y>\n" HAVE, HAVE },
	{ "Content-Length", HAVE "Content-Length: 7\n", HAVE },
	{ "doubles", HAVE "Subject: 1\nFrom: c@d\nDate: y\nMessage-Id: <n@x>\n"
	  "Subject: 2\nReply-To: r@s\nReply-To: t@u\n",
	  HAVE "Subject: 1\nReply-To: r@s\n" },
	{ "doubles, first empty", HAVE "Subject:\nSubject: 2\n",
	  HAVE "Subject: 2\n" },
	{ "empty stays", HAVE "Subject:\nTo: \nX-Y:\n",
	  HAVE "Subject:\nTo: \nX-Y:\n" },
	{ "Received is not doubled", "Received: x\nReceived: y\n" HAVE,
	  "Received: x\nReceived: y\n" HAVE },
	/* joined */
	{ "To To", HAVE "To: a@b\nSubject: s\nTo: c@d\n",
	  HAVE "To: a@b,\n c@d\nSubject: s\n" },
	{ "three To", HAVE "To: a@b\nTo: c@d\nto: e@f\n",
	  HAVE "To: a@b,\n c@d,\n e@f\n" },
	{ "Cc Cc", HAVE "Cc: a@b, \nCc: c@d\n", HAVE "Cc: a@b,\n c@d\n" },
	{ "To, first empty", HAVE "To:\nTo: c@d\n", HAVE "To: c@d\n" },
	{ "To, second empty", HAVE "To: c@d\nTo: \n", HAVE "To: c@d\n" },
	{ "To and Cc", HAVE "To: a@b\nCc: c@d\n", HAVE "To: a@b\nCc: c@d\n" },
	/* qualified */
	{ "cron", "From: root (Cron Daemon)\nTo: alice\n"
	  "Date: x\nMessage-ID: <m@x>\n",
	  "From: root@dom.test (Cron Daemon)\nTo: alice@dom.test\n"
	  "Date: x\nMessage-ID: <m@x>\n" },
	{ "lists", HAVE "To: a, B <b>, c@d, \"x y\" (z), <e>\n",
	  HAVE "To: a@dom.test, B <b@dom.test>, c@d, \"x y\"@dom.test (z), "
	  "<e@dom.test>\n" },
	{ "folded list", HAVE "Cc: a,\n b ,\n\tc\n",
	  HAVE "Cc: a@dom.test,\n b@dom.test ,\n\tc@dom.test\n" },
	{ "others", HAVE "Reply-To: r\nSender: s\nResent-From: f\n"
	  "Resent-Date: d\nResent-Message-ID: <i@j>\nErrors-To: e\n",
	  HAVE "Reply-To: r@dom.test\nSender: s@dom.test\n"
	  "Resent-From: f@dom.test\nResent-Date: d\n"
	  "Resent-Message-ID: <i@j>\nErrors-To: e\n" },
	{ "group", HAVE "To: G: a, b@c;, undisclosed:;\n",
	  HAVE "To: G: a@dom.test, b@c;, undisclosed:;\n" },
	{ "null", HAVE "Sender: <>\n", HAVE "Sender: <>\n" },
	{ "bad syntax stays", HAVE "Reply-To: (x a, b\nTo: John Smith, c\n"
	  "Cc: <a, b\nSender: a\"\n",
	  HAVE "Reply-To: (x a, b\nTo: John Smith, c\n"
	  "Cc: <a, b\nSender: a\"\n" },
	{ "joined and qualified", HAVE "To: a\nTo: b\n",
	  HAVE "To: a@dom.test,\n b@dom.test\n" },
	/* octets above 127 */
	{ "subject", HAVE "Subject: Gr\303\274n\n",
	  HAVE "Subject: =?utf-8?Q?Gr=C3=BCn?=\n" },
	{ "words", HAVE "Subject: a Gr\303\274n b c \303\274 d\n",
	  HAVE "Subject: a =?utf-8?Q?Gr=C3=BCn?= b c =?utf-8?Q?=C3=BC?= d\n" },
	{ "neighbours", HAVE "Subject: a Gr\303\274n Gr\303\274n b\n",
	  HAVE "Subject: a =?utf-8?Q?Gr=C3=BCn_Gr=C3=BCn?= b\n" },
	{ "folded neighbours", HAVE "Subject: Gr\303\274n\n Gr\303\274n\n b\n",
	  HAVE "Subject: =?utf-8?Q?Gr=C3=BCn_Gr=C3=BCn?=\n b\n" },
	{ "latin 1", HAVE "Subject: Gr\374n\n",
	  HAVE "Subject: =?iso-8859-1?Q?Gr=FCn?=\n" },
	{ "unknown field", HAVE "X-Y: Gr\303\274n x\n",
	  HAVE "X-Y: =?utf-8?Q?Gr=C3=BCn?= x\n" },
	{ "late on the line", HAVE
	  "Subject: xxxxxxxxxx xxxxxxxxxx xxxxxxxxxx xxxxxxxxxx Gr\303\274n\n",
	  HAVE "Subject: xxxxxxxxxx xxxxxxxxxx xxxxxxxxxx xxxxxxxxxx\n"
	  " =?utf-8?Q?Gr=C3=BCn?=\n" },
	{ "phrase", HAVE "To: J\303\266rg B. <a@b>, K\303\266 <c@d>\n",
	  HAVE "To: =?utf-8?Q?J=C3=B6rg?= B. <a@b>, =?utf-8?Q?K=C3=B6?= "
	  "<c@d>\n" },
	{ "phrase, neighbours", HAVE "To: J\303\266rg M\303\274ller <a>\n",
	  HAVE "To: =?utf-8?Q?J=C3=B6rg_M=C3=BCller?= <a@dom.test>\n" },
	{ "phrase without a blank", HAVE "To: J\303\266rg<a@b>\n",
	  HAVE "To: =?utf-8?Q?J=C3=B6rg?= <a@b>\n" },
	{ "quoted", HAVE "To: \"M\303\274ller, J\\\"org\" <a@b>\n",
	  HAVE "To: =?utf-8?Q?M=C3=BCller=2C_J=22org?= <a@b>\n" },
	{ "quoted ascii", HAVE "To: \"M, J\" X\303\266 <a@b>\n",
	  HAVE "To: \"M, J\" =?utf-8?Q?X=C3=B6?= <a@b>\n" },
	{ "quoted, beside an atom", HAVE "To: x\"\303\266\" <a@b>\n",
	  HAVE "To: x =?utf-8?Q?=C3=B6?= <a@b>\n" },
	{ "no blanks at commas", HAVE "To: a@b,\303\266<c@d>;\303\266<e@f>\n",
	  HAVE "To: a@b,=?utf-8?Q?=C3=B6?= <c@d>;=?utf-8?Q?=C3=B6?= "
	  "<e@f>\n" },
	{ "comment", HAVE "To: a (J\303\266rg x), b@c\n",
	  HAVE "To: a@dom.test (=?utf-8?Q?J=C3=B6rg?= x), b@c\n" },
	{ "nested comment", HAVE "To: a@b (x (J\303\266rg) y)\n",
	  HAVE "To: a@b (x (=?utf-8?Q?J=C3=B6rg?=) y)\n" },
	{ "comment with pairs", HAVE "To: a@b (x\\) J\303\266rg)\n",
	  HAVE "To: a@b (=?utf-8?Q?x=29_J=C3=B6rg?=)\n" },
	{ "group name", HAVE "To: K\303\266ln: a, b;\n",
	  HAVE "To: =?utf-8?Q?K=C3=B6ln?=: a@dom.test, b@dom.test;\n" },
	{ "bad syntax", HAVE "Reply-To: K\303\266ln x, \"\303\266\n",
	  HAVE "Reply-To: =?utf-8?Q?K=C3=B6ln?= x, =?utf-8?Q?=C3=B6?=\n" },
	{ "bad comment", HAVE "Reply-To: (K\303\266ln\n",
	  HAVE "Reply-To: (=?utf-8?Q?K=C3=B6ln?=\n" },
	{ "address is left", HAVE "Reply-To: J\303\266 <\303\274@x>\n",
	  HAVE "Reply-To: =?utf-8?Q?J=C3=B6?= <\303\274@x>\n" },
	{ "parameter", HAVE "MIME-Version: 1.0\n"
	  "Content-Disposition: attachment; filename=\"\303\274 x.pdf\"; a=b\n",
	  HAVE "MIME-Version: 1.0\nContent-Disposition: attachment; "
	  "filename*=utf-8''%C3%BC%20x.pdf; a=b\n" },
	{ "parameter, token", HAVE "MIME-Version: 1.0\n"
	  "Content-Type: text/plain;\n charset=utf-8;\n name = \374.txt\n",
	  HAVE "MIME-Version: 1.0\nContent-Type: text/plain;\n charset=utf-8;"
	  "\n name*=iso-8859-1''%FC.txt\n" },
	{ "parameter, semicolon", HAVE "MIME-Version: 1.0\n"
	  "Content-Type: a/b; name=\"\303\274;\\\"x\"; c=\";\"\n",
	  HAVE "MIME-Version: 1.0\n"
	  "Content-Type: a/b; name*=utf-8''%C3%BC%3B%22x; c=\";\"\n" },
	{ "long parameter", HAVE "MIME-Version: 1.0\nContent-Type: a/b; name="
	  X10 X10 X10 X10 X10 "\303\274" X10 "\n",
	  HAVE "MIME-Version: 1.0\nContent-Type: a/b; name*0*=utf-8''"
	  X10 X10 X10 X10 X10 "%C3;\n name*1*=%BC" X10 "\n" },
	/* folding */
	{ "998", HAVE "X-Y: " X500 X100 X100 X100 X100 X10 X10 X10 X10 X10
	  X10 X10 X10 X10 "xxx\n", HAVE "X-Y: " X500 X100 X100 X100 X100 X10
	  X10 X10 X10 X10 X10 X10 X10 X10 "xxx\n" },
	{ "blanks", HAVE "X-Y:" Y77 Y77 Y77 Y77 Y77 Y77 Y77 Y77 Y77 Y77 Y77 Y77
	  Y77 "\n", HAVE "X-Y:" Y11 Y11 Y11 Y11 Y11 Y11
	  "\n" Y77 "\n" Y77 "\n" Y77 "\n" Y77 "\n" Y77 "\n" Y77 "\n" Y77 "\n"
	  Y77 "\n" Y77 "\n" Y77 "\n" Y77 "\n" Y77 "\n" Y11 "\n" },
	{ "a long word", HAVE "X-Y: a " X500 X100 X100 X100 X100 Y110
	  "\n", HAVE "X-Y: a\n " X500 X100 X100 X100 X100 "\n" Y77 "\n" Y11
	  Y11 Y11 "\n" },
	{ "commas", HAVE "X-Y: " X500 "," X500 "," X10 "\n",
	  HAVE "X-Y:\n " X500 ",\n " X500 ",\n " X10 "\n" },
	{ "comma in quotes", HAVE "To: \"" X500 "," X10 "\",\"" X500
	  "\"@x\n", HAVE "To:\n \"" X500 "," X10 "\"@dom.test,\n \"" X500
	  "\"@x\n" },
	{ "only the long line", HAVE "X-Y: a,b\n " X500 "," X500 "\n c,d\n",
	  HAVE "X-Y: a,b\n " X500 ",\n " X500 "\n c,d\n" },
	{ "blanks at the end", HAVE "X-Y: x" Y110 Y110 Y110 Y110 Y110 Y110
	  Y110 Y110 Y77 Y11 Y11 "                    \n",
	  HAVE "X-Y: x" Y11 Y11 Y11 Y11 Y11
	  Y11 "\n" Y77 "\n" Y77 "\n" Y77 "\n" Y77 "\n" Y77 "\n" Y77 "\n" Y77
	  "\n" Y77 "\n" Y77 "\n" Y77 "\n" Y77 "\n"
	  Y11 Y11 Y11 Y11 Y11 Y11 "\n" },
	/* resent */
	{ "resent", HAVE "Resent-To: r\n", HAVE "Resent-To: r@dom.test\n"
	  "Resent-Date: Sun, 22 Nov 2026 02:00:00 +0100\n"
	  "Resent-Message-ID: <ID1@our.test>\n" },
	{ "resent, no id at all", "From: a@b\nDate: x\nResent-To: r@s\n",
	  "From: a@b\nDate: x\nResent-To: r@s\n" ID
	  "Resent-Date: Sun, 22 Nov 2026 02:00:00 +0100\n"
	  "Resent-Message-ID: <ID1.r@our.test>\n" },
	{ "resent twice", HAVE "Resent-To: a@b\nResent-Date: d\n"
	  "Resent-Message-ID: <i@j>\nResent-To: c@d\nResent-Date: e\n",
	  HAVE "Resent-To: a@b\nResent-Date: d\n"
	  "Resent-Message-ID: <i@j>\nResent-To: c@d\nResent-Date: e\n" },
	{ "Resent-Bcc", HAVE "Resent-Bcc: a@b,\n c@d\nResent-Date: d\n"
	  "Resent-Message-ID: <i@j>\n",
	  HAVE "Resent-Date: d\nResent-Message-ID: <i@j>\n" },
};

/* One rewrite; the caller frees facts->to. */
static int rewrite(const char *in, const struct header_task *task,
		   struct header_facts *facts, struct buf *out, char *error)
{
	size_t n;
	char *text = with_crlf(in, &n);
	int status;

	buf_clear(out);
	memset(error, 0, 200);
	status = header_rewrite(text, n, task, facts, out, error);
	free(text);
	return status;
}

static void test_rewrite(struct buf *out)
{
	size_t count = COUNT(rewrite_cases);
	char error[200], want[8192];

	for (size_t i = 0; i < count; i++) {
		const struct rewrite_case *c = &rewrite_cases[i];
		struct header_facts facts;

		check_int(c->name, rewrite(c->in, &plain_task, &facts, out,
					   error), 0);
		check_str(c->name, error, "");
		snprintf(want, sizeof want, "%s%s\n", RECEIVED, c->want);
		check_str(c->name, without_crlf(c->name, out), want);
		check_int(c->name, (long long)facts.to.n, 0);
		addr_list_free(&facts.to);
	}
}

/* What is legal once stays as it is: a rewrite of a rewrite adds a Received
 * and nothing else. */
static void test_twice(struct buf *out)
{
	size_t count = COUNT(rewrite_cases);
	char error[200], want[8192];

	for (size_t i = 0; i < count; i++) {
		struct header_facts facts;
		char *first;

		rewrite(rewrite_cases[i].in, &plain_task, &facts, out, error);
		without_crlf("twice", out);
		buf_cut(out, buf_len(out) - 1);
		first = strdup(buf_str(out));
		rewrite(first, &plain_task, &facts, out, error);
		snprintf(want, sizeof want, "%s%s\n", RECEIVED, first);
		check_str(rewrite_cases[i].name, without_crlf("twice", out),
			  want);
		free(first);
	}
}

/* ---- From ---------------------------------------------------------------- */

static const struct {
	const char *author, *sender, *full, *want;
} from_cases[] = {
	{ "a@b", "s@t", "", "From: a@b\n" },
	{ "a@b", "s@t", "Alice Smith", "From: Alice Smith <a@b>\n" },
	{ "a@b", "", "Smith, A.", "From: \"Smith, A.\" <a@b>\n" },
	{ "a@b", "", "J\303\266rg", "From: =?utf-8?Q?J=C3=B6rg?= <a@b>\n" },
	{ "a@b", "", "x\r\nBcc: y", "From: \"x  Bcc: y\" <a@b>\n" },
	{ "", "s@t", "", "From: s@t\n" },
	{ "", "", "", "From: MAILER-DAEMON@dom.test\n" },
	{ "a", "", "A", "From: A <a@dom.test>\n" },
};

static void test_from(struct buf *out)
{
	char error[200], want[500];

	for (size_t i = 0; i < COUNT(from_cases); i++) {
		struct header_task task = plain_task;
		struct header_facts facts;

		task.author = from_cases[i].author;
		task.sender = from_cases[i].sender;
		task.full_name = from_cases[i].full;
		check_int(from_cases[i].want,
			  rewrite("", &task, &facts, out, error), 0);
		snprintf(want, sizeof want, "%s%s%s\n", RECEIVED,
			 from_cases[i].want, DATE ID);
		check_str(from_cases[i].full, without_crlf("from", out), want);
	}
}

/* ---- -t ------------------------------------------------------------------ */

static const struct {
	const char *name, *in, *want;	/* addresses; or "!", the error */
} recipient_cases[] = {
	{ "none", HAVE, "" },
	{ "all", "To: a@b\nCc: C <c@d>\nBcc: e\n" HAVE, "a@b c@d e " },
	{ "empty To", "To:\nCc: \nBcc:\n \n" HAVE, "" },
	{ "empty group", "To: undisclosed-recipients:;\nBcc: a@b\n" HAVE,
	  "a@b " },
	{ "several", "To: a@b\nTo: c@d\nBcc: e@f,\n\tg@h\nBcc: i@j\n" HAVE,
	  "a@b c@d e@f g@h i@j " },
	{ "not deduped", "To: a@b, a@b\n" HAVE, "a@b a@b " },
	{ "null", "To: <>, a@b, <>\n" HAVE, "a@b " },
	{ "quoted", "To: \"a, b\"@c\n" HAVE, "\"a, b\"@c " },
	{ "no others", "Reply-To: a@b\nSender: c@d\nX-To: e@f\n" HAVE, "" },
	{ "resent", "To: a@b\nCc: c@d\nBcc: e@f\nResent-To: g@h\n"
	  "Resent-Cc: i@j\nResent-Bcc: k@l\n" HAVE, "g@h i@j k@l " },
	{ "resent, later", "To: a@b\n" HAVE "Resent-From: c@d\n"
	  "Resent-To: g@h\nResent-To: i@j\n", "g@h i@j " },
	{ "case", "TO: a@b\ncC: c@d\nbcc: e@f\n" HAVE, "a@b c@d e@f " },
	{ "bad To", "To: a@b (x\n" HAVE, "!To field: a ( is not closed" },
	{ "bad Cc", "To: a@b\ncc: John Smith\n" HAVE,
	  "!cc field: words that are no address; is a comma missing?" },
	{ "bad Bcc", "Bcc: <a@b\n" HAVE, "!Bcc field: a < is not closed" },
	{ "bad second To", "To: a@b\nTo: @\n" HAVE,
	  "!To field: nothing before the @" },
	{ "bad Reply-To", "To: a@b\nReply-To: (x\n" HAVE, "a@b " },
	{ "bad To, resent", "To: (a@b\nResent-To: c@d\n" HAVE, "c@d " },
	{ "control", "To: a\001@b\n" HAVE,
	  "!To field: a control character in an address" },
};

static void test_recipients(struct buf *out)
{
	size_t count = COUNT(recipient_cases);
	char error[200], got[500];

	for (size_t i = 0; i < count; i++) {
		struct header_task task = plain_task;
		struct header_facts facts;
		size_t at = 0;
		int status;

		task.want_recipients = true;
		status = rewrite(recipient_cases[i].in, &task, &facts, out,
				 error);
		check_int(recipient_cases[i].name, status,
			  recipient_cases[i].want[0] == '!' ? 65 : 0);
		got[0] = '\0';
		if (status)
			snprintf(got, sizeof got, "!%s", error);
		else for (size_t k = 0; k < facts.to.n; k++)
			at += (size_t)snprintf(got + at, sizeof got - at,
					       "%s ", facts.to.found[k].addr);
		check_str(recipient_cases[i].name, got,
			  recipient_cases[i].want);
		if (!status)
			check(!strstr(without_crlf("-t", out), "cc: e@f\n"),
			      recipient_cases[i].name);
		addr_list_free(&facts.to);
	}
}

/* ---- facts and refusals -------------------------------------------------- */

static const struct {
	const char *name, *in, *id;
	unsigned hops;
	bool type;
} fact_cases[] = {
	{ "none", "", "<ID1@our.test>", 0, false },
	{ "id", HAVE, "<m@x>", 0, false },
	{ "folded id", "Message-ID:\n <a@b>\n", "<a@b>", 0, false },
	{ "second id", "Message-ID: <a@b>\nMessage-ID: <c@d>\n", "<a@b>",
	  0, false },
	{ "unprintable id", "Message-ID: <a b\001c@\303\274>\n",
	  "<a?b?c@?\?>", 0, false },
	{ "hops", "Received: a\nRECEIVED: b;\n c\nX-Received: d\n" HAVE,
	  "<m@x>", 2, false },
	{ "type", "Content-Type: text/plain\n" HAVE, "<m@x>", 0, true },
	{ "version", "mime-version: 1.0\n" HAVE, "<m@x>", 0, true },
	{ "encoding", "Content-Transfer-Encoding: 8bit\n" HAVE, "<m@x>", 0,
	  false },
};

static void test_facts(struct buf *out)
{
	char error[200];

	for (size_t i = 0; i < COUNT(fact_cases); i++) {
		struct header_facts facts;

		check_int(fact_cases[i].name, rewrite(fact_cases[i].in,
			  &plain_task, &facts, out, error), 0);
		check_str(fact_cases[i].name, facts.message_id,
			  fact_cases[i].id);
		check_int(fact_cases[i].name, facts.hops, fact_cases[i].hops);
		check_int(fact_cases[i].name, facts.eight_bit_type,
			  fact_cases[i].type);
	}
}

#define LONG "a line over 998 octets cannot be folded"

static const struct rewrite_case refusal_cases[] = {
	{ "one word", HAVE "X-Y: " X500 X500 "\n", "X-Y field: " LONG },
	{ "quoted commas", HAVE "X-Y: \"" X500 "," X500 "\"\n",
	  "X-Y field: " LONG },
	{ "references", "References: <" X500 X500 "@x>\n" HAVE,
	  "References field: " LONG },
	{ "a long name", X500 X500 ": x\n", X10 X10 X10 X10 X10 X10 " field: "
	  LONG },
};

static void test_refusals(struct buf *out)
{
	size_t count = COUNT(refusal_cases);
	struct header_facts facts;
	char error[200];
	struct buf tiny;

	for (size_t i = 0; i < count; i++) {
		check_int(refusal_cases[i].name, rewrite(refusal_cases[i].in,
			  &plain_task, &facts, out, error), 65);
		check_str(refusal_cases[i].name, error, refusal_cases[i].want);
	}
	for (size_t room = 0; room < 300; room += 7) {
		int status;

		buf_init(&tiny, room);
		status = rewrite(HAVE "To: x\nTo: y\nSubject: \303\274\n",
				 &plain_task, &facts, &tiny, error);
		check_int("out is full", status, 70 * tiny.failed);
		check(error[0] || !status, "out is full");
		buf_free(&tiny);
	}
	check_int("no field", rewrite("a b\n", &plain_task, &facts, out,
				      error), 70);
	/* People read it, so an encoded word will do. */
	check_int("long subject", rewrite("Subject: " X500 X500 "\n",
		  &plain_task, &facts, out, error), 0);
	check(strstr(buf_str(out), "Subject: =?utf-8?Q?xxx") != NULL,
	      "long subject");
}

/* ---- walking ------------------------------------------------------------- */

/* want: name=value| for each field, then the kind of end and what is left. */
static const struct rewrite_case walk_cases[] = {
	{ "nothing", "", "END:" },
	{ "one", "A: b\n", "A=b|END:" },
	{ "body", "A: b\n\nbody", "A=b|END:body" },
	{ "folded", "A: b\n c\n\td  \nE:f\n", "A=b c\td|E=f|END:" },
	{ "no end", "A: b", "A=b|END:" },
	{ "no end, folded", "A: b\n c", "A=b c|END:" },
	{ "not", "A: b\nbody x\n", "A=b|NOT:body x\n" },
	{ "not, first", "body\n", "NOT:body\n" },
	{ "blank first", " A: b\n", "NOT: A: b\n" },
	{ "no name", ": b\n", "NOT:: b\n" },
	{ "blank name", "A b: c\n", "NOT:A b: c\n" },
	{ "8 bit name", "\303\274: c\n", "NOT:\303\274: c\n" },
	{ "blank before the colon", "A \t: b\n", "A=b|END:" },
	{ "empty value", "A:\nB:\n\n", "A=|B=|END:" },
	{ "blank line", "A: b\n \nC: d\n", "A=b |C=d|END:" },
	{ "empty first", "\nA: b\n", "END:A: b\n" },
	{ "colons", "A: b: c\n", "A=b: c|END:" },
};

static void test_walk(struct buf *out)
{
	for (size_t i = 0; i < COUNT(walk_cases); i++) {
		const struct rewrite_case *t = &walk_cases[i];
		enum field_kind kind;
		struct field f;
		size_t n;
		char *text = with_crlf(t->in, &n);
		struct cursor c = cursor_on(text, n);

		buf_clear(out);
		while ((kind = header_next(&c, &f)) == FIELD_OK) {
			check(f.raw == f.name && f.raw + f.raw_len == c.p,
			      t->name);
			buf_put(out, f.name, f.name_len);
			buf_putc(out, '=');
			field_value(&f, out);
			buf_putc(out, '|');
		}
		buf_puts(out, kind == FIELD_END ? "END:" : "NOT:");
		buf_put(out, c.p, cursor_left(&c));
		/* A value that ends in a line of blanks keeps its blanks only
		 * where the case says so. */
		if (strcmp(t->name, "blank line") == 0)
			check(strncmp(buf_str(out), "A=b|C=d|", 8) == 0,
			      t->name);
		else
			check_str(t->name, without_crlf(t->name, out), t->want);
		free(text);
	}
}

/* ---- how far the header reaches ------------------------------------------ */

static const struct {
	const char *name, *in;
	const char *header;	/* what it is; with '\n' as in "in" */
	bool separated, none;
	size_t known_at;	/* octets of "in" from which on it is known
				 * before the end, 0: never */
} extent_cases[] = {
	{ "nothing", "", "", false, true, 0 },
	{ "usual", "A: b\n\nbody\n", "A: b\n\n", true, false, 8 },
	{ "empty first", "\nbody\n", "\n", true, false, 2 },
	{ "no body", "A: b\n", "A: b\n", false, false, 0 },
	{ "no end", "A: b", "A: b", false, false, 0 },
	{ "no empty line", "A: b\nbody text\n", "A: b\n", false, false, 12 },
	{ "one word", "A: b\nbody\nx\n", "A: b\n", false, false, 11 },
	{ "body only", "body text\n", "", false, true, 6 },
	{ "blank first", " A: b\n", "", false, true, 2 },
	{ "8 bit", "\303\274\n", "", false, true, 1 },
	{ "From_", "From a b\nA: b\n\nx\n", "From a b\nA: b\n\n", true, false,
	  18 },
	{ "From_ only", "From a b\nbody text\n", "From a b\n", false, false,
	  16 },
	{ "folded", "A: b\n c\n\nx\n", "A: b\n c\n\n", true, false, 12 },
	{ "blank line", "A: b\n \nC: d\n\nx", "A: b\n \nC: d\n\n", true, false,
	  17 },
};

static void test_extent(void)
{
	for (size_t i = 0; i < COUNT(extent_cases); i++) {
		const char *name = extent_cases[i].name;
		size_t n, want, known = 0, got;
		char *text = with_crlf(extent_cases[i].in, &n);
		bool separated, none;

		free(with_crlf(extent_cases[i].header, &want));
		got = header_extent(text, n, true, &separated, &none);
		check_int(name, (long long)got, (long long)want);
		check_int(name, separated, extent_cases[i].separated);
		check_int(name, none, extent_cases[i].none);
		/* Before the end the answer is "more", or the right one. */
		for (size_t k = 0; k <= n; k++) {
			char *part = malloc(k ? k : 1);

			memcpy(part, text, k);
			got = header_extent(part, k, false, &separated, &none);
			free(part);
			if (got == 0 && !none)
				continue;
			known = known ? known : k;
			check_int(name, (long long)got, (long long)want);
			check_int(name, none, extent_cases[i].none);
			check_int(name, separated, extent_cases[i].separated);
		}
		check_int(name, (long long)known,
			  (long long)extent_cases[i].known_at);
		free(text);
	}
}

/* ---- dates --------------------------------------------------------------- */

static const struct { long long t; long offset; const char *want; }
date_cases[] = {
	{ 0, 0, "Thu, 1 Jan 1970 00:00:00 +0000" },
	{ 1795309200, 3600, "Sun, 22 Nov 2026 02:00:00 +0100" },
	{ 1795309200, -12600, "Sat, 21 Nov 2026 21:30:00 -0330" },
	{ 951782400, 20700, "Tue, 29 Feb 2000 05:45:00 +0545" },
	{ 1704067199, 0, "Sun, 31 Dec 2023 23:59:59 +0000" },
	{ -1, 0, "Wed, 31 Dec 1969 23:59:59 +0000" },
	{ 4102444800, 50400, "Fri, 1 Jan 2100 14:00:00 +1400" },
};

static void test_dates(void)
{
	char got[40];

	for (size_t i = 0; i < COUNT(date_cases); i++) {
		header_date(got, (time_t)date_cases[i].t,
			    date_cases[i].offset);
		check_str(date_cases[i].want, got, date_cases[i].want);
	}
}

/* ---- size ---------------------------------------------------------------- */

/* A header of a MiB made of one thing, in every role that looks at its text:
 * no line over 998 octets, no time that grows with the square. */
static void test_size(struct buf *out)
{
	static const char *const starts[] = {
		"To: ", "Subject: ", "X-Y: ", "Content-Type: a/b; ", "Bcc: ",
	};
	static const char *const units[] = {
		"alice@example.com,", "a,", "\303\274 ", "\"\303\274\" ", "(",
		"(\303\274", "\"", "\\", "; x=\303\274", "<>,", "a:", "=?,",
		"J\303\266 <a@b>, ", "\r\n ", "\r\nTo: x,", "\r\nA:", " ",
		"\r\n x \303\274 ", "<@a,",
	};
	char *text = malloc(HEADER_MAX), error[200];

	for (size_t i = 0; i < 5 * (COUNT(units)); i++) {
		struct header_task task = plain_task;
		struct header_facts facts;
		const char *unit = units[i / 5], *line;
		size_t at = strlen(starts[i % 5]), n = strlen(unit);
		clock_t begin = clock();
		struct cursor c;
		int status;

		task.want_recipients = true;
		memcpy(text, starts[i % 5], at);
		for (; at + n + 2 <= HEADER_MAX; at += n)
			memcpy(text + at, unit, n);
		memcpy(text + at, "\r\n", 2);
		buf_clear(out);
		status = header_rewrite(text, at + 2, &task, &facts, out,
					error);
		check(!out->failed, unit);
		check(status == 0 || status == 65, unit);
		check((clock() - begin) / CLOCKS_PER_SEC < 3, unit);
		c = cursor_on(buf_str(out), buf_len(out));
		while (cursor_line(&c, &line, &at))
			if (at > 998 && !check(false, unit))
				break;
		addr_list_free(&facts.to);
	}
	free(text);
}

int main(void)
{
	struct buf out;

	buf_init(&out, ROOM);
	test_rewrite(&out);
	test_twice(&out);
	test_from(&out);
	test_recipients(&out);
	test_facts(&out);
	test_refusals(&out);
	test_walk(&out);
	test_extent();
	test_dates();
	test_size(&out);
	buf_free(&out);
	return check_done("header");
}
