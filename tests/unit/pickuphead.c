/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * lib/pickuphead: files as programs leave them, and who sends, who receives
 * and where the message begins.  Each is read whole, with CRLF and with LF;
 * and cut off after each octet, which must be MORE or the same answer.
 */
#include "lib/buf.h"
#include "lib/pickuphead.h"
#include "lib/util.h"
#include "tests/check.h"

#include <stdlib.h>

#define STATUS "x-status: 451 4.7.1 not now   "
#define OURS "x-mailroot: 1 envelope=00000000 message=000000000000\n" \
	"x-created: 2026-11-22T01:00:00Z uid=0000000033 attempts=0003 " \
	"last=20261122T013000Z warned=0\n"
#define WRAPPER OURS "x-sender: <> BODY=8BITMIME ENVID=mailroot-pickup\n" \
	"x-returned: <uid7@client.test> NOTIFY=NEVER\nx-status: no\n"
#define TEXT "Subject: s\n\nbody\n"

/* want: sender, author or -; then of each recipient address, NOTIFY, ORCPT;
 * rest: what follows the block, in LF form. */
static const struct {
	const char *name, *file, *want, *rest;
} good[] = {
	/* ---- the form of IIS */
	{ "IIS", "x-sender: Sender\nx-receiver: bob@far.test\n" TEXT,
	  "Sender|-|bob@far.test", TEXT },
	{ "IIS, two receivers", "x-sender: a@x\nx-receiver: b@y\n"
	  "x-receiver: c\n\nbody\n", "a@x|-|b@y|c", "\nbody\n" },
	{ "receiver first", "x-receiver: b@y\nx-sender: a@x\n" TEXT,
	  "a@x|-|b@y", TEXT },
	{ "capitals, blanks", "X-SENDER:a@x\nX-Receiver \t: \t b@y \t\n" TEXT,
	  "a@x|-|b@y", TEXT },
	{ "angle", "x-sender: <a@x>\nx-receiver: <b@y>\n" TEXT, "a@x|-|b@y",
	  TEXT },
	{ "null sender", "x-sender: <>\nx-receiver: b@y\n" TEXT, "|-|b@y",
	  TEXT },
	{ "empty sender", "x-sender:\nx-receiver: b@y\n" TEXT, "|-|b@y", TEXT },
	{ "the first sender counts", "x-sender: a@x\nx-sender: e@x\n"
	  "x-receiver: b@y\n" TEXT, "a@x|-|b@y", TEXT },
	{ "no sender in it", "x-receiver: b@y\nFrom: A <a@x>\n\nbody\n",
	  "-|a@x|b@y", "From: A <a@x>\n\nbody\n" },
	{ "no receiver in it", "x-sender: a@x\nTo: c@y\n\nbody\n", "a@x|-",
	  "To: c@y\n\nbody\n" },
	{ "a list", "x-sender: a@x\nx-receiver: b@y, C <c@y>\n" TEXT,
	  "a@x|-|b@y|c@y", TEXT },
	{ "no message", "x-sender: a@x\nx-receiver: b@y\n", "a@x|-|b@y", "" },
	{ "no line end", "x-sender: a@x\nx-receiver: b@y", "a@x|-|b@y", "" },
	{ "a mark of Windows", "\xef\xbb\xbfx-sender: a@x\nx-receiver: b@y\n"
	  TEXT, "a@x|-|b@y", TEXT },
	{ "a later block is text", "x-sender: a@x\nx-receiver: b@y\n"
	  "Subject: s\nx-receiver: eve@y\n\nbody\n", "a@x|-|b@y",
	  "Subject: s\nx-receiver: eve@y\n\nbody\n" },
	{ "in the body too", "x-sender: a@x\nx-receiver: b@y\n\n"
	  "x-receiver: eve@y\n", "a@x|-|b@y", "\nx-receiver: eve@y\n" },
	{ "X-Received is Gmail's", "x-sender: a@x\nx-receiver: b@y\n"
	  "X-Received: by 10.1.1.1\n" TEXT, "a@x|-|b@y",
	  "X-Received: by 10.1.1.1\n" TEXT },
	/* ---- our own Drop */
	{ "Drop", "x-sender: a@x\nx-receiver: b@local.test\n"
	  "Return-Path: <a@x>\n" TEXT, "a@x|-|b@local.test",
	  "Return-Path: <a@x>\n" TEXT },
	/* ---- .NET */
	{ ".NET", "X-Sender: \"Alice A\" <a@x>\nX-Receiver: b@y\n"
	  "X-Receiver: \"B, B\" <b2@y>\nMIME-Version: 1.0\nFrom: a@x\n\nb\n",
	  "a@x|-|b@y|b2@y", "MIME-Version: 1.0\nFrom: a@x\n\nb\n" },
	{ ".NET, encoded and folded", "X-Sender: =?utf-8?B?w4RiY2Q=?=\n"
	  " =?utf-8?B?w4RiY2Q=?=\n <a@x>\nX-Receiver:\n =?utf-8?Q?B=3E?=\n"
	  "\t<b@y>\n" TEXT, "a@x|-|b@y", TEXT },
	{ ".NET, raw UTF-8", "X-Sender: \"\xc3\x84\" <a@x>\nX-Receiver: "
	  "\xc3\x84 <b@y>\n" TEXT, "a@x|-|b@y", TEXT },
	/* ---- Exchange's Replay */
	{ "Replay", "X-Sender: <a@x> BODY=7bit RET=hdrs ENVID=1+2B "
	  "auth=<x>\nX-Receiver: <b@y> notify=never ORcpt=rfc822;b@y\n"
	  "X-CreatedBy: MSExchange15\nX-HeloDomain: h\nX-Source: s\n"
	  "X-SourceIPAddress: 1.2.3.4\nX-ExtendedMessageProps: x\n y\n"
	  "X-EndOfInjectedXHeaders: 1\n" TEXT,
	  "a@x|-|b@y,NEVER,rfc822;b@y;HDRS;1+2B", TEXT },
	{ "Replay, unknown lines", "X-Sender: a@x\nX-New: n\nX-Receiver: b@y\n"
	  "X-Newer: n\nX-EndOfInjectedXHeaders: 1\nX-Mailer: m\n" TEXT,
	  "a@x|-|b@y", "X-Mailer: m\n" TEXT },
	{ "X- fields of the message stay", "x-sender: a@x\nx-receiver: b@y\n"
	  "X-Mailer: m\nX-Source: hoster\n" TEXT, "a@x|-|b@y",
	  "X-Mailer: m\nX-Source: hoster\n" TEXT },
	{ "parameters", "x-sender: a@x\n"
	  "x-receiver: \"B>\" <\"b>\"@y> NOTIFY=Success,delay  ORCPT=rfc822;b\n"
	  "x-receiver: <c@y>\tNOTIFY=FAILURE\n" TEXT,
	  "a@x|-|\"b>\"@y,SUCCESS,DELAY,rfc822;b|c@y,FAILURE", TEXT },
	{ "parameters that are not legal", "x-sender: <a@x> RET=some ENVID=+\n"
	  "x-receiver: <b@y> NOTIFY=NEVER,DELAY ORCPT=b@y X=\n"
	  "x-receiver: <c@y> NOTIFY= ORCPT=rfc822;\n"
	  "x-receiver: <d@y> NOTIFY=DELAY, ORCPT=;d\n" TEXT,
	  "a@x|-|b@y|c@y|d@y", TEXT },
	/* ---- our own */
	{ "Queue", OURS "x-sender: <a@x> BODY=7BIT     RET=FULL ENVID=e\n"
	  "x-receiver: <b@y> NOTIFY=NEVER ORCPT=rfc822;b@y\n" STATUS "\n"
	  "x-received: <c@y>\n" STATUS "\nx-returned: <d@y>\n" STATUS "\n"
	  TEXT, "a@x|-|b@y,NEVER,rfc822;b@y;FULL;e;ours;2 done", TEXT },
	{ "a torn mark waits", OURS "x-sender: <a@x>\nx-receixxd: <b@y>\n"
	  STATUS "\n" TEXT, "a@x|-|b@y;ours", TEXT },
	{ "Badmail: again for those it was returned to", OURS
	  "x-sender: <a@x>\nx-received: <b@y>\n" STATUS "\n"
	  "x-returned: <c@y>\n" STATUS "\n" TEXT, "a@x|-|c@y;ours;2 done",
	  TEXT },
	{ "everybody has it", OURS "x-sender: <a@x>\nx-received: <b@y>\n"
	  STATUS "\nTo: b@y\n\nbody\n", "a@x|-;ours;1 done",
	  "To: b@y\n\nbody\n" },
	{ "null sender of ours", OURS "x-sender: <>\nx-receiver: <b@y>\n"
	  STATUS "\n" TEXT, "|-|b@y;ours", TEXT },
	{ "edited", OURS "x-sender: a@x\nx-receiver: b@y\n" TEXT,
	  "a@x|-|b@y;ours", TEXT },
	{ "ours, and a message that begins with X-Receiver", OURS
	  "x-sender: <a@x>\nx-receiver: <b@y>\n" STATUS "\n"
	  "X-Sender: e@x\n" TEXT, "a@x|-|b@y;ours", "X-Sender: e@x\n" TEXT },
	/* ---- brought back from Badmail */
	{ "a plain file that was refused", WRAPPER "From: a@x\n" TEXT,
	  "-|a@x", "From: a@x\n" TEXT },
	{ "one of IIS that was refused", WRAPPER
	  "x-sender: a@x\nx-receiver: b@y\n" TEXT, "a@x|-|b@y", TEXT },
	{ "one of ours that was refused twice", WRAPPER WRAPPER OURS
	  "x-sender: <a@x>\nx-receiver: <b@y>\n" STATUS "\n" TEXT,
	  "a@x|-|b@y;ours", TEXT },
	{ "nothing behind it", WRAPPER, "-|-", "" },
	/* ---- plain messages */
	{ "plain", "From: Al <al@x>\nTo: b@y\n\nbody\n", "-|al@x",
	  "From: Al <al@x>\nTo: b@y\n\nbody\n" },
	{ "Sender wins", "From: al@x, be@x\nSender: ce@x\n\nbody\n", "-|ce@x",
	  "From: al@x, be@x\nSender: ce@x\n\nbody\n" },
	{ "Sender wins in front too", "Sender: ce@x\nFrom: al@x\n\nbody\n",
	  "-|ce@x", "Sender: ce@x\nFrom: al@x\n\nbody\n" },
	{ "the first author", "From: al@x,\n be@x\n\nbody\n", "-|al@x",
	  "From: al@x,\n be@x\n\nbody\n" },
	{ "the first From", "From: al@x\nFrom: be@x\n\nbody\n", "-|al@x",
	  "From: al@x\nFrom: be@x\n\nbody\n" },
	{ "From nobody", "From: <>\nSender:\n" TEXT, "-|-",
	  "From: <>\nSender:\n" TEXT },
	{ "From a group of none", "From: undisclosed:;\n" TEXT, "-|-",
	  "From: undisclosed:;\n" TEXT },
	{ "one that cannot be read is kept", "From: a@@x\n" TEXT, "-|a@@x",
	  "From: a@@x\n" TEXT },
	{ "no From", TEXT, "-|-", TEXT },
	{ "From in the body", "Subject: s\n\nFrom: al@x\n", "-|-",
	  "Subject: s\n\nFrom: al@x\n" },
	{ "an mbox line", "From bob Mon Jan  1\n>From root\nFrom: al@x\n\nb\n",
	  "-|al@x", "From bob Mon Jan  1\n>From root\nFrom: al@x\n\nb\n" },
	{ "no header", "hello\nworld\n", "-|-", "hello\nworld\n" },
	{ "a block behind a field", "Subject: s\nx-receiver: eve@y\n\nb\n",
	  "-|-", "Subject: s\nx-receiver: eve@y\n\nb\n" },
	{ "a block behind an empty line", "\nx-receiver: eve@y\n\nb\n", "-|-",
	  "\nx-receiver: eve@y\n\nb\n" },
	{ "another X- field first", "X-Mailer: m\nx-receiver: eve@y\n\nb\n",
	  "-|-", "X-Mailer: m\nx-receiver: eve@y\n\nb\n" },
	{ "a word that is none", "x-sender a@x\nx-receiver: eve@y\n", "-|-",
	  "x-sender a@x\nx-receiver: eve@y\n" },
	{ "x-received does not begin one", "x-received: eve@y\n" TEXT, "-|-",
	  "x-received: eve@y\n" TEXT },
	{ "one octet", "x", "-|-", "x" },
};

static const struct {
	const char *name, *file, *want;
} wrong[] = {
	{ "two senders in one", "x-sender: a@x, b@x\n" TEXT,
	  "the x-sender \"a@x, b@x\" is no address: more than one address" },
	{ "no receiver", "x-sender: a@x\nx-receiver:\n" TEXT,
	  "the x-receiver \"\" is no address: it is empty" },
	{ "the null receiver", "x-receiver: <>\n" TEXT,
	  "the x-receiver \"<>\" is no address: it is empty" },
	{ "an address behind one", "x-receiver: <b@y> c@y\n" TEXT, NULL },
	{ "one that does not end", "x-receiver: <b@y\n" TEXT, NULL },
	{ "two at", "x-receiver: b@@y\n" TEXT, NULL },
	{ "behind a good one", "x-receiver: b@y\nX-Receiver: @\n" TEXT, NULL },
	{ "in an envelope of ours", OURS "x-sender: <a@x>\nx-receiver: <\n"
	  STATUS "\n" TEXT, NULL },
	{ "refused too often", WRAPPER WRAPPER WRAPPER WRAPPER WRAPPER WRAPPER
	  WRAPPER WRAPPER WRAPPER WRAPPER TEXT, "it was refused too often" },
};

/* ---- what came out --------------------------------------------------------------- */

static void add(struct buf *b, const char *before, const char *text)
{
	if (text)
		buf_printf(b, "%s%s", before, text);
}

static void print(struct buf *b, const struct pickuphead *h)
{
	size_t i;

	buf_printf(b, "%s|%s", h->sender ? h->sender : "-",
		   h->author ? h->author : "-");
	for (i = 0; i < h->nrcpt; i++) {
		add(b, "|", h->rcpt[i].addr);
		add(b, ",", h->rcpt[i].notify);
		add(b, ",", h->rcpt[i].orcpt);
	}
	add(b, ";", h->ret);
	add(b, ";", h->envid);
	if (h->ours)
		buf_puts(b, ";ours");
	if (h->done)
		buf_printf(b, ";%zu done", h->done);
}

/* On the heap and without a NUL behind it: reading on is seen. */
static enum pickuphead_result parse(struct pickuphead *h, const char *text,
				    size_t n, bool last, char error[256])
{
	char *copy = malloc(n + !n);
	enum pickuphead_result r;

	memcpy(copy, text, n);
	error[0] = '\0';
	r = pickuphead_parse(h, copy, n, last, error);
	free(copy);
	return r;
}

static void crlf(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			buf_putc(b, '\r');
		buf_putc(b, *text);
	}
}

/* ---- the tables -------------------------------------------------------------------- */

static void whole(const char *name, const char *file, const char *want,
		  const char *rest)
{
	struct pickuphead h;
	struct buf got;
	char error[256];
	size_t n = strlen(file), i;

	buf_init(&got, 10000);
	check_int(name, parse(&h, file, n, true, error), PICKUPHEAD_GOOD);
	print(&got, &h);
	check_str(name, buf_str(&got), want);
	check_bytes(name, file + h.text_at, n - h.text_at, rest, strlen(rest));
	check(h.file_at <= h.text_at, name);
	pickuphead_free(&h);
	for (i = 0; i < n; i++) {
		enum pickuphead_result r = parse(&h, file, i, false, error);

		buf_clear(&got);
		print(&got, &h);
		if (r == PICKUPHEAD_GOOD && strcmp(buf_str(&got), want) != 0)
			check_str(name, buf_str(&got), want);
		check(r != PICKUPHEAD_BAD, name);
		pickuphead_free(&h);
	}
	buf_free(&got);
}

static void test_good(void)
{
	struct buf file, rest;
	size_t i;

	buf_init(&file, 100000);
	buf_init(&rest, 100000);
	for (i = 0; i < sizeof good / sizeof *good; i++) {
		whole(good[i].name, good[i].file, good[i].want, good[i].rest);
		buf_clear(&file);
		buf_clear(&rest);
		crlf(&file, good[i].file);
		crlf(&rest, good[i].rest);
		whole(good[i].name, buf_str(&file), good[i].want,
		      buf_str(&rest));
	}
	buf_free(&file);
	buf_free(&rest);
}

static void test_wrong(void)
{
	struct pickuphead h;
	char error[256];
	size_t i;

	for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		check_int(wrong[i].name, parse(&h, wrong[i].file,
					       strlen(wrong[i].file), true,
					       error), PICKUPHEAD_BAD);
		if (wrong[i].want)
			check_str(wrong[i].name, error, wrong[i].want);
		check(strstr(error, "no address: ") || wrong[i].want,
		      wrong[i].name);
		pickuphead_free(&h);
	}
}

/* The envelope that queue.c writes: its own sizes end it, so that a message
 * beginning like one stays text. */
static void test_sizes(void)
{
	struct recipient rcpt[] = { { .addr = "b@y", .notify = "NEVER" },
				    { .addr = "c@y" } };
	struct envelope e = { .uid = 33, .sender = "a@x", .nrcpt = 2,
			      .rcpt = rcpt };
	static const char text[] = "x-receiver: eve@y\r\nx-status: no\r\n\r\n";
	struct pickuphead h;
	char first[ENVELOPE_FIRST_LEN + 1], error[256];
	struct buf b, got;
	size_t n;

	buf_init(&b, 10000);
	buf_init(&got, 10000);
	check(envelope_print(&e, &b), "an envelope");
	n = buf_len(&b);
	envelope_print_first(first, n, sizeof text - 1);
	memcpy(buf_data(&b), first, ENVELOPE_FIRST_LEN);
	buf_puts(&b, text);
	check_int("its sizes", parse(&h, buf_data(&b), buf_len(&b), true,
				     error), PICKUPHEAD_GOOD);
	print(&got, &h);
	check_str("its sizes", buf_str(&got), "a@x|-|b@y,NEVER|c@y;ours");
	check_int("where it ends", (long long)h.text_at, (long long)n);
	pickuphead_free(&h);
	buf_free(&b);
	buf_free(&got);
}

/* Where the file as it was left begins: what is refused again is not wrapped
 * twice. */
static void test_refused(void)
{
	static const char file[] = WRAPPER "x-receiver: b@@y\n" TEXT;
	struct pickuphead h;
	char error[256];

	check_int("refused again", parse(&h, file, sizeof file - 1, true,
					 error), PICKUPHEAD_BAD);
	check_int("the file in it", (long long)h.file_at,
		  (long long)sizeof WRAPPER - 1);
	pickuphead_free(&h);
}

/* ---- hostile ones ---------------------------------------------------------------------- */

static void test_hostile(void)
{
	static const char nul[] = "x-receiver: b@y\0, eve@y\nTo: c\n\nb\n";
	struct pickuphead h;
	struct buf b;
	char error[256];
	size_t i;

	check_int("NUL in a receiver", parse(&h, nul, sizeof nul - 1, true,
					     error), PICKUPHEAD_BAD);
	pickuphead_free(&h);

	buf_init(&b, 32 * 1024 * 1024);
	for (i = 0; i < 4096; i++)
		buf_put(&b, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	check_int("nothing but NUL", parse(&h, buf_data(&b), buf_len(&b), true,
					   error), PICKUPHEAD_GOOD);
	check_int("is a plain message", (long long)h.text_at, 0);
	pickuphead_free(&h);

	buf_clear(&b);
	for (i = 0; i < RECIPIENTS_MAX + 1; i++)
		buf_printf(&b, "x-receiver: b%zu@y\n", i);
	check_int("too many", parse(&h, buf_data(&b), buf_len(&b), true,
				    error), PICKUPHEAD_BAD);
	pickuphead_free(&h);
	buf_cut(&b, buf_len(&b) - strlen("x-receiver: b100000@y\n"));
	check_int("as many as may be", parse(&h, buf_data(&b), buf_len(&b),
					     true, error), PICKUPHEAD_GOOD);
	check_int("are there", (long long)h.nrcpt, RECIPIENTS_MAX);
	pickuphead_free(&h);

	buf_clear(&b);
	buf_puts(&b, "x-receiver: ");
	for (i = 0; i < 1100000; i++)
		buf_putc(&b, '(');
	check_int("a megabyte of one value", parse(&h, buf_data(&b),
						   buf_len(&b), true, error),
		  PICKUPHEAD_BAD);
	pickuphead_free(&h);

	/* A header that does not end is waited for only so long. */
	buf_clear(&b);
	while (buf_len(&b) <= HEADER_MAX)
		buf_puts(&b, "Subject: s\n");
	check_int("a header without end", parse(&h, buf_data(&b), buf_len(&b),
						false, error),
		  PICKUPHEAD_GOOD);
	pickuphead_free(&h);
	buf_free(&b);
}

int main(void)
{
	test_good();
	test_wrong();
	test_sizes();
	test_refused();
	test_hostile();
	return check_done("pickuphead");
}
