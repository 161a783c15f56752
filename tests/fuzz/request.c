/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Fuzz target: what a client of -bs may send, lib/request and lib/dotted.
 *
 * The first octet chooses what the session has come to, the second the mask;
 * the rest is one line, and once more the text behind DATA.
 *
 * Judged: the contract of request.h.  What is accepted fits into an envelope
 * line and comes out of it again as it was, and the parser of addresses that
 * reads everything else reads the same in it; a refusal is one of those in the
 * list, in printable words.  Of a text: cut anywhere it is the same, and what
 * goes out of it over SMTP has one end, whoever reads it.
 *
 *	clang -fsanitize=fuzzer,address,undefined ...
 *	cc -DSTANDALONE ...; ./a.out [files]	runs these (none: the lines of
 *						tests/smtpd), then random lines
 *						(fixed seeds): what make check
 *						does, tests/unit/fuzzrequest.c
 */
#include "lib/request.h"
#include "lib/addr.h"
#include "lib/codec.h"
#include "lib/dotted.h"
#include "lib/envelope.h"
#include "lib/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void judge(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "request broke its word: %s\n", what);
	abort();
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* ---- one line -------------------------------------------------------------------- */

static void judge_refusal(const struct request *q)
{
	static const int codes[] = { 421, 500, 501, 502, 503, 552, 553, 555 };
	const struct reply *r = &q->refusal;
	bool known = false;
	size_t i;

	for (i = 0; i < sizeof codes / sizeof *codes; i++)
		known |= r->code == codes[i];
	judge(known, "a code that is not in the list");
	judge(r->status[0] == '0' + r->code / 100, "status without its code");
	judge(*r->text != '\0', "no words");
	for (i = 0; r->text[i]; i++)
		judge(r->text[i] >= ' ' && r->text[i] < 127, "odd words");
}

/* Out to an envelope and back. */
static void judge_envelope(const struct request *q)
{
	struct recipient rcpt = { .addr = "b@y" };
	struct envelope e = { .sender = "a@x", .nrcpt = 1, .rcpt = &rcpt },
			back = { 0 };
	bool mail = q->command->verb == REQUEST_MAIL;
	struct buf b;

	if (mail) {
		e.sender = q->address;
		e.ret = q->ret;
		e.envid = q->envid;
	} else {
		rcpt.addr = q->address;
		rcpt.notify = q->notify;
		rcpt.orcpt = q->orcpt;
	}
	buf_init(&b, 100000);
	judge(envelope_print(&e, &b) && envelope_parse(&back, xstrndup(
		buf_str(&b), buf_len(&b)), buf_len(&b)), "no envelope");
	judge(back.nrcpt == 1 && same(back.sender, e.sender) &&
	      same(back.ret, e.ret) && same(back.envid, e.envid) &&
	      same(back.rcpt->addr, rcpt.addr) &&
	      same(back.rcpt->notify, rcpt.notify) &&
	      same(back.rcpt->orcpt, rcpt.orcpt), "another envelope");
	envelope_free(&back);
	buf_free(&b);
}

static void judge_address(const struct request *q)
{
	bool mail = q->command->verb == REQUEST_MAIL;
	struct addr_list list = { 0 };
	char path[SMTPD_LINE_MAX + 3];

	judge(!addr_check(q->address, true, mail), "no address");
	snprintf(path, sizeof path, "<%s>", q->address);
	judge(!addr_list_parse(&list, path, strlen(path)), "not in a list");
	judge(list.n == 1 && same(list.found[0].addr, q->address),
	      "another address in a list");
	addr_list_free(&list);
	judge_envelope(q);
}

static void judge_request(const struct request *q,
			  const struct request_state *s)
{
	enum request_verb verb = q->command->verb;
	uint64_t offers = request_offers(s->mask);

	judge(verb != REQUEST_UNBUILT, "not built");
	judge(!q->command->offer || (q->command->offer & offers &&
				     s->extended), "not offered");
	judge(verb != REQUEST_EHLO || s->mask, "EHLO under 0");
	judge(!(s->chunks && (verb == REQUEST_MAIL || verb == REQUEST_RCPT ||
			      verb == REQUEST_DATA || verb == REQUEST_ETRN)),
	      "between chunks");
	judge(verb == REQUEST_DATA || verb == REQUEST_BDAT ? s->nrcpt > 0 :
	      verb == REQUEST_RCPT ? s->mail :
	      verb == REQUEST_MAIL || verb == REQUEST_ETRN ? !s->mail : true,
	      "out of order");
	judge((!q->ret && !q->envid && !q->notify && !q->orcpt) ||
	      (s->extended && offers & VERB_DSN), "DSN not offered");
	if (verb == REQUEST_MAIL || verb == REQUEST_RCPT)
		judge_address(q);
}

static void try_line(const char *p, size_t n, const struct request_state *s)
{
	static struct request q;

	request_parse(&q, p, n, s);
	if (q.refusal.code)
		judge_refusal(&q);
	else
		judge_request(&q, s);
}

/* ---- one text ------------------------------------------------------------------- */

/* In pieces of at most so many octets; the octets it took. */
static size_t take(struct buf *out, const char *p, size_t n, size_t piece,
		   bool bare, bool *ended)
{
	struct dotted d = { .bare = bare };
	size_t used, at = 0, part;
	char dst[7];

	while (at < n && !d.ended) {
		part = n - at < piece ? n - at : piece;
		buf_put(out, dst, dotted_take(&d, p + at, part, &used, dst,
					      sizeof dst));
		at += used;
	}
	*ended = d.ended;
	return at;
}

/* As message_read and a session would pass it on. */
static void judge_outgoing(const struct buf *text)
{
	struct intake in = { .dots = false };
	struct buf legal, wire;
	bool bol = true;
	size_t i;

	buf_init(&legal, 1 << 22);
	buf_init(&wire, 1 << 22);
	intake_feed(&in, buf_data(text), buf_len(text), &legal);
	intake_end(&in, &legal);
	stuff_dots(&bol, buf_data(&legal), buf_len(&legal), &wire);
	for (i = 0; i < buf_len(&wire); i++) {
		const char *c = buf_data(&wire) + i;

		judge(*c != '\n' || (i > 0 && c[-1] == '\r'), "a bare LF");
		judge(*c != '\r' || (i + 1 < buf_len(&wire) && c[1] == '\n'),
		      "a bare CR");
		judge(*c != '.' || (i > 0 && c[-1] != '\n') ||
		      c[1] == '.', "an end inside");
		if (*c == '.')
			i++;
	}
	buf_free(&legal);
	buf_free(&wire);
}

static void try_text(const char *p, size_t n, bool bare)
{
	bool ended, again;
	struct buf a, b;
	size_t at;

	buf_init(&a, 1 << 22);
	buf_init(&b, 1 << 22);
	at = take(&a, p, n, n, bare, &ended);
	judge(take(&b, p, n, 1, bare, &again) == at && ended == again &&
	      buf_len(&a) == buf_len(&b) &&
	      memcmp(buf_data(&a), buf_data(&b), buf_len(&a)) == 0,
	      "octets one by one make a difference");
	if (ended && !bare)
		judge(at >= 3 && memcmp(p + at - 3, ".\r\n", 3) == 0 &&
		      (at == 3 || (at >= 5 &&
				   memcmp(p + at - 5, "\r\n", 2) == 0)),
		      "an end that is none");
	judge(ended || at == n, "it stopped before the end");
	judge_outgoing(&a);
	buf_free(&a);
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint64_t masks[] = { VERB_DEFAULT, VERB_NONE,
		VERB_EHLO_ONLY, VERB_DEFAULT & ~VERB_DSN,
		VERB_DEFAULT & ~VERB_CHUNKING, UINT64_MAX, VERB_DSN, 7 };
	struct request_state s = { 0 };

	if (n < 2 || n > 1 << 20)
		return 0;
	s.mask = masks[data[1] % 8];
	s.extended = data[0] & 1;
	s.mail = data[0] & 2;
	s.nrcpt = s.mail && data[0] & 4;
	s.chunks = s.nrcpt && data[0] & 8;
	s.max_size = data[0] & 16 ? 1000 : 0;
	try_line((const char *)data + 2, n - 2, &s);
	try_text((const char *)data + 2, n - 2, false);
	try_text((const char *)data + 2, n - 2, true);
	return 0;
}

#ifdef STANDALONE
#include "tests/fuzz/driver.h"
static uint64_t state;

/* Any generator will do that is the same everywhere. */
static unsigned pick(unsigned n)
{
	state = state * UINT64_C(6364136223846793005) +
		UINT64_C(1442695040888963407);
	return (unsigned)(state >> 33) % n;
}

/* A line that is nearly one: words of the grammar, some of them spoilt. */
static void random_line(struct buf *b, uint64_t seed)
{
	static const char *const words[] = {
		"MAIL", "RCPT", "BDAT", "DATA", "HELO", "EHLO", "ETRN", "NOOP",
		" ", " ", " ", "FROM:", "TO:", "<", ">", "<>", "<a@x.test>",
		"\"", "\\", "@", "@a,@b:", "@[1.2.3.4]:", "a", "b.c", "..",
		"[IPv6:::1]", "SIZE=", "5", "99999999999999999999", "BODY=",
		"8BITMIME", "RET=", "FULL", "ENVID=", "x+20", "+0A", "NOTIFY=",
		"NEVER", "SUCCESS", ",", "ORCPT=", "rfc822;", "LAST", "\t",
		"\r", "\n", "\r\n", ".", "\r\n.\r\n", "\xc3\xbc", "=", "(",
		"\x7f", ";", "%", "'", "- ",
	};
	static const char *const begins[] = {
		"MAIL FROM:<", "RCPT TO:<", "MAIL FROM:<a@x> ",
		"RCPT TO:<b@y> ", "BDAT ", "", "", "\r\n.",
	};
	unsigned n;

	state = seed;
	buf_putc(b, (char)pick(32));
	buf_putc(b, (char)pick(8));
	buf_puts(b, begins[pick(8)]);
	for (n = pick(12); n > 0; n--)
		buf_puts(b, words[pick(sizeof words / sizeof *words)]);
	if (pick(4) == 0)
		buf_puts(b, ">");
	if (pick(200) == 0)
		for (n = pick(3000); n > 0; n--)
			buf_putc(b, (char)pick(256));
}

/* Each line a client says in a dialogue, in every state. */
static void run_file(const char *name)
{
	struct cursor c;
	struct buf b;
	size_t n, len;
	unsigned where;
	const char *line;
	char *p = read_file(name, 1 << 20, &n);

	if (!p)
		die(EXIT_IOERR, "%s: cannot be read", name);
	buf_init(&b, 1 << 20);
	c = cursor_on(p, n);
	while (cursor_line(&c, &line, &len)) {
		if (len < 3 || memcmp(line, "C: ", 3) != 0)
			continue;
		for (where = 0; where < 256; where++) {
			buf_clear(&b);
			buf_putc(&b, (char)(where & 31));
			buf_putc(&b, (char)(where >> 5));
			buf_put(&b, line + 3, len - 3);
			LLVMFuzzerTestOneInput((uint8_t *)buf_data(&b),
					       buf_len(&b));
		}
	}
	buf_free(&b);
	free(p);
}

int main(int argc, char **argv)
{
	static const struct driver d = {
		.name = "request", .corpus = "tests/smtpd", .seeds = 300000,
		.file = run_file, .make = random_line,
		.try = LLVMFuzzerTestOneInput,
	};

	return driver_run(&d, argc, argv);
}
#endif
