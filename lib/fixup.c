/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * One header field made legal: see fixup.h.  The one idea: what a field's
 * octets mean depends on its name only, so a table says which of three
 * scanners it gets; each copies what is legal as it is and hands the rest to
 * put_words.  Folding comes after, on lines, whatever the field was.
 *
 * Order: encoded words in place, unstructured text, addresses, parameters,
 * folding, the table.
 */
#include "lib/fixup.h"

#include "config.h"
#include "lib/addr.h"
#include "lib/codec.h"

#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Octets of blanks and folds at p. */
static size_t blanks(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && is_blank(p[i]))
		i++;
	return i;
}

/* ---- encoded words in place ----------------------------------------- */

/* Where the last line of out stands; what is beyond RFC 2047's 76 does not
 * matter, and is not looked at. */
static size_t column(const struct buf *out)
{
	size_t n = buf_len(out), col = 0;

	while (col < n && col < 76 && buf_data(out)[n - col - 1] != '\n')
		col++;
	return col;
}

/* Appends text as encoded words, on a line of their own if they begin late on
 * this one. */
static void put_words(struct buf *out, const struct buf *text)
{
	size_t n = buf_len(out);

	if (n && column(out) > 40 && buf_data(out)[n - 1] == ' ') {
		buf_cut(out, n - 1);
		buf_puts(out, "\r\n ");
	}
	if (buf_len(text))
		encoded_words(out, buf_data(text), buf_len(text), column(out));
}

/* Appends p without its folds. */
static void unfold(struct buf *text, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != '\r' && p[i] != '\n')
			buf_putc(text, p[i] == '\t' ? ' ' : p[i]);
}

/* ---- unstructured text (RFC 2047 5 (1)) ----------------------------- */

static size_t text_word(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && !is_blank(p[i]))
		i++;
	return i;
}

static bool text_needs(const char *p, size_t n, size_t longest)
{
	return n > longest || eight_bit(p, n);
}

/*
 * Neighbouring words are encoded together with the blanks between them: blanks
 * between two encoded words are dropped by the reader (RFC 2047 6.2).  Words
 * over longest octets are encoded too: encoded words may be split.
 */
static void fix_text(struct buf *out, const char *p, size_t n, size_t longest)
{
	size_t i = 0, len, gap;
	struct buf text;

	buf_init(&text, out->max);
	while (i < n) {
		gap = blanks(p + i, n - i);
		buf_put(out, p + i, gap);
		i += gap;
		len = text_word(p + i, n - i);
		if (!text_needs(p + i, len, longest)) {
			buf_put(out, p + i, len);
			i += len;
			continue;
		}
		buf_clear(&text);
		gap = 0;
		while (len && text_needs(p + i + gap, len, longest)) {
			unfold(&text, p + i, gap + len);
			i += gap + len;
			gap = blanks(p + i, n - i);
			len = text_word(p + i + gap, n - i - gap);
		}
		put_words(out, &text);
	}
	out->failed = out->failed || text.failed;
	buf_free(&text);
}

/* ---- addresses (RFC 2047 5 (2), (3)) -------------------------------- */

/* The field while it is walked; [from, to) of the addresses found are skipped
 * over, all else is phrases, comments and signs. */
struct walk {
	struct buf *out, text;
	const char *p;
	size_t n, i;
	const struct addr_list *list;
	size_t next;		/* the next of list */
	const char *domain;
};

static bool at_address(const struct walk *w, size_t i)
{
	return w->next < w->list->n && i >= w->list->found[w->next].from;
}

static size_t quoted_len(const char *p, size_t n)
{
	size_t i = 1;

	while (i < n && p[i] != '"')
		i += p[i] == '\\' ? 2 : 1;
	return i < n ? i + 1 : n;
}

/* A word of a phrase: an atom with the dots people write, or a quoted string.
 * 0 for a sign or a blank. */
static size_t phrase_word(const char *p, size_t n)
{
	size_t i = 0;

	if (n && *p == '"')
		return quoted_len(p, n);
	while (i < n && !is_blank(p[i]) && (!p[i] ||
					    !strchr("\"(),<>;:[]@\\", p[i])))
		i++;
	return i;
}

/* What the word says, without quotes and quoted pairs. */
static void phrase_text(struct buf *text, const char *p, size_t n)
{
	bool quotes = n && *p == '"';

	for (size_t i = 0; i < n; i++) {
		if (quotes && p[i] == '"')
			continue;
		if (quotes && p[i] == '\\' && i + 1 < n)
			i++;
		unfold(text, p + i, 1);
	}
}

/* The words from here on that have to be encoded, as one text. */
static void fix_phrase(struct walk *w, size_t len)
{
	size_t gap = 0, n = buf_len(w->out);
	char before = n ? buf_data(w->out)[n - 1] : ' ';

	/* RFC 2047 5 (3): blanks must separate them from their neighbours. */
	if (!is_blank(before) && !strchr(",;:", before))
		buf_putc(w->out, ' ');
	buf_clear(&w->text);
	do {
		unfold(&w->text, w->p + w->i, gap);
		phrase_text(&w->text, w->p + w->i + gap, len);
		w->i += gap + len;
		gap = blanks(w->p + w->i, w->n - w->i);
		if (!gap || at_address(w, w->i + gap))
			break;
		len = phrase_word(w->p + w->i + gap, w->n - w->i - gap);
	} while (eight_bit(w->p + w->i + gap, len));
	put_words(w->out, &w->text);
	if (w->i < w->n && strchr("<(\"", w->p[w->i]))
		buf_putc(w->out, ' ');
}

/* The text of a comment up to the next parenthesis of its own. */
static void fix_comment(struct walk *w)
{
	size_t from = w->i, to = from;
	bool pairs = false;

	while (to < w->n && w->p[to] != '(' && w->p[to] != ')') {
		if (w->p[to] == '\\') {
			pairs = true;
			to++;
		}
		to++;
	}
	if (to > w->n)
		to = w->n;
	w->i = to;
	if (!eight_bit(w->p + from, to - from)) {
		buf_put(w->out, w->p + from, to - from);
		return;
	}
	if (!pairs) {
		fix_text(w->out, w->p + from, to - from, w->n);
		return;
	}
	buf_clear(&w->text);
	for (; from < to; from++) {
		if (w->p[from] == '\\' && from + 1 < to)
			from++;
		unfold(&w->text, w->p + from, 1);
	}
	put_words(w->out, &w->text);
}

static void fix_comments(struct walk *w)
{
	size_t depth = 0;

	do {
		if (w->p[w->i] == '(')
			depth++;
		else
			depth--;
		buf_putc(w->out, w->p[w->i++]);
		if (depth)
			fix_comment(w);
	} while (depth && w->i < w->n);
}

static void fix_address(struct walk *w)
{
	const struct addr_found *f = &w->list->found[w->next++];

	if (f->to > w->i) {
		buf_put(w->out, w->p + w->i, f->to - w->i);
		w->i = f->to;
	}
	if (w->domain && f->addr[0] && !addr_domain(f->addr)) {
		buf_putc(w->out, '@');
		buf_puts(w->out, w->domain);
	}
}

/*
 * An address itself that is not ASCII stays as it is: there is no other way to
 * write it.  A list that cannot be parsed gets its words encoded, nothing
 * else: a bad Reply-To is no reason to lose a message.
 */
static void fix_addresses(struct buf *out, const char *p, size_t n,
			  const char *domain)
{
	struct addr_list list = { 0 };
	struct walk w = {
		.out = out, .p = p, .n = n, .list = &list, .domain = domain
	};
	size_t len;

	if (addr_list_parse(&list, p, n))
		addr_list_free(&list);
	buf_init(&w.text, out->max);
	while (w.i < n || at_address(&w, w.i)) {
		if (at_address(&w, w.i)) {
			fix_address(&w);
			continue;
		}
		if (p[w.i] == '(') {
			fix_comments(&w);
			continue;
		}
		len = phrase_word(p + w.i, n - w.i);
		if (len && eight_bit(p + w.i, len)) {
			fix_phrase(&w, len);
			continue;
		}
		len = len ? len : 1;
		buf_put(out, p + w.i, len);
		w.i += len;
	}
	out->failed = out->failed || w.text.failed;
	buf_free(&w.text);
	addr_list_free(&list);
}

/* ---- parameters (RFC 2231) ------------------------------------------ */

/* Columns of an encoded value on one line; longer ones are continued. */
enum { PARAMETER_MAX = 54 };

static bool parameter_plain(unsigned char c)
{
	return c > ' ' && c < 127 && !strchr("*'%()<>@,;:\\\"/[]?=", c);
}

/* name*=utf-8''%C3..., or name*0*=, name*1*=, ... */
static void put_parameter(struct buf *out, const char *name, size_t len,
			  const struct buf *value)
{
	static const char hex[] = "0123456789ABCDEF";
	const char *p = buf_data(value);
	size_t n = buf_len(value), width = 0, section = 0, used = 0;
	bool utf8 = utf8_valid(p, n), many;

	for (size_t i = 0; i < n; i++)
		width += parameter_plain((unsigned char)p[i]) ? 1 : 3;
	many = width > PARAMETER_MAX;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		if (i == 0 || used + 3 > PARAMETER_MAX) {
			buf_puts(out, i ? ";\r\n " : "");
			buf_put(out, name, len);
			if (many)
				buf_printf(out, "*%zu", section++);
			buf_puts(out, "*=");
			if (i == 0)
				buf_puts(out, utf8 ? "utf-8''" :
					 "iso-8859-1''");
			used = 0;
		}
		if (parameter_plain(c))
			buf_putc(out, (char)c);
		else
			buf_printf(out, "%%%c%c", hex[c >> 4], hex[c & 15]);
		used += parameter_plain(c) ? 1 : 3;
	}
}

/* One parameter, without the semicolons around it. */
static void fix_parameter(struct buf *out, const char *p, size_t n)
{
	size_t gap = blanks(p, n), len, at;
	const char *equals = memchr(p, '=', n);
	struct buf value;

	len = equals ? (size_t)(equals - p) - gap : 0;
	/* A name that has a * already is a section of something, and what has
	 * no name is a fault: both lose their meaning either way. */
	if (!eight_bit(p, n) || !equals || eight_bit(p + gap, len) ||
	    memchr(p + gap, '*', len)) {
		fix_text(out, p, n, n);
		return;
	}
	buf_put(out, p, gap);
	at = gap + len + 1;
	at += blanks(p + at, n - at);
	while (n > at && is_blank(p[n - 1]))
		n--;
	while (len && is_blank(p[gap + len - 1]))
		len--;
	buf_init(&value, out->max);
	phrase_text(&value, p + at, n - at);
	if (value.failed)
		out->failed = true;
	else
		put_parameter(out, p + gap, len, &value);
	buf_free(&value);
}

static void fix_parameters(struct buf *out, const char *p, size_t n)
{
	size_t from = 0, i = 0;

	for (;;) {
		while (i < n && p[i] != ';')
			i += p[i] == '"' ? quoted_len(p + i, n - i) : 1;
		fix_parameter(out, p + from, i - from);
		if (i >= n)
			return;
		buf_putc(out, p[i++]);
		from = i;
	}
}

/* ---- folding (RFC 5322 2.2.3) --------------------------------------- */

/* Where a line that must be folded is folded if it can be. */
enum { FOLD_AT = 78 };

struct place {
	size_t at;		/* octets before the fold; 0: nowhere */
	bool quote;		/* inside a quoted string there */
};

/*
 * The last good place before FOLD_AT, else the first one after it, within max
 * octets.  Before a blank is always good; behind a comma only outside quotes,
 * because a blank has to be put in there.
 */
static struct place find_place(const char *p, size_t n, size_t max, bool quote)
{
	struct place best = { 0 };
	size_t i = blanks(p, n);

	for (; i < n && i <= max && (i <= FOLD_AT || !best.at); i++) {
		bool blank = is_blank(p[i]) && i && !is_blank(p[i - 1]);
		bool comma = i && p[i - 1] == ',' && !quote;

		if (blank || comma)
			best = (struct place){ i, quote };
		if (p[i] == '"')
			quote = !quote;
		else if (quote && p[i] == '\\')
			i++;
	}
	return best;
}

static bool fold_line(struct buf *out, const char *p, size_t n)
{
	bool quote = false;
	size_t lead = 0;	/* a blank was put before what is left */

	while (n && is_blank(p[n - 1]))
		n--;
	/* Nothing but blanks: an empty line would end the header. */
	if (!n)
		return true;
	while (lead + n > FOLD_AT) {
		struct place place = find_place(p, n, LINE_MAX_OCTETS - lead,
						quote);

		if (!place.at)
			break;
		buf_put(out, p, place.at);
		p += place.at;
		n -= place.at;
		quote = place.quote;
		buf_puts(out, "\r\n");
		lead = !is_blank(*p);
		if (lead)
			buf_putc(out, ' ');
	}
	buf_put(out, p, n);
	buf_puts(out, "\r\n");
	return lead + n <= LINE_MAX_OCTETS;
}

static bool fold_field(struct buf *out, const struct buf *field)
{
	struct cursor c = cursor_on(buf_data(field), buf_len(field));
	const char *line;
	size_t n;

	while (cursor_line(&c, &line, &n)) {
		if (n > LINE_MAX_OCTETS) {
			if (!fold_line(out, line, n))
				return false;
		} else {
			buf_put(out, line, n);
			buf_put(out, "\r\n", 2);
		}
	}
	return !out->failed;
}

/* ---- the table ------------------------------------------------------ */

/* PROSE is read by people: an encoded word may stand for any word in it.  In
 * other TEXT a word that no fold can save must not change. */
enum syntax { TEXT, PROSE, ADDRESSES, QUALIFIED, PARAMETERS };

static const struct {
	const char *name;
	enum syntax syntax;
} fields[] = {
	{ "From", QUALIFIED }, { "Sender", QUALIFIED },
	{ "Reply-To", QUALIFIED }, { "To", QUALIFIED }, { "Cc", QUALIFIED },
	{ "Resent-From", QUALIFIED }, { "Resent-Sender", QUALIFIED },
	{ "Resent-Reply-To", QUALIFIED }, { "Resent-To", QUALIFIED },
	{ "Resent-Cc", QUALIFIED },
	{ "Disposition-Notification-To", ADDRESSES },
	{ "Return-Receipt-To", ADDRESSES }, { "Errors-To", ADDRESSES },
	{ "Mail-Followup-To", ADDRESSES }, { "Mail-Reply-To", ADDRESSES },
	{ "Subject", PROSE }, { "Comments", PROSE },
	{ "Content-Type", PARAMETERS }, { "Content-Disposition", PARAMETERS },
};

static enum syntax syntax_of(const char *name, size_t n)
{
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (strlen(fields[i].name) == n &&
		    strncasecmp(fields[i].name, name, n) == 0)
			return fields[i].syntax;
	return TEXT;
}

bool fixup_field(struct buf *out, const char *name, size_t name_len,
		 const char *value, size_t value_len, const char *domain)
{
	enum syntax syntax = syntax_of(name, name_len);
	size_t before = buf_len(out);
	struct buf work;
	bool good;

	buf_init(&work, out->max);
	buf_put(&work, name, name_len);
	buf_putc(&work, ':');
	if (syntax == PARAMETERS)
		fix_parameters(&work, value, value_len);
	else if (syntax == TEXT || syntax == PROSE)
		fix_text(&work, value, value_len, syntax == TEXT ? value_len :
			 LINE_MAX_OCTETS - 1);
	else
		fix_addresses(&work, value, value_len,
			      syntax == QUALIFIED ? domain : NULL);
	if (work.failed)
		out->failed = true;
	good = !work.failed && fold_field(out, &work);
	if (!good)
		buf_cut(out, before);
	buf_free(&work);
	return good;
}
