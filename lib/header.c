/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The header at submission: see header.h.  The one idea: a table says what is
 * done with a field (its role), lib/fixup.c knows how its text is made legal.
 * The header is walked twice: a survey counts, so that the second walk, which
 * writes, knows what is missing, doubled, or belongs to a Resent block.
 *
 * Order: walking, how far the header reaches, roles, the survey, writing.
 */
#include "lib/header.h"

#include "config.h"
#include "lib/fixup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What a caller's error buffer holds at least. */
enum { ERROR_SIZE = 200 };

/* ---- walking -------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Octets of "Name" at p, 0 if no name and colon stand there.  RFC 5322 4.5:
 * obsolete fields may have blanks before the colon. */
static size_t name_length(const char *p, size_t n, size_t *colon)
{
	size_t len = 0, i;

	while (len < n && p[len] > ' ' && p[len] < 127 && p[len] != ':')
		len++;
	for (i = len; i < n && is_blank(p[i]);)
		i++;
	if (i == n || p[i] != ':')
		return 0;
	*colon = i;
	return len;
}

enum field_kind header_next(struct cursor *c, struct field *f)
{
	struct cursor at = *c;
	const char *line;
	size_t n, colon;

	if (!cursor_line(&at, &line, &n))
		return FIELD_END;
	if (n == 0) {
		*c = at;
		return FIELD_END;
	}
	f->name_len = name_length(line, n, &colon);
	if (!f->name_len)
		return FIELD_NOT;
	f->raw = f->name = line;
	f->value = line + colon + 1;
	f->value_len = n - colon - 1;
	while (cursor_left(&at) && is_blank(*at.p)) {
		cursor_line(&at, &line, &n);
		f->value_len = (size_t)(line + n - f->value);
	}
	f->raw_len = (size_t)(at.p - f->raw);
	*c = at;
	return FIELD_OK;
}

static bool name_is(const char *name, size_t n, const char *want)
{
	return strlen(want) == n && strncasecmp(name, want, n) == 0;
}

bool field_is(const struct field *f, const char *name)
{
	return name_is(f->name, f->name_len, name);
}

/* Has its name this beginning? */
static bool field_begins(const struct field *f, const char *prefix)
{
	size_t n = strlen(prefix);

	return f->name_len > n && strncasecmp(f->name, prefix, n) == 0;
}

static bool is_space(char c)
{
	return is_blank(c) || c == '\r' || c == '\n';
}

bool field_value(const struct field *f, struct buf *out)
{
	const char *p = f->value, *end = p + f->value_len;

	while (p < end && is_space(*p))
		p++;
	while (p < end && is_space(end[-1]))
		end--;
	for (; p < end; p++)
		if (*p != '\r' && *p != '\n')
			buf_putc(out, *p);
	return !out->failed;
}

static bool field_empty(const struct field *f)
{
	for (size_t i = 0; i < f->value_len; i++)
		if (!is_space(f->value[i]))
			return false;
	return true;
}

/* ---- how far the header reaches ------------------------------------- */

/* The line that mbox files have before a message, and the same after it has
 * been through one.  Callers pass on what they read there. */
static bool from_line(const char *p, size_t n)
{
	size_t skip = n && *p == '>';

	return n >= skip + 5 && memcmp(p + skip, "From ", 5) == 0;
}

/* Moves behind any such lines at the beginning. */
static void skip_from_lines(struct cursor *c)
{
	struct cursor at = *c;
	const char *line;
	size_t n, colon;

	while (cursor_line(&at, &line, &n) && from_line(line, n) &&
	       !name_length(line, n, &colon))
		*c = at;
}

/*
 * Can the line that is still being read be no field any more?  Without this a
 * body of one long line and no header would be read whole, to see its end.
 */
static bool never_field(const char *p, size_t n)
{
	size_t len = 0, i;

	if (from_line(p, n))
		return false;
	while (len < n && p[len] > ' ' && p[len] < 127 && p[len] != ':')
		len++;
	if (len > LINE_MAX_OCTETS)
		return true;
	for (i = len; i < n && is_blank(p[i]);)
		i++;
	/* A CR may be the half of an empty line's end. */
	return i < n && (p[i] != ':' || len == 0) &&
		!(n == 1 && p[0] == '\r');
}

size_t header_extent(const char *p, size_t n, bool last, bool *separated,
		     bool *none)
{
	const char *lf = n ? memrchr(p, '\n', n) : NULL;
	size_t whole = last ? n : lf ? (size_t)(lf - p) + 1 : 0;
	struct cursor c;
	struct field f;
	enum field_kind kind;

	*separated = *none = false;
	if (n == 0) {
		*none = last;
		return 0;
	}
	c = cursor_on(p, whole);
	skip_from_lines(&c);
	while ((kind = header_next(&c, &f)) == FIELD_OK)
		;
	/* FIELD_END is the empty line, or the end of what has been seen. */
	if (kind == FIELD_END && c.p - p >= 2 && c.p[-1] == '\n' &&
	    (c.p - p == 2 || c.p[-3] == '\n') && c.p[-2] == '\r')
		*separated = true;
	else if (kind == FIELD_END && !last &&
		 (whole == n || (is_blank(*c.p) && c.p > p) ||
		  !never_field(c.p, n - whole)))
		return 0;
	*none = c.p == p;
	return (size_t)(c.p - p);
}

/* ---- roles ---------------------------------------------------------- */

enum {
	DROP = 1,	/* left out */
	ONCE = 2,	/* RFC 5322 3.6: one at most; the first stays */
	JOIN = 4,	/* one at most; the others are joined to it */
	FILL = 8,	/* must be there: an empty one counts for nothing */
	RECIPIENTS = 16,	/* of -t */
	RESENT = 32,	/* of -t where the message is sent once more */
	SENDER = 64,	/* says who sends: MasqueradeDomain */
};

/* The roles that something is asked about by name come first. */
enum { FROM, DATE, MESSAGE_ID, RECEIVED, MIME_VERSION, RESENT_DATE,
	RESENT_ID, CONTENT_TYPE, SENDER_FIELD, REPLY_TO };

static const struct role {
	const char *name;
	unsigned does;
} roles[] = {
	[FROM] = { "From", ONCE | FILL | SENDER },
	[DATE] = { "Date", ONCE | FILL },
	[MESSAGE_ID] = { "Message-ID", ONCE | FILL },
	[RECEIVED] = { "Received", 0 },
	[MIME_VERSION] = { "MIME-Version", ONCE },
	[RESENT_DATE] = { "Resent-Date", FILL },
	[RESENT_ID] = { "Resent-Message-ID", FILL },
	[CONTENT_TYPE] = { "Content-Type", 0 },
	[SENDER_FIELD] = { "Sender", ONCE | SENDER },
	[REPLY_TO] = { "Reply-To", ONCE | SENDER },
	{ "Resent-From", SENDER },
	{ "Resent-Sender", SENDER },
	{ "To", JOIN | RECIPIENTS },
	{ "Cc", JOIN | RECIPIENTS },
	{ "Bcc", DROP | RECIPIENTS },
	{ "Resent-To", RESENT },
	{ "Resent-Cc", RESENT },
	{ "Resent-Bcc", DROP | RESENT },
	{ "In-Reply-To", ONCE },
	{ "References", ONCE },
	{ "Subject", ONCE },
	{ "Return-Path", DROP },
	{ "Content-Length", DROP },
};
enum { ROLES = sizeof roles / sizeof *roles };

/* The field's place in the table; ROLES: it is not there, and stays. */
static size_t role_of(const struct field *f)
{
	size_t i = 0;

	while (i < ROLES && !field_is(f, roles[i].name))
		i++;
	return i;
}

/* ---- the survey ----------------------------------------------------- */

struct rewrite {
	const struct header_task *task;
	struct header_facts *facts;
	struct buf *out;
	char *error;
	size_t filled[ROLES];	/* fields that are not empty */
	bool seen[ROLES];	/* one was written */
	bool resent, content;
	bool other_author;	/* From is not the user, or not he alone */
	bool several;		/* it names several */
};

static bool survey(struct rewrite *r, struct cursor c)
{
	enum field_kind kind;
	struct field f;

	while ((kind = header_next(&c, &f)) == FIELD_OK) {
		size_t role = role_of(&f);

		if (role < ROLES && !field_empty(&f))
			r->filled[role]++;
		if (role == RECEIVED)
			r->facts->hops++;
		if (field_begins(&f, "Resent-"))
			r->resent = true;
		if (field_begins(&f, "Content-") &&
		    !field_is(&f, "Content-Length"))
			r->content = true;
	}
	r->facts->eight_bit_type = r->filled[CONTENT_TYPE] ||
		r->filled[MIME_VERSION];
	return kind == FIELD_END;
}

/* ---- writing -------------------------------------------------------- */

static int refuse(struct rewrite *r, const char *name, size_t len,
		  const char *why)
{
	/* The name is the caller's: it may be long, but it is printable. */
	snprintf(r->error, ERROR_SIZE, "%.*s field: %s",
		 (int)(len < 60 ? len : 60), name, why);
	return 65;
}

static int full(struct rewrite *r)
{
	snprintf(r->error, ERROR_SIZE, "the header is too large");
	return 70;
}

static int put_field(struct rewrite *r, const char *name, size_t len,
		     const char *value, size_t n)
{
	if (fixup_field(r->out, name, len, value, n, r->task->domain))
		return 0;
	if (r->out->failed)
		return full(r);
	return refuse(r, name, len, "a line over 998 octets "
		      "cannot be folded");
}

/* The addresses of a -t field.  "<>" is nobody. */
static int take_recipients(struct rewrite *r, const struct field *f)
{
	struct addr_list *to = &r->facts->to;
	size_t kept = to->n;
	const char *fault = addr_list_parse(to, f->value, f->value_len);

	for (size_t i = kept; i < to->n; i++)
		if (to->found[i].addr[0])
			to->found[kept++] = to->found[i];
		else
			free(to->found[i].addr);
	to->n = kept;
	return fault ? refuse(r, f->name, f->name_len, fault) : 0;
}

/* Appends another value to a list, on a line of its own. */
static void join(struct buf *list, const struct field *f)
{
	const char *p = f->value;
	size_t n = f->value_len, have = buf_len(list);

	if (field_empty(f))
		return;
	while (have && is_space(buf_data(list)[have - 1]))
		have--;
	buf_cut(list, have);
	if (have && buf_data(list)[have - 1] != ',')
		buf_putc(list, ',');
	if (have)
		buf_puts(list, "\r\n");
	while (n && is_space(*p)) {
		p++;
		n--;
	}
	buf_putc(list, ' ');
	buf_put(list, p, n);
}

/* f is the first of its role, c behind it: all of them become one. */
static int put_joined(struct rewrite *r, const struct field *f, size_t role,
		      struct cursor c)
{
	struct field other;
	struct buf list;
	int status;

	buf_init(&list, r->out->max);
	join(&list, f);
	while (header_next(&c, &other) == FIELD_OK)
		if (role_of(&other) == role)
			join(&list, &other);
	if (list.failed)
		status = full(r);
	else
		status = put_field(r, f->name, f->name_len, buf_str(&list),
				   buf_len(&list));
	buf_free(&list);
	return status;
}

/* For the log: what is not printable must not get there. */
static void note_message_id(struct rewrite *r, const char *id, size_t n)
{
	size_t max = sizeof r->facts->message_id - 1, i;

	for (i = 0; i < n && i < max; i++)
		r->facts->message_id[i] = id[i] > ' ' && id[i] < 127 ? id[i] :
			'?';
	r->facts->message_id[i] = '\0';
}

/* The From in hand: whose is it, is it to be another? */
static int put_author(struct rewrite *r, const struct field *f,
		      const char *value, size_t n)
{
	const struct header_task *t = r->task;
	struct buf other;
	int status;

	if (!t->force_from) {
		r->other_author = t->own &&
			!author_is(value, n, t->own, t->domain, &r->several);
		return put_field(r, f->name, f->name_len, value, n);
	}
	buf_init(&other, n + ADDRESS_MAX + 2);
	author_force(&other, value, n, t->force_from);
	status = put_field(r, f->name, f->name_len, buf_str(&other),
			   buf_len(&other));
	buf_free(&other);
	/* Who answers still reaches the one who wrote. */
	if (!status && !r->filled[REPLY_TO] &&
	    !author_is(value, n, t->force_from, t->domain, &r->several)) {
		r->filled[REPLY_TO] = 1;
		status = put_field(r, "Reply-To", 8, value, n);
	}
	r->several = false;
	return status;
}

/* A field that says who sends. */
static int put_sender(struct rewrite *r, const struct field *f, size_t role)
{
	struct buf masked;
	int status;

	if (role == SENDER_FIELD && r->task->force_from)
		return 0;
	buf_init(&masked, f->value_len + 4 * ADDRESS_MAX + r->out->max / 2);
	if (!author_mask(&masked, f->value, f->value_len, &r->task->mask))
		status = full(r);
	else if (role == FROM)
		status = put_author(r, f, buf_str(&masked),
				    buf_len(&masked));
	else
		status = put_field(r, f->name, f->name_len, buf_str(&masked),
				   buf_len(&masked));
	buf_free(&masked);
	return status;
}

static int write_field(struct rewrite *r, const struct field *f,
		       struct cursor c)
{
	size_t role = role_of(f);
	unsigned does = role < ROLES ? roles[role].does : 0;
	unsigned wanted = r->resent ? RESENT : RECIPIENTS;
	struct buf value;
	int status = 0;

	if (r->task->want_recipients && (does & wanted))
		status = take_recipients(r, f);
	if (status || (does & DROP))
		return status;
	if ((does & (ONCE | FILL)) && field_empty(f) &&
	    ((does & FILL) || r->filled[role]))
		return 0;
	if ((does & (ONCE | JOIN)) && r->seen[role])
		return 0;
	if (role < ROLES)
		r->seen[role] = true;
	if (role == MESSAGE_ID) {
		buf_init(&value, f->value_len);
		field_value(f, &value);
		note_message_id(r, buf_str(&value), buf_len(&value));
		buf_free(&value);
	}
	/* If there is anything to join: another one that is not empty. */
	if ((does & JOIN) && r->filled[role] > !field_empty(f))
		return put_joined(r, f, role, c);
	if (does & SENDER)
		return put_sender(r, f, role);
	return put_field(r, f->name, f->name_len, f->value, f->value_len);
}

static int put_added(struct rewrite *r, const char *name, const char *value)
{
	struct buf text;
	int status;

	buf_init(&text, strlen(value) + 1);
	buf_putc(&text, ' ');
	buf_puts(&text, value);
	status = put_field(r, name, strlen(name), buf_str(&text),
			   buf_len(&text));
	buf_free(&text);
	return status;
}

/* RFC 5321 4.4, as far as it fits: nobody has said EHLO to us. */
static int put_received(struct rewrite *r)
{
	const struct header_task *t = r->task;
	char date[40];

	header_date(date, t->now, t->utc_offset);
	if (buf_printf(r->out, "Received: %s%s%s(from userid %lu)\r\n"
		       "\tby %s (mailroot) with %s id %s;\r\n\t%s\r\n",
		       t->helo ? "from " : "", t->helo ? t->helo : "",
		       t->helo ? " " : "", (unsigned long)t->uid, t->fqdn,
		       t->with, t->id, date))
		return 0;
	return full(r);
}

static int put_from(struct rewrite *r)
{
	const struct header_task *t = r->task;
	const char *author = t->force_from ? t->force_from :
		t->author[0] ? t->author : t->sender;
	char name[512], value[sizeof name + ADDRESS_MAX + 8];

	if (!author[0])
		author = "MAILER-DAEMON";
	addr_phrase(name, sizeof name, t->full_name);
	if (name[0])
		snprintf(value, sizeof value, "%s <%s>", name, author);
	else
		snprintf(value, sizeof value, "%s", author);
	return put_added(r, roles[FROM].name, value);
}

static int put_missing(struct rewrite *r)
{
	const struct header_task *t = r->task;
	bool resent = r->resent;
	char date[40], id[256];
	int status = 0;

	header_date(date, t->now, t->utc_offset);
	snprintf(id, sizeof id, "<%s@%s>", t->id, t->fqdn);
	if (!r->filled[FROM])
		status = put_from(r);
	if (!status && t->own && !r->seen[SENDER_FIELD] &&
	    (r->several || (r->other_author && t->add_sender)))
		status = put_added(r, roles[SENDER_FIELD].name, t->own);
	if (!status && !r->filled[DATE])
		status = put_added(r, roles[DATE].name, date);
	if (!status && !r->filled[MESSAGE_ID]) {
		note_message_id(r, id, strlen(id));
		status = put_added(r, roles[MESSAGE_ID].name, id);
	}
	if (!status && resent && !r->filled[RESENT_DATE])
		status = put_added(r, roles[RESENT_DATE].name, date);
	/* Not the same id twice: what came second has an "r". */
	if (!r->filled[MESSAGE_ID])
		snprintf(id, sizeof id, "<%s.r@%s>", t->id, t->fqdn);
	if (!status && resent && !r->filled[RESENT_ID])
		status = put_added(r, roles[RESENT_ID].name, id);
	if (!status && r->content && !r->filled[MIME_VERSION])
		status = put_added(r, roles[MIME_VERSION].name, "1.0");
	return status;
}

int header_rewrite(const char *in, size_t n, const struct header_task *task,
		   struct header_facts *facts, struct buf *out, char *error)
{
	struct rewrite r = {
		.task = task, .facts = facts, .out = out, .error = error
	};
	/* A pointer to nothing must not be calculated with. */
	struct cursor c = cursor_on(n ? in : "", n);
	struct field f;
	int status;

	*facts = (struct header_facts){ 0 };
	skip_from_lines(&c);
	if (!survey(&r, c)) {
		snprintf(error, ERROR_SIZE, "a header line that is no field");
		return 70;
	}
	status = put_received(&r);
	while (!status && header_next(&c, &f) == FIELD_OK)
		status = write_field(&r, &f, c);
	if (!status)
		status = put_missing(&r);
	if (!status && !buf_puts(out, "\r\n"))
		status = full(&r);
	return status;
}

void header_date(char dst[40], time_t t, long utc_offset)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	long minutes = (utc_offset < 0 ? -utc_offset : utc_offset) / 60;
	time_t local = t + (time_t)utc_offset;
	struct tm tm;

	/* Years that struct tm cannot hold. */
	if (!gmtime_r(&local, &tm))
		tm = (struct tm){ .tm_mday = 1, .tm_year = 70, .tm_wday = 4 };
	snprintf(dst, 40, "%.3s, %d %.3s %04d %02d:%02d:%02d %c%02ld%02ld",
		 days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
		 tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec,
		 utc_offset < 0 ? '-' : '+', minutes / 60 % 100, minutes % 60);
}
