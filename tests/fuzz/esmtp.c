/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * A hostile server against the dialogue.  The input is read like a transcript
 * of tests/esmtp, so those are the corpus: "S: LINE", "S-raw: BYTES",
 * "S-close" and "timeout" are what the server does, "C" lines are moments at
 * which the output leaves (octets at most if a number follows "C-octets"),
 * "8", "d", "h", "m" and "k" choose the setup, "tls ..." and "user" what is
 * asked of TLS and AUTH.  Whatever else is a moment at which the caller acts.
 *
 * Judged: the contract of esmtp.h.  Nobody is settled twice, or out of turn;
 * nobody is delivered without three replies of 2xx since the transaction was
 * begun, or refused by words that were never said; the reason for an end is
 * one to try again; the output has a ceiling and is lines with ends of ours;
 * where TLS or AUTH must be no MAIL is said without, and no password is shown;
 * and the same octets one by one lead to the same end, if what stood together
 * is handed in as one input.  (Apart it may be another, but as good a one.)
 *
 *	clang -fsanitize=fuzzer,address,undefined ...
 *	cc -DSTANDALONE ...; ./a.out [files]	runs these (none: tests/esmtp),
 *						then a bounded random server
 *						(fixed seeds): what make check
 *						does, tests/unit/fuzzesmtp.c
 */
#include "esmtp.h"
#include "config.h"
#include "lib/util.h"
#include "out/sasl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define NRCPT 3
#define NMAIL 3

enum way { WHOLE, PARTS, APART };

struct world {
	struct esmtp *e;
	enum way way;
	bool tls, auth, must, identity;	/* had, and wanted */
	struct buf piece;	/* what stands together */
	unsigned begun;		/* transactions */
	bool settled[NRCPT];
	bool over;
	unsigned yes;		/* 2xx lines fed since the begin */
	bool said[600];		/* codes the server ever began a line with */
	char start[3];		/* of the line that is being fed */
	unsigned column;
	uint64_t size;
	struct buf journal;
};

static void judge(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "esmtp broke its word: %s\n", what);
	abort();
}

static bool begins(const char *p, size_t n, const char *with)
{
	return n >= strlen(with) && memcmp(p, with, strlen(with)) == 0;
}

static void on_settle(void *ctx, size_t i, const struct reply *r)
{
	struct world *w = ctx;

	judge(w->begun > 0 && i < NRCPT && !w->settled[i], "settled twice");
	w->settled[i] = true;
	judge(r->code >= 200 && r->code < 600 && r->code / 100 != 3, "class");
	judge(r->status[0] == '0' + r->code / 100, "status without its code");
	judge(r->to != REPLY_TO_HOST && r->to != REPLY_TO_DOMAIN, "to");
	judge(r->local || w->said[r->code], "words never said");
	if (reply_fate(r) == FATE_DELIVERED)
		judge(!r->local && r->to == REPLY_TO_MESSAGE && w->yes >= 3,
		      "delivered without three yeses");
	if (reply_fate(r) == FATE_FAILED)
		judge(!r->local, "bounced by ourselves");
	buf_printf(&w->journal, "%u %zu %d %s %d\n", w->begun, i, r->code,
		   r->status, r->to);
}

static void on_trace(void *ctx, char dir, const char *line, size_t n)
{
	struct world *w = ctx;
	size_t i;

	for (i = 0; i < n; i++)
		judge((unsigned char)line[i] >= ' ', "a control in the trace");
	if (dir != '-')
		buf_printf(&w->journal, "%c%.*s\n", dir, (int)n, line);
	if (dir != '>')
		return;
	w->auth |= begins(line, n, "AUTH ");
	if (begins(line, n, "MAIL")) {
		judge(!w->must || w->tls, "MAIL in clear");
		judge(!w->identity || w->auth, "MAIL without AUTH");
	}
	judge(!memmem(line, n, "c2VzYW1l", 8) && !memmem(line, n, "sesame", 6),
	      "a secret in the trace");
}

static const char text[] =
	"Subject: x\r\n\r\n.\r\n..\r\nQUIT\r\nMAIL FROM:<e@vil>\r\n";

/* What the caller does of itself. */
static void act(struct world *w)
{
	static const struct esmtp_rcpt to[NRCPT] = {
		{ "b@y", "NEVER", NULL }, { "c@z", NULL, NULL },
		{ "\"d d\"@z", NULL, "rfc822;d@z" },
	};
	struct esmtp_mail m = { .sender = "a@x", .size = w->size,
				.nrcpt = NRCPT, .ret = "HDRS", .rcpt = to };
	uint64_t at, n;
	size_t i;

	for (;;) {
		enum esmtp_phase phase = esmtp_phase(w->e);

		for (i = 0; phase == ESMTP_READY && w->begun && i < NRCPT; i++)
			judge(w->settled[i], "ready with somebody open");
		if (phase == ESMTP_SECURE) {
			judge(buf_len(esmtp_output(w->e)) == 0,
			      "words that had not left before TLS");
			w->tls = true;
			esmtp_secured(w->e);
			continue;
		}
		if (phase == ESMTP_READY && w->begun < NMAIL) {
			memset(w->settled, 0, sizeof w->settled);
			w->begun++;
			w->yes = 0;
			m.eight_bit = w->begun == 2 && w->size % 2;
			if (w->begun == 3)
				m.size = 0;
			esmtp_begin(w->e, &m);
			continue;
		}
		if (phase == ESMTP_READY) {
			esmtp_quit(w->e);
			w->over = true;
		}
		if (phase != ESMTP_BODY ||
		    buf_len(esmtp_output(w->e)) >= OUT_HIGH_WATER)
			return;
		at = esmtp_body_at(w->e);
		judge(at < w->size, "text behind its end");
		n = sizeof text - 1 - at % (sizeof text - 1);
		if (n > w->size - at)
			n = w->size - at;
		if (w->way != WHOLE)
			n = 1;
		esmtp_body(w->e, text + at % (sizeof text - 1), (size_t)n);
	}
}

/* What the server says is noted before it is heard. */
static void feed(struct world *w, const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (w->column < 3)
			w->start[w->column] = p[i];
		if (++w->column == 3 && w->start[0] >= '2' &&
		    w->start[0] <= '5' && w->start[1] >= '0' &&
		    w->start[1] <= '9' && w->start[2] >= '0' &&
		    w->start[2] <= '9') {
			w->said[(w->start[0] - '0') * 100 +
				(w->start[1] - '0') * 10 +
				w->start[2] - '0'] = true;
			w->yes += w->start[0] == '2';
		}
		if (p[i] == '\n')
			w->column = 0;
	}
	for (i = 0; w->way == APART && i < n; i++)
		esmtp_input(w->e, p + i, 1);
	for (i = 0; w->way == PARTS && i < n; i++)
		esmtp_input_part(w->e, p + i, 1);
	i = w->way == WHOLE ? 0 : n;
	esmtp_input(w->e, p + i, n - i);
}

static void check_output(struct world *w)
{
	size_t n = buf_len(esmtp_output(w->e));

	judge(n <= OUT_HIGH_WATER + 4 * IO_CHUNK +
	      PIPELINE_MAX * (2 * ADDRESS_MAX + 1024), "output without end");
	judge(esmtp_phase(w->e) != ESMTP_CLOSED || n == 0 || w->over,
	      "something to say after the end");
	(void)esmtp_time_limit(w->e);
}

/* One line of the input. */
static void step(struct world *w, const char *p, size_t n)
{
	struct buf *out = esmtp_output(w->e);

	if (begins(p, n, "S-raw: ")) {
		buf_put(&w->piece, p + 7, n - 7);
		return;
	}
	if (begins(p, n, "S: ")) {
		buf_put(&w->piece, p + 3, n - 3);
		buf_puts(&w->piece, "\r\n");
		return;		/* the next S: stands in the same piece */
	}
	feed(w, buf_data(&w->piece), buf_len(&w->piece));
	buf_clear(&w->piece);
	if (begins(p, n, "S-close")) {
		esmtp_lost(w->e, "lost connection");
	} else if (begins(p, n, "timeout")) {
		esmtp_timeout(w->e);
	} else if (begins(p, n, "C-octets")) {
		buf_drop(out, n);
	} else if (begins(p, n, "C")) {
		act(w);
		buf_clear(out);
	} else {
		act(w);
	}
	check_output(w);
}

static void describe(struct world *w, struct esmtp_setup *setup, struct cursor c)
{
	static const struct sasl_identity identity = {
		"tim", "sesame-sesame-sesame", "mx.y", 25, "abcdef", false };
	const char *line;
	size_t n;

	while (cursor_line(&c, &line, &n)) {
		if (begins(line, n, "tls on"))
			setup->tls_on = w->tls = true;
		else if (begins(line, n, "tls m"))
			setup->tls = begins(line, n, "tls must") ?
				     ESMTP_TLS_MUST : ESMTP_TLS_MAY;
		else if (begins(line, n, "user"))
			setup->identity = &identity;
		else if (begins(line, n, "auth-in-clear"))
			setup->auth_in_clear = true;
	}
	w->must = setup->tls == ESMTP_TLS_MUST;
	w->identity = setup->identity;
}

static void run(struct world *w, const char *data, size_t n)
{
	struct esmtp_setup setup = { .name = "client.test", .settle = on_settle,
				     .trace = on_trace, .ctx = w };
	struct cursor c = cursor_on(data, n);
	const struct esmtp_end *end;
	const char *line;
	size_t len;

	setup.mask = begins(data, n, "m") ? VERB_DEFAULT & ~VERB_CHUNKING :
		     VERB_DEFAULT;
	setup.helo = begins(data, n, "h");
	setup.no_bdat = begins(data, n, "d");
	w->size = begins(data, n, "k") ? BDAT_RIDE_MAX + 9 :
		  begins(data, n, "8") ? 101 : 100;
	describe(w, &setup, c);
	buf_init(&w->journal, 1 << 26);
	buf_init(&w->piece, 1 << 26);
	w->e = esmtp_new(&setup);
	while (cursor_line(&c, &line, &len))
		step(w, line, len);
	step(w, "", 0);
	buf_free(&w->piece);
	end = esmtp_ended(w->e);
	if (esmtp_phase(w->e) == ESMTP_CLOSED) {
		judge(end->why.code != 0 && end->why.to == REPLY_TO_HOST &&
		      reply_fate(&end->why) == FATE_RETRY, "a final end");
		buf_printf(&w->journal, "%d %s %d%d%d%d%d%d\n", end->why.code,
			   end->why.text, end->at_greeting, end->at_ehlo,
			   end->after_bdat, end->after_end, end->tls_failed,
			   end->tls_refused);
	}
	esmtp_free(w->e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct world whole = { .way = WHOLE }, octets = { .way = PARTS };
	struct world apart = { .way = APART };

	run(&whole, (const char *)data, n);
	run(&octets, (const char *)data, n);
	run(&apart, (const char *)data, n);
	judge(buf_len(&whole.journal) == buf_len(&octets.journal) &&
	      strcmp(buf_str(&whole.journal), buf_str(&octets.journal)) == 0,
	      "octets one by one make a difference");
	buf_free(&whole.journal);
	buf_free(&octets.journal);
	buf_free(&apart.journal);
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

/* A server that mostly does what it should, from a fixed seed. */
static void dialogue(struct buf *b, uint64_t seed)
{
	static const char *const setup[] = { "#", "8", "d", "h", "m", "k" };
	static const char *const tls[] = { "#", "#", "tls may", "tls must",
					   "tls on" };
	static const char *const secure[] = {
		"220 go", "454 4.7.0 later", "235 ok", "334 ", "334 dXNlcg==",
		"334 cj1hYmNkZWZ4LHM9VzIyWmFKMFNOWTdzb0VzVUVqYjZnUT09LGk9NA==",
		"535 5.7.8 no", "334 dj1y", "220 go", "235 2.7.0 ok",
	};
	static const char *const likely[] = {
		"250 ok", "250 2.1.0 ok", "250 2.1.5 ok", "354 go", "250 ok",
		"550 5.1.1 no", "555 5.5.4 what", "501 no", "503 5.5.1 no",
		"451 4.3.0 later", "502 5.5.1 what", "354 go", "250 ok",
	};
	static const char *const odd[] = {
		"421 4.3.2 bye", "250-", "25", "", "2500 x", "200-a", "354-x",
		"250 ok\r", "530 5.7.0 auth", "150 x", "599 x", "552 5.3.4 big",
	};
	static const char *const offers[] = {
		"PIPELINING", "CHUNKING", "DSN", "8BITMIME", "size 99", "SIZE",
		"STARTTLS", "AUTH PLAIN", "AUTH=LOGIN", "AUTH SCRAM-SHA-256" };
	unsigned i, k, n, round;

	state = seed;
	n = 4 + pick(40);
	buf_printf(b, "%s\n%s\n", setup[pick(6)], tls[pick(5)]);
	if (pick(3) == 0)
		buf_puts(b, pick(2) ? "user\n" : "user\nauth-in-clear\n");
	buf_puts(b, "S: 220 mx.y\nC\n");
	if (pick(12) == 0)
		buf_puts(b, "S: 502 what\nC\nS: 250 mx.y\nC\n");
	for (round = 0; round < 2; round++) {
		buf_puts(b, "S: 250-mx.y\n");
		for (i = 0; i < 10; i++)
			if (pick(4) != 0)
				buf_printf(b, "S: 250-%s\n", offers[i]);
		buf_puts(b, "S: 250 HELP\nC\n");
		for (i = pick(4); i > 0; i--)
			buf_printf(b, "S: %s\nC\n", secure[pick(10)]);
		if (pick(2))
			break;
	}
	for (i = 0; i < n; i++) {
		k = pick(100);
		if (k < 70)
			buf_printf(b, "S: %s\n", likely[pick(13)]);
		else if (k < 72)
			buf_printf(b, "S: %s\n", odd[pick(12)]);
		else if (k < 73)
			buf_puts(b, "S-close\n");
		else if (k < 74)
			buf_puts(b, "C-octets 123\n");
		else if (k < 98)
			buf_puts(b, "C\n");
		else
			buf_printf(b, "S-raw: %.*s\n", (int)pick(6), "250 x");
		/* Mostly in step, else few dialogues come far. */
		if (pick(3) == 0)
			buf_puts(b, "C\n");
	}
}

static void run_file(const char *name)
{
	size_t n;
	char *p = read_file(name, 1 << 20, &n);

	if (!p)
		die(EXIT_IOERR, "%s: cannot be read", name);
	LLVMFuzzerTestOneInput((uint8_t *)p, n);
	free(p);
}

int main(int argc, char **argv)
{
	static const struct driver d = {
		.name = "esmtp", .corpus = "tests/esmtp", .seeds = 20000,
		.file = run_file, .make = dialogue,
		.try = LLVMFuzzerTestOneInput,
	};

	return driver_run(&d, argc, argv);
}
#endif
