/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Runs the transcripts of tests/esmtp (or of the directory in argv[1]): files
 * named after one behaviour, *.smtp.  Each is a dialogue as a postmaster would
 * write it down; tests/esmtp/README says how to write one.
 *
 *	setup	mask WORDS, helo, no-bdat, name HOST, stay, give N, together,
 *		tls may|must|on, user NAME, password WORD, token WORD,
 *		nonce WORD, host HOST PORT, auth-allowed WORDS, auth-in-clear
 *	mail	mail <a@x> [8BIT] [RET=..] [ENVID=..], rcpt <b@y> [NOTIFY=..]
 *		[ORCPT=..], rcpt-many N, text LINE, text-raw BYTES, fill N
 *	server	S: LINE, S*N: LINE, S-lf: LINE, S-raw: BYTES, S-early: LINE,
 *		S-close, timeout [SECONDS], secured
 *	client	C: LINE, C-octets N, C-many A B, limit SECONDS
 *	result	= b@y CODE STATUS [mail|rcpt|message], = many A B CODE STATUS,
 *		= open b@y, = closed CODE STATUS [TEXT], = ready, = body,
 *		= secure, = offers WORDS, = size N, = shown LINE, ! FLAGS
 *
 * Groups.  C: lines that stand together must all be in the output before the
 * server says another word: a client that waits in between fails.  When an
 * S: line is reached, nothing else may be there: a client that ran ahead
 * fails.  So what may be grouped is said by where the lines stand.
 *
 * Every transcript runs twice: all S: lines up to the next other line in one
 * piece and the message in large ones; then every octet by itself.  Both runs
 * must meet the transcript, and tell their caller the same.  Where it matters
 * that words came in one piece the transcript says "together": then the octets
 * are still handed in one by one, but as parts of one input.
 */
#include "esmtp.h"
#include "config.h"
#include "lib/util.h"
#include "tests/check.h"
#include "tests/transcript.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

/* ---- one run ------------------------------------------------------------ */

struct run {
	struct script *s;
	struct esmtp *e;
	bool bytewise;
	size_t next;		/* the next mail to begin */
	bool quit;
	unsigned line;		/* where we are */
	char wrong[2048];	/* the first thing that was */
	struct buf journal;	/* all that the caller was told */
	bool closed_said;
	char flags[80];
	char shown[2000];	/* the last line of ours in the trace */
	struct buf secrets;	/* what was not shown of them, NULs between */
};

static void wrong(struct run *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void wrong(struct run *r, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (r->wrong[0])
		return;
	n = snprintf(r->wrong, sizeof r->wrong, "%s line %u%s: ", r->s->file,
		     r->line, r->bytewise ? " (by octets)" : "");
	va_start(ap, fmt);
	vsnprintf(r->wrong + n, sizeof r->wrong - (size_t)n, fmt, ap);
	va_end(ap);
}

static const char *to_word(enum reply_to to)
{
	static const char *const words[] = { "host", "mail", "rcpt", "message",
					     "domain" };

	return words[to];
}

static void settled(void *ctx, size_t i, const struct reply *reply)
{
	struct run *r = ctx;
	struct mail *m = &r->s->mails[r->next - 1];
	char shown[REPLY_TEXT + 32];

	if (i >= m->m.nrcpt || m->fate[i].settled) {
		wrong(r, "recipient %zu settled twice, or out of range", i);
		return;
	}
	m->fate[i].settled = true;
	m->fate[i].reply = *reply;
	buf_printf(&r->journal, "settle %s %s %s\n", m->to[i].addr,
		   to_word(reply->to), reply_print(reply, shown, sizeof shown));
}

static void traced(void *ctx, char dir, const char *line, size_t n)
{
	struct run *r = ctx;

	if (dir != '-')
		buf_printf(&r->journal, "%c %.*s\n", dir, (int)n, line);
	if (dir == '>')
		snprintf(r->shown, sizeof r->shown, "%.*s", (int)n, line);
}

/* What the caller of esmtp does of itself, as far as it goes. */
static void turn(struct run *r)
{
	for (;;) {
		enum esmtp_phase phase = esmtp_phase(r->e);
		struct mail *m = r->next ? &r->s->mails[r->next - 1] : NULL;
		uint64_t at, n;

		if (phase == ESMTP_READY && r->next < r->s->nmails) {
			/* Counted first: it may settle at once. */
			m = &r->s->mails[r->next++];
			esmtp_begin(r->e, &m->m);
			continue;
		}
		if (phase == ESMTP_READY && !r->s->stay) {
			r->quit = true;
			esmtp_quit(r->e);
		}
		if (phase != ESMTP_BODY || !m)
			return;
		at = esmtp_body_at(r->e);
		n = m->m.size - at;
		if (at >= r->s->give ||
		    buf_len(esmtp_output(r->e)) >= OUT_HIGH_WATER)
			return;
		if (n > r->s->give - at)
			n = r->s->give - at;
		if (n > IO_CHUNK)
			n = IO_CHUNK;
		if (r->bytewise)
			n = m->m.size > IO_CHUNK ? (n < 997 ? n : 997) : 1;
		esmtp_body(r->e, buf_data(&m->text) + at, (size_t)n);
	}
}

/* ---- expectations ------------------------------------------------------- */

static void expect_bytes(struct run *r, const char *want, size_t n)
{
	struct buf *out = esmtp_output(r->e);
	char got[200];
	size_t len = buf_len(out);

	if (len < n || (n && memcmp(buf_data(out), want, n) != 0)) {
		printable(got, sizeof got, len ? buf_data(out) : "",
			  len < 180 ? len : 180);
		wrong(r, "want \"%.*s\", got \"%s\"", (int)(n - 2), want, got);
		return;
	}
	buf_drop(out, n);
	turn(r);
}

static void expect_line(struct run *r, const char *line)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	unescape(&b, line);
	/* What the trace hides stands behind the last blank. */
	if (strstr(r->shown, "(hidden)")) {
		line = strrchr(buf_str(&b), ' ');
		buf_puts(&r->secrets, line ? line + 1 : buf_str(&b));
		buf_putc(&r->secrets, '\0');
	}
	buf_puts(&b, "\r\n");
	expect_bytes(r, buf_data(&b), buf_len(&b));
	buf_free(&b);
}

/* Octets of message, whatever they are; more come as these leave. */
static void expect_octets(struct run *r, uint64_t n)
{
	struct buf *out = esmtp_output(r->e);
	size_t take;

	while (n > 0) {
		take = buf_len(out) < n ? buf_len(out) : (size_t)n;
		if (take == 0) {
			wrong(r, "want %" PRIu64 " octets more, got none", n);
			return;
		}
		buf_drop(out, take);
		n -= take;
		turn(r);
	}
}

static void expect_silence(struct run *r)
{
	struct buf *out = esmtp_output(r->e);
	char got[200];

	if (buf_len(out) == 0)
		return;
	printable(got, sizeof got, buf_data(out),
		  buf_len(out) < 180 ? buf_len(out) : 180);
	wrong(r, "want no more words, got \"%s\"", got);
}

/* The next recipient of that name nobody asked about. */
static struct rcpt *find(struct run *r, const char *addr)
{
	size_t k, i;

	for (k = 0; k < r->s->nmails; k++)
		for (i = 0; i < r->s->mails[k].m.nrcpt; i++)
			if (!r->s->mails[k].fate[i].mentioned &&
			    strcmp(r->s->mails[k].to[i].addr, addr) == 0)
				return &r->s->mails[k].fate[i];
	return NULL;
}

static void expect_reply(struct run *r, const char *what,
			 const struct reply *got, char *want)
{
	const char *code = word(&want), *status = word(&want);
	char shown[REPLY_TEXT + 32];

	if ((int)number(code) != got->code || strcmp(status, got->status) != 0)
		wrong(r, "want %s %s %s, got %s %s", what, code, status,
		      reply_print(got, shown, sizeof shown),
		      to_word(got->to));
}

static void expect_fate(struct run *r, const char *addr, char *want)
{
	struct rcpt *f = find(r, addr);
	char *to = want;

	word(&to);
	if (!f || !f->settled) {
		wrong(r, "want %s settled, got %s", addr,
		      f ? "still open" : "no such recipient");
		return;
	}
	f->mentioned = true;
	want[strlen(want)] = ' ';
	word(&to);
	expect_reply(r, addr, &f->reply, want);
	if (*to && strcmp(to, to_word(f->reply.to)) != 0)
		wrong(r, "want a reply to %s, got one to %s", to,
		      to_word(f->reply.to));
}

static void expect_open(struct run *r, const char *escaped)
{
	char shown[REPLY_TEXT + 32];
	const char *addr;
	struct rcpt *f;
	struct buf b;

	buf_init(&b, 1 << 16);
	unescape(&b, escaped);
	addr = buf_str(&b);
	f = find(r, addr);
	if (!f)
		wrong(r, "want %s open, got no such recipient", addr);
	else if (f->settled)
		wrong(r, "want %s open, got %s", addr,
		      reply_print(&f->reply, shown, sizeof shown));
	else
		f->mentioned = true;
	buf_free(&b);
}

static void expect_closed(struct run *r, char *want)
{
	const struct reply *why = &esmtp_ended(r->e)->why;
	char copy[200];

	r->closed_said = true;
	if (esmtp_phase(r->e) != ESMTP_CLOSED || r->quit) {
		wrong(r, "want the session closed by the server");
		return;
	}
	snprintf(copy, sizeof copy, "%s", want);
	expect_reply(r, "closed", why, copy);
	want += strcspn(want, " ");
	want += strspn(want, " ");
	want += strcspn(want, " ");
	want += strspn(want, " ");
	if (!strstr(why->text, want))
		wrong(r, "want \"%s\", got \"%s\"", want, why->text);
	if (reply_fate(why) != FATE_RETRY)
		wrong(r, "want a reason to try again");
}

static void expect_offers(struct run *r, char *want)
{
	uint64_t mask = 0;
	const struct verb *v;
	const char *w;

	while (*(w = word(&want)))
		for (v = verbs; v->name; v++)
			if (strcmp(v->name, w) == 0)
				mask |= v->bit;
	if (mask != esmtp_offers(r->e))
		wrong(r, "want offers 0x%" PRIx64 ", got 0x%" PRIx64, mask,
		      esmtp_offers(r->e));
}

static void expect_result(struct run *r, char *rest)
{
	char *first = word(&rest), *addr;
	uint64_t i, last;

	if (strcmp(first, "open") == 0) {
		expect_open(r, rest);
	} else if (strcmp(first, "closed") == 0) {
		expect_closed(r, rest);
	} else if (strcmp(first, "ready") == 0) {
		if (esmtp_phase(r->e) != ESMTP_READY)
			wrong(r, "want a session that is ready");
	} else if (strcmp(first, "body") == 0) {
		if (esmtp_phase(r->e) != ESMTP_BODY)
			wrong(r, "want a session that takes text");
	} else if (strcmp(first, "secure") == 0) {
		if (esmtp_phase(r->e) != ESMTP_SECURE ||
		    buf_len(esmtp_output(r->e)))
			wrong(r, "want a session that waits for TLS");
	} else if (strcmp(first, "shown") == 0) {
		if (strcmp(r->shown, rest) != 0)
			wrong(r, "want \"%s\" in the trace, got \"%s\"", rest,
			      r->shown);
	} else if (strcmp(first, "offers") == 0) {
		expect_offers(r, rest);
	} else if (strcmp(first, "size") == 0) {
		if (number(rest) != esmtp_size_limit(r->e))
			wrong(r, "want size %s, got %" PRIu64, rest,
			      esmtp_size_limit(r->e));
	} else if (strcmp(first, "many") == 0) {
		i = number(word(&rest));
		last = number(word(&rest));
		for (; i <= last; i++) {
			char name[40], copy[200];

			snprintf(name, sizeof name, "r%" PRIu64 "@y", i);
			snprintf(copy, sizeof copy, "%s", rest);
			expect_fate(r, name, copy);
		}
	} else {
		addr = first;
		expect_fate(r, addr, rest);
	}
}

/* ---- the steps ---------------------------------------------------------- */

static bool is_server_line(const char *w)
{
	return w[0] == 'S' && strcmp(w, "S-close") != 0;
}

static void server_line(struct buf *b, const struct step *st)
{
	const char *w = st->word;
	size_t n = 1;

	if (w[1] == '*') {
		char *end = strchr(w, ':');

		n = 0;
		for (w += 2; w < end; w++)
			n = n * 10 + (size_t)(*w - '0');
	}
	while (n-- > 0) {
		unescape(b, st->rest);
		if (strcmp(st->word, "S-raw:") == 0)
			continue;
		buf_puts(b, strcmp(st->word, "S-lf:") == 0 ? "\n" : "\r\n");
	}
}

/* All server lines that stand together; returns the step behind them. */
static size_t serve(struct run *r, size_t i)
{
	struct buf b;
	size_t at;

	if (strcmp(r->s->steps[i].word, "S-early:") != 0)
		expect_silence(r);
	buf_init(&b, 1 << 26);
	for (; i < r->s->nsteps && is_server_line(r->s->steps[i].word); i++)
		server_line(&b, &r->s->steps[i]);
	for (at = 0; r->bytewise && at < buf_len(&b); at++) {
		if (r->s->together)
			esmtp_input_part(r->e, buf_data(&b) + at, 1);
		else
			esmtp_input(r->e, buf_data(&b) + at, 1);
	}
	at = r->bytewise ? buf_len(&b) : 0;
	esmtp_input(r->e, buf_data(&b) + at, buf_len(&b) - at);
	buf_free(&b);
	turn(r);
	return i;
}

static void step(struct run *r, const struct step *st)
{
	char rest[9000], *p = rest;
	uint64_t a, b;

	snprintf(rest, sizeof rest, "%s", st->rest);
	if (strcmp(st->word, "C:") == 0) {
		expect_line(r, st->rest);
	} else if (strcmp(st->word, "C-octets") == 0) {
		expect_octets(r, number(rest));
	} else if (strcmp(st->word, "C-many") == 0) {
		a = number(word(&p));
		for (b = number(word(&p)); a <= b && !r->wrong[0]; a++) {
			char line[60];

			snprintf(line, sizeof line, "RCPT TO:<r%" PRIu64 "@y>",
				 a);
			expect_line(r, line);
		}
	} else if (strcmp(st->word, "S-close") == 0) {
		esmtp_lost(r->e, "lost connection");
		turn(r);
	} else if (strcmp(st->word, "secured") == 0) {
		if (esmtp_phase(r->e) != ESMTP_SECURE ||
		    buf_len(esmtp_output(r->e)))
			wrong(r, "the session does not wait for TLS");
		else
			esmtp_secured(r->e);
		turn(r);
	} else if (strcmp(st->word, "limit") == 0 ||
		   strcmp(st->word, "timeout") == 0) {
		if (*rest && number(rest) != esmtp_time_limit(r->e))
			wrong(r, "want the time limit %s, got %u", rest,
			      esmtp_time_limit(r->e));
		if (st->word[0] == 't')
			esmtp_timeout(r->e);
	} else if (strcmp(st->word, "give") == 0) {
		r->s->give = strcmp(rest, "all") == 0 ? UINT64_MAX :
			     number(rest);
		turn(r);
	} else if (strcmp(st->word, "=") == 0) {
		expect_result(r, rest);
	} else if (strcmp(st->word, "!") == 0) {
		snprintf(r->flags, sizeof r->flags, "%.70s ", rest);
	}
}

/* Whatever was said or heard: neither log nor trace has a secret. */
static void check_secrets(struct run *r)
{
	const char *journal = buf_str(&r->journal), *s = buf_str(&r->secrets);
	const char *end = s + buf_len(&r->secrets);

	if (*r->s->identity.password &&
	    strstr(journal, r->s->identity.password))
		wrong(r, "the password is in the trace");
	for (; s < end; s += strlen(s) + 1)
		if (strlen(s) >= 4 && strstr(journal, s))
			wrong(r, "a response is in the trace: %.100s", s);
}

/* What must hold at the end of any transcript. */
static void finish(struct run *r)
{
	const struct esmtp_end *end = esmtp_ended(r->e);
	char got[120], shown[REPLY_TEXT + 32];
	size_t k, i;

	r->line++;
	expect_silence(r);
	for (k = 0; k < r->s->nmails; k++)
		for (i = 0; i < r->s->mails[k].m.nrcpt; i++)
			if (!r->s->mails[k].fate[i].mentioned)
				wrong(r, "nothing is said about %s, who is %s",
				      r->s->mails[k].to[i].addr,
				      r->s->mails[k].fate[i].settled ?
				      "settled" : "open");
	snprintf(got, sizeof got, "%s%s%s%s%s%s",
		 end->at_greeting ? "at_greeting " : "",
		 end->at_ehlo ? "at_ehlo " : "",
		 end->after_bdat ? "after_bdat " : "",
		 end->after_end ? "after_end " : "",
		 end->tls_failed ? "tls_failed " : "",
		 end->tls_refused ? "tls_refused " : "");
	if (strcmp(got, r->flags) != 0)
		wrong(r, "want flags \"%s\", got \"%s\"", r->flags, got);
	if (esmtp_phase(r->e) == ESMTP_CLOSED && !r->quit && !r->closed_said)
		wrong(r, "the session was closed: %s",
		      reply_print(&end->why, shown, sizeof shown));
	if (esmtp_phase(r->e) == ESMTP_WAITING && r->s->nsteps)
		wrong(r, "the session still waits");
	buf_printf(&r->journal, "end %s%s\n", got,
		   reply_print(&end->why, shown, sizeof shown));
}

static void run(struct run *r)
{
	uint64_t give = r->s->give;
	size_t i, k;

	for (k = 0; k < r->s->nmails; k++)
		for (i = 0; i < r->s->mails[k].m.nrcpt; i++)
			r->s->mails[k].fate[i] = (struct rcpt){ 0 };
	r->s->setup.ctx = r;
	r->s->setup.settle = settled;
	r->s->setup.trace = traced;
	buf_init(&r->journal, 1 << 26);
	buf_init(&r->secrets, 1 << 20);
	r->e = esmtp_new(&r->s->setup);
	for (i = 0; i < r->s->nsteps && !r->wrong[0]; ) {
		r->line = r->s->steps[i].line;
		if (is_server_line(r->s->steps[i].word))
			i = serve(r, i);
		else
			step(r, &r->s->steps[i++]);
	}
	if (!r->wrong[0])
		finish(r);
	check_secrets(r);
	buf_free(&r->secrets);
	esmtp_free(r->e);
	r->s->give = give;
}

/* ---- all of them -------------------------------------------------------- */

static void run_file(const char *file)
{
	struct script s = { .file = file };
	struct run whole = { .s = &s }, octets = { .s = &s, .bytewise = true };
	size_t n;
	char *text = read_file(file, 1 << 20, &n);

	if (!check(text != NULL, file))
		return;
	read_script(&s, text, n);
	run(&whole);
	check(!whole.wrong[0], whole.wrong);
	run(&octets);
	check(!octets.wrong[0], octets.wrong);
	if (!whole.wrong[0] && !octets.wrong[0])
		check_bytes(file, buf_str(&octets.journal),
			    buf_len(&octets.journal), buf_str(&whole.journal),
			    buf_len(&whole.journal));
	buf_free(&whole.journal);
	buf_free(&octets.journal);
	free_script(&s);
	free(text);
}

static int is_transcript(const struct dirent *d)
{
	return ends_with_nocase(d->d_name, ".smtp");
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : "tests/esmtp";
	struct dirent **names;
	int i, n = scandir(dir, &names, is_transcript, alphasort);
	char file[1024];

	check(n > 0, dir);
	for (i = 0; i < n; i++) {
		snprintf(file, sizeof file, "%s/%s", dir, names[i]->d_name);
		run_file(file);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return check_done("esmtp");
}
