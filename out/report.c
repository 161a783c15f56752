/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The text of delivery status reports: see report.h.
 *
 * The one idea: foreign text goes through put_folded and nowhere else.  It is
 * made printable and stands behind a field name or a blank, so that no line
 * we write can be a boundary, end a header, or be too long; only the original
 * can hold the boundary, and is searched for it before the boundary is used.
 *
 * In reading order: lines, the original, words for people, fields for
 * programs, the message around them.
 */
#include "out/report.h"
#include "conf.h"
#include "lib/buf.h"
#include "lib/codec.h"
#include "lib/header.h"
#include "lib/util.h"
#include "out/route.h"

#include <bsd/string.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Lines end before this column where a blank allows it, ... */
#define FOLD_AT 76
/* ... and here where none does (RFC 5322 2.1.1). */
#define BREAK_AT 900
/* An original up to this size is returned whole unless RET says otherwise. */
#define WHOLE_MAX 65536
#define FLUSH_AT 16384
#define BOUNDARY_SIZE 64

/* A report being written. */
struct writer {
	struct message *out, *m;
	struct buf b;
	int err;			/* the first failure; 0 none */
	char boundary[BOUNDARY_SIZE];
	/* the part of the original that is returned */
	off_t from;
	uint64_t size;
	bool whole;
	/* which parts have octets above 127 */
	bool original_8bit, words_8bit;
};

/* ---- lines ----------------------------------------------------------- */

static void flush(struct writer *w)
{
	if (w->b.failed && !w->err)
		w->err = EMSGSIZE;
	if (!w->err && queue_put_text(w->out, buf_data(&w->b),
				      buf_len(&w->b)) != 0)
		w->err = errno;
	buf_clear(&w->b);
}

static void put(struct writer *w, const char *text)
{
	buf_puts(&w->b, text);
	if (buf_len(&w->b) > FLUSH_AT)
		flush(w);
}

/*
 * One line: first, then text folded behind it, then CRLF.  Lines that follow
 * begin with indent, which replaces the blank they were folded at.  ascii:
 * octets above 127 become '?'.
 */
static void put_folded(struct writer *w, const char *first, const char *indent,
		       const char *text, bool ascii)
{
	size_t n = strlen(text), column = strlen(first), word;
	char *clean = xcalloc(n + 1, 1), *s;

	printable(clean, n + 1, text, n);
	for (s = clean; ascii && *s; s++)
		if ((unsigned char)*s > 126)
			*s = '?';
	buf_puts(&w->b, first);
	for (s = clean; *s; s += word) {
		word = 1 + strcspn(s + 1, " ");
		if (column + word > FOLD_AT && *s == ' ') {
			buf_printf(&w->b, "\r\n%s", indent);
			column = strlen(indent);
			s++;
			word--;
		}
		if (word > BREAK_AT) {
			/* No character is split. */
			for (word = BREAK_AT; word > BREAK_AT - 4 &&
			     ((unsigned char)s[word] & 0xc0) == 0x80; word--)
				;
			buf_put(&w->b, s, word);
			buf_printf(&w->b, "\r\n%s", indent);
			column = strlen(indent);
			continue;
		}
		buf_put(&w->b, s, word);
		column += word;
	}
	put(w, "\r\n");
	free(clean);
}

/* A paragraph for people, every line of it behind indent.  Without an indent
 * it must hold no foreign text.  Octets above 127 only where the part is
 * marked so. */
static void say(struct writer *w, const char *indent, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void say(struct writer *w, const char *indent, const char *fmt, ...)
{
	char text[2 * REPLY_TEXT + 2 * ADDRESS_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	put_folded(w, indent, indent, text, !w->words_8bit);
}

static void put_date(struct writer *w, const char *first, time_t t)
{
	char date[40];

	header_date(date, t, 0);
	put_folded(w, first, " ", date, true);
}

/* ---- the original ---------------------------------------------------- */

/* Looks for needle in size octets of the original, from on.  1 found, at *at;
 * 0 not; -1 with errno.  original_8bit is set if there was any on the way. */
static int search(struct writer *w, off_t from, uint64_t size,
		  const char *needle, uint64_t *at)
{
	size_t len = strlen(needle), keep = 0, n;
	char chunk[IO_CHUNK], *hit;
	uint64_t done;

	for (done = 0; done < size; done += n) {
		n = sizeof chunk - keep;
		if (size - done < n)
			n = (size_t)(size - done);
		if (pread_full(w->m->fd, chunk + keep, n,
			       from + (off_t)done) != 0)
			return -1;
		w->original_8bit |= eight_bit(chunk + keep, n);
		hit = memmem(chunk, keep + n, needle, len);
		if (hit) {
			*at = done - keep + (uint64_t)(hit - chunk);
			return 1;
		}
		/* It may stand on both sides of the seam. */
		hit = chunk + keep + n;
		keep = keep + n < len ? keep + n : len - 1;
		memmove(chunk, hit - keep, keep);
	}
	return 0;
}

/* Octets of the original's header, without the empty line.  Submission made
 * it small and ended; of what came another way HEADER_MAX must do. */
static int header_size(struct writer *w, uint64_t *size)
{
	uint64_t max = w->size < HEADER_MAX ? w->size : HEADER_MAX;
	char two[2];
	int found;

	*size = 0;
	if (max >= 2 && pread_full(w->m->fd, two, 2, w->from) != 0)
		return -1;
	if (max < 2 || memcmp(two, "\r\n", 2) == 0)
		return 0;
	found = search(w, w->from, max, "\r\n\r\n", size);
	*size = found == 1 ? *size + 2 : max;
	return found < 0 ? -1 : 0;
}

/* What of it is returned, and a boundary that is not in there. */
static int choose(struct writer *w, bool whole)
{
	char id[QUEUE_ID_LEN + 1];
	uint64_t at;
	unsigned i;
	int found = 1;

	w->from = w->m->text_at;
	w->size = w->m->text_size;
	w->whole = whole;
	if (!whole && header_size(w, &w->size) != 0)
		return -1;
	w->original_8bit = false;
	for (i = 0; found == 1; i++) {
		queueid_derive(id, w->out->id, i, '=');
		snprintf(w->boundary, sizeof w->boundary, "mailroot=_%s", id);
		found = search(w, w->from, w->size, w->boundary, &at);
	}
	return found;
}

static void put_original(struct writer *w)
{
	char chunk[IO_CHUNK];
	uint64_t done;
	size_t n;

	buf_printf(&w->b, "\r\n--%s\r\nContent-Type: %s\r\n"
		   "Content-Transfer-Encoding: %s\r\n\r\n", w->boundary,
		   w->whole ? "message/rfc822" : "text/rfc822-headers",
		   w->original_8bit ? "8bit" : "7bit");
	flush(w);
	for (done = 0; done < w->size && !w->err; done += n) {
		n = sizeof chunk;
		if (w->size - done < n)
			n = (size_t)(w->size - done);
		if (pread_full(w->m->fd, chunk, n,
			       w->from + (off_t)done) != 0 ||
		    queue_put_text(w->out, chunk, n) != 0)
			w->err = errno;
	}
}

/* The Message-ID of the original, "" if none can be found in its first
 * octets or it is nothing to refer to. */
static void find_message_id(const struct writer *w, char *dst, size_t size)
{
	char *text = xcalloc(IO_CHUNK, 1);
	size_t n = w->size < IO_CHUNK ? (size_t)w->size : IO_CHUNK;
	struct cursor c = cursor_on(text, n);
	struct field f;
	struct buf b;

	dst[0] = '\0';
	buf_init(&b, IO_CHUNK);
	if (pread_full(w->m->fd, text, n, w->from) != 0)
		c.end = c.p;
	while (header_next(&c, &f) == FIELD_OK)
		if (field_is(&f, "Message-ID")) {
			field_value(&f, &b);
			printable(dst, size, buf_str(&b), buf_len(&b));
			break;
		}
	n = strlen(dst);
	if (n < 3 || n + 1 == size || dst[0] != '<' || dst[n - 1] != '>' ||
	    strcspn(dst, " ") < n)
		dst[0] = '\0';
	buf_free(&b);
	free(text);
}

/* ---- words for people ------------------------------------------------ */

static void print_span(char *dst, size_t size, time_t seconds)
{
	static const struct { const char *unit; time_t seconds; } units[] = {
		{ "day", 24 * 60 * 60 }, { "hour", 60 * 60 }, { "minute", 60 },
	};
	size_t i = 0;
	time_t n;

	while (i < 2 && seconds < 2 * units[i].seconds)
		i++;
	n = seconds < 0 ? 0 : seconds / units[i].seconds;
	snprintf(dst, size, "%lld %s%s", (long long)n, units[i].unit,
		 n == 1 ? "" : "s");
}

/* "550 5.1.1 no such user": an X.0.0 is often ours, and says nothing. */
static void print_answer(char *dst, size_t size, const struct reply *r)
{
	if (!ends_with_nocase(r->status, ".0.0"))
		reply_print(r, dst, size);
	else
		snprintf(dst, size, "%d %s", r->code, r->text);
}

/* The moment after which this recipient is given up. */
static time_t give_up_at(const struct report *r, const struct bounce_rcpt *b)
{
	struct route route;
	int minutes;

	route_find(&route, r->m->env.rcpt[b->i].addr);
	minutes = route.kind == ROUTE_LOCAL ? route.conf->local_ndr_expire :
		route.conf->ndr_expire;
	return r->m->env.created + 60 * (time_t)minutes;
}

/* What happened to one recipient, in the words of whoever said so. */
static void explain(struct writer *w, const struct report *r,
		    const struct bounce_rcpt *b)
{
	const char *host = *b->host ? b->host : "The server", *in = "    ";
	char answer[REPLY_TEXT + 32], span[32];
	bool said = !b->reply.local && b->reply.code != 0;

	print_answer(answer, sizeof answer, &b->reply);
	print_span(span, sizeof span, r->now - r->m->env.created);
	say(w, "  ", "%s", r->m->env.rcpt[b->i].addr);
	if (r->action == BOUNCE_DELAYED)
		say(w, in, "Not delivered yet.");
	else if (b->expired)
		say(w, in, "Given up after %s.", span);
	if (b->reply.code == 0)
		say(w, in, "No reason is known.");
	else if (!said)
		say(w, in, "This host reports: %s", b->reply.text);
	else if (r->action == BOUNCE_FAILED && !b->expired)
		say(w, in, "%s refused it with this answer: %s", host, answer);
	else
		say(w, in, "%s answered: %s", host, answer);
	put(w, "\r\n");
}

static void put_words(struct writer *w, const struct report *r)
{
	char date[40];
	size_t i;

	header_date(date, r->m->env.created, 0);
	if (r->action == BOUNCE_FAILED)
		say(w, "", "Your message of %s did not reach the recipients "
		    "below.  It will not be tried again for them.", date);
	else
		say(w, "", "Your message of %s is still waiting for the "
		    "recipients below.  You need not do anything: it is tried "
		    "again from time to time, and you will be told if it has "
		    "to be given up.", date);
	put(w, "\r\n");
	for (i = 0; i < r->nrcpt; i++)
		explain(w, r, r->rcpt[i]);
	say(w, "", "The %s is attached.  This report was written by the "
	    "mail program of %s.", w->whole ? "message" :
	    "header of the message", conf()->fqdn);
}

/* ---- fields for programs (RFC 3464 2) -------------------------------- */

/* ENVID and ORCPT came as xtext and are reported decoded (2.2.1, 2.3.1). */
static void put_xtext(struct writer *w, const char *first, const char *xtext)
{
	struct buf b;

	buf_init(&b, 4 * ADDRESS_MAX);
	if (xtext_decode(&b, xtext) && buf_len(&b) > 0)
		put_folded(w, first, " ", buf_str(&b), true);
	buf_free(&b);
}

/* "rfc822;bob@far.test": the type is an atom and stays as it is. */
static void put_orcpt(struct writer *w, const char *orcpt)
{
	const char *semicolon = strchr(orcpt, ';');
	char type[32], first[64];

	if (!semicolon || semicolon == orcpt ||
	    (size_t)(semicolon - orcpt) >= sizeof type)
		return;
	printable(type, sizeof type, orcpt, (size_t)(semicolon - orcpt));
	if (strpbrk(type, " :") || eight_bit(type, strlen(type)))
		return;
	snprintf(first, sizeof first, "Original-Recipient: %s; ", type);
	put_xtext(w, first, semicolon + 1);
}

/* RFC 3464 2.1.2: a name, or an address as a literal. */
static void put_remote_mta(struct writer *w, const char *host)
{
	bool literal = strspn(host, "0123456789.") == strlen(host) ||
		strchr(host, ':');
	char text[300];

	snprintf(text, sizeof text, "%s%s%s%s", literal ? "[" : "",
		 strchr(host, ':') ? "IPv6:" : "", host, literal ? "]" : "");
	put_folded(w, "Remote-MTA: dns; ", " ", text, true);
}

static void put_rcpt_fields(struct writer *w, const struct report *r,
			    const struct bounce_rcpt *b)
{
	const struct recipient *rcpt = &r->m->env.rcpt[b->i];
	bool failed = r->action == BOUNCE_FAILED;
	const char *status = *b->reply.status ? b->reply.status :
		failed ? "5.0.0" : "4.0.0";
	char answer[REPLY_TEXT + 32];

	put(w, "\r\n");
	if (rcpt->orcpt)
		put_orcpt(w, rcpt->orcpt);
	put_folded(w, "Final-Recipient: rfc822; ", " ", rcpt->addr, true);
	put_folded(w, "Action: ", " ", failed ? "failed" : "delayed", true);
	put_folded(w, "Status: ", " ", b->expired ? "4.4.7" : status, true);
	if (!b->reply.local && b->reply.code != 0) {
		print_answer(answer, sizeof answer, &b->reply);
		if (*b->host)
			put_remote_mta(w, b->host);
		put_folded(w, "Diagnostic-Code: smtp; ", " ", answer, true);
	}
	put_date(w, "Last-Attempt-Date: ", r->now);
	if (!failed)
		put_date(w, "Will-Retry-Until: ", give_up_at(r, b));
}

static void put_fields(struct writer *w, const struct report *r)
{
	const struct envelope *env = &r->m->env;
	size_t i;

	if (env->envid)
		put_xtext(w, "Original-Envelope-Id: ", env->envid);
	put_folded(w, "Reporting-MTA: dns; ", " ", conf()->fqdn, true);
	put_date(w, "Arrival-Date: ", env->created);
	for (i = 0; i < r->nrcpt; i++)
		put_rcpt_fields(w, r, r->rcpt[i]);
}

/* ---- the message around them ----------------------------------------- */

static void begin(struct writer *w, struct message *out, struct message *m)
{
	*w = (struct writer){ .out = out, .m = m };
	buf_init(&w->b, 4 * FLUSH_AT);
}

/* The header.  Auto-Submitted (RFC 3834) keeps holiday replies away. */
static void put_header(struct writer *w, const char *to, const char *subject,
		       const char *type, time_t now)
{
	char id[256];

	buf_printf(&w->b, "From: Mail Delivery System <%s>\r\n",
		   conf()->postmaster);
	put_folded(w, "To: ", " ", to, true);
	put_folded(w, "Subject: ", " ", subject, true);
	put_date(w, "Date: ", now);
	buf_printf(&w->b, "Message-ID: <%s@%s>\r\n", w->out->id, conf()->fqdn);
	find_message_id(w, id, sizeof id);
	if (*id) {
		put_folded(w, "In-Reply-To: ", " ", id, true);
		put_folded(w, "References: ", " ", id, true);
	}
	buf_printf(&w->b, "Auto-Submitted: auto-replied\r\n"
		   "MIME-Version: 1.0\r\nContent-Type: %s;\r\n"
		   " boundary=\"%s\"\r\nContent-Transfer-Encoding: %s\r\n",
		   type, w->boundary,
		   w->words_8bit || w->original_8bit ? "8bit" : "7bit");
}

static void put_part(struct writer *w, const char *type, bool eight)
{
	buf_printf(&w->b, "\r\n--%s\r\nContent-Type: %s\r\n"
		   "Content-Transfer-Encoding: %s\r\n\r\n", w->boundary, type,
		   eight ? "8bit" : "7bit");
}

static int finish(struct writer *w)
{
	buf_printf(&w->b, "\r\n--%s--\r\n", w->boundary);
	flush(w);
	if (!w->err && queue_complete(w->out, w->words_8bit ||
				      w->original_8bit) != 0)
		w->err = errno;
	buf_free(&w->b);
	errno = w->err;
	return w->err ? -1 : 0;
}

/* RFC 3461 4.3: RET is for failures; a report of a delay has the header. */
static bool return_whole(const struct report *r)
{
	const struct message *m = r->m;

	if (r->action != BOUNCE_FAILED)
		return false;
	if (m->env.ret)
		return strcasecmp(m->env.ret, "FULL") == 0;
	return m->text_size <= WHOLE_MAX;
}

int report_write(struct message *out, const struct report *r)
{
	bool failed = r->action == BOUNCE_FAILED;
	struct writer w;
	size_t i;

	begin(&w, out, r->m);
	if (choose(&w, return_whole(r)) != 0)
		return -1;
	for (i = 0; i < r->nrcpt && !w.words_8bit; i++)
		w.words_8bit = eight_bit(r->rcpt[i]->reply.text,
					 strlen(r->rcpt[i]->reply.text));
	put_header(&w, r->to, failed ?
		   "Delivery Status Notification (Failure)" :
		   "Delivery Status Notification (Delay)",
		   "multipart/report; report-type=delivery-status", r->now);
	put_part(&w, "text/plain; charset=utf-8", w.words_8bit);
	put_words(&w, r);
	put_part(&w, "message/delivery-status", false);
	put_fields(&w, r);
	put_original(&w);
	return finish(&w);
}

/* ---- about Badmail --------------------------------------------------- */

int report_badmail(struct message *out, struct message *m, const char *why,
		   time_t now)
{
	static const char *const states[] = { "waiting", "delivered",
					      "returned" };
	const struct envelope *env = &m->env;
	struct writer w;
	size_t i;

	begin(&w, out, m);
	if (choose(&w, m->text_size <= WHOLE_MAX) != 0)
		return -1;
	for (i = 0; i < env->nrcpt && !w.words_8bit; i++)
		w.words_8bit = eight_bit(env->rcpt[i].status,
					 strlen(env->rcpt[i].status));
	put_header(&w, out->env.rcpt[0].addr, "Message put into Badmail",
		   "multipart/mixed", now);
	put_part(&w, "text/plain; charset=utf-8", w.words_8bit);
	say(&w, "", "A message was put into Badmail on %s.", conf()->fqdn);
	put(&w, "\r\n");
	say(&w, "  ", "Reason: %s", why);
	say(&w, "  ", "File: %s", m->name);
	say(&w, "  ", "Sender: <%s>", env->sender ? env->sender : "");
	for (i = 0; i < env->nrcpt; i++) {
		say(&w, "  ", "Recipient: <%s>, %s", env->rcpt[i].addr,
		    states[env->rcpt[i].state]);
		if (*env->rcpt[i].status)
			say(&w, "    ", "%s", env->rcpt[i].status);
	}
	/* What is torn, or a file of Pickup as it was left, is no message that
	 * could be shown. */
	if (env->nrcpt > 0 && strcmp(why, "pickup") != 0)
		put_original(&w);
	return finish(&w);
}
