/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Lists of addresses as people and programs write them: addr_list_parse.  The
 * one idea: an item is read once, from left to right, as if its words were
 * addresses; when a "<" turns up, what came before it was a display name and
 * is forgotten, with all that was wrong in it.  So there is no looking ahead,
 * no recursion and no list of tokens, and a hostile megabyte costs as much as
 * an honest one.
 *
 * Order: blanks and comments, words, one address, one item, the list.
 */
#include "lib/addr.h"

#include "config.h"
#include "lib/buf.h"

#include <stdlib.h>
#include <string.h>

enum token { NOTHING, WORD, DOT, AT };

struct parser {
	struct cursor in;
	const char *text;
	struct addr_list *list;
	bool group;		/* between "name:" and ";" */

	/* The item, up to the next separator. */
	size_t first;		/* list->n when it began */
	const char *fault;	/* wrong unless a < makes it a display name */
	bool loose;		/* it has words that are no address */
	bool angle;		/* its <...> is behind us */

	/* The address being put together. */
	char spec[ADDRESS_MAX + 1];
	size_t len;
	size_t from, to;
	enum token last;
	unsigned ats;
	bool overlong;
};

static size_t here(const struct parser *p)
{
	return (size_t)(p->in.p - p->text);
}

/* What is too long is noted only: it may be part of a display name. */
static void append(struct parser *p, char c)
{
	if (p->len < ADDRESS_MAX)
		p->spec[p->len++] = c;
	else
		p->overlong = true;
}

static void reset_spec(struct parser *p)
{
	p->len = p->ats = 0;
	p->spec[0] = '\0';
	p->last = NOTHING;
	p->overlong = false;
}

/* ---- blanks and comments -------------------------------------------- */

/*
 * A line end is allowed where a line is folded, and at the very end.  Anywhere
 * else it is somebody's attempt to have more lines than one.
 */
static bool fold(struct parser *p)
{
	int c;

	if (cursor_peek(&p->in) == '\r')
		p->in.p++;
	if (cursor_next(&p->in) != '\n')
		return false;
	c = cursor_peek(&p->in);
	return c == ' ' || c == '\t' || c == -1;
}

static const char line_fault[] = "a line end inside an address";

/* RFC 5322 3.2.2: comments nest; a counter does for recursion. */
static const char *comment(struct parser *p)
{
	unsigned depth = 0;

	do {
		switch (cursor_peek(&p->in)) {
		case -1:
			return "a ( is not closed";
		case '\r':
		case '\n':
			if (!fold(p))
				return line_fault;
			continue;
		case '(':
			if (++depth > NESTING_MAX)
				return "comments are nested too deep";
			break;
		case ')':
			depth--;
			break;
		case '\\':
			p->in.p++;
			if (!cursor_left(&p->in))
				return "a ( is not closed";
			break;
		}
		p->in.p++;
	} while (depth);
	return NULL;
}

static const char *skip_blanks(struct parser *p)
{
	const char *fault;

	for (;;) {
		switch (cursor_peek(&p->in)) {
		case ' ':
		case '\t':
			p->in.p++;
			break;
		case '\r':
		case '\n':
			if (!fold(p))
				return line_fault;
			break;
		case '(':
			fault = comment(p);
			if (fault)
				return fault;
			break;
		default:
			return NULL;
		}
	}
}

/* ---- words ---------------------------------------------------------- */

/* A quoted string, kept as it is but for its folds. */
static const char *quoted(struct parser *p)
{
	int c;

	append(p, (char)cursor_next(&p->in));
	while ((c = cursor_peek(&p->in)) != '"') {
		if (c == '\r' || c == '\n') {
			if (!fold(p))
				return line_fault;
			continue;
		}
		if (c == '\\') {
			append(p, (char)cursor_next(&p->in));
			c = cursor_peek(&p->in);
		}
		if (c == '\0' || c == '\r' || c == '\n')
			return "a control character in a quoted string";
		if (c == -1)
			return "a quoted string is not closed";
		append(p, (char)cursor_next(&p->in));
	}
	append(p, (char)cursor_next(&p->in));
	return NULL;
}

/* An address literal; the blanks people put inside are left out. */
static const char *literal(struct parser *p)
{
	int c;

	append(p, (char)cursor_next(&p->in));
	while ((c = cursor_peek(&p->in)) != ']') {
		if (c == -1 || c == '[' || c == '\\' || c == ',')
			return "a [ is not closed";
		if (c == '\r' || c == '\n') {
			if (!fold(p))
				return line_fault;
			continue;
		}
		if ((c < ' ' && c != '\t') || c == 127)
			return "a control character in an address";
		p->in.p++;
		if (c != ' ' && c != '\t')
			append(p, (char)c);
	}
	append(p, (char)cursor_next(&p->in));
	return NULL;
}

/*
 * The length of an encoded word (RFC 2047 2), 0 if there is none here.  Taken
 * as a whole, because real ones have raw commas and dots in them.  The limit
 * keeps text made of "=?" only from costing its square.
 */
static size_t encoded_word(const struct parser *p)
{
	const char *s = p->in.p;
	size_t n = cursor_left(&p->in), marks = 0;

	if (n > 256)
		n = 256;
	if (n < 2 || s[0] != '=' || s[1] != '?')
		return 0;
	for (size_t i = 2; i < n && (unsigned char)s[i] > ' '; i++) {
		if (s[i] != '?')
			continue;
		if (marks == 2 && i + 1 < n && s[i + 1] == '=')
			return i + 2;
		if (++marks > 2)
			return 0;
	}
	return 0;
}

static const char *atom(struct parser *p)
{
	size_t n = encoded_word(p), max = cursor_left(&p->in);

	if (!n)
		while (n < max && addr_atom((unsigned char)p->in.p[n]))
			n++;
	if (!n)
		return "a control character in an address";
	for (; n; n--)
		append(p, *p->in.p++);
	return NULL;
}

static const char *word(struct parser *p)
{
	const char *fault;
	int c = cursor_peek(&p->in);

	if (p->last == NOTHING)
		p->from = here(p);
	fault = c == '"' ? quoted(p) : c == '[' ? literal(p) : atom(p);
	p->last = WORD;
	p->to = here(p);
	return fault;
}

/* "." or "@" */
static void sign(struct parser *p)
{
	int c = cursor_peek(&p->in);

	if (p->last == NOTHING)
		p->from = here(p);
	append(p, (char)cursor_next(&p->in));
	p->last = c == '@' ? AT : DOT;
	p->ats += c == '@';
	p->to = here(p);
}

/* ---- one address ---------------------------------------------------- */

static void found(struct parser *p, const char *addr)
{
	addr_list_add(p->list, addr);
	p->list->found[p->list->n - 1].from = p->from;
	p->list->found[p->list->n - 1].to = p->to;
}

/* The address put together so far goes into the list. */
static const char *finish_spec(struct parser *p)
{
	const char *fault = NULL;
	size_t dots;

	/* "bob@example.com." at the end of a sentence, or as DNS writes it. */
	if (p->last == DOT && p->ats == 1 && !p->overlong)
		p->len--;
	p->spec[p->len] = '\0';
	dots = strspn(p->spec, ".");
	if (p->overlong)
		fault = "an address is too long";
	else if (p->ats > 1)
		fault = "more than one @ in an address";
	else if (p->spec[dots] == '@' || p->spec[dots] == '\0')
		fault = "nothing before the @";
	else if (p->spec[p->len - 1] == '@' || p->last == AT)
		fault = "nothing behind the @";
	else
		found(p, p->spec);
	reset_spec(p);
	return fault;
}

/*
 * A word follows a word: "John Smith", or two addresses without a comma, which
 * sendmail 8 takes ("old style headers") and crontabs have.  What has no @
 * cannot be told from a name, so it is a fault unless a < follows.
 */
static void split(struct parser *p)
{
	const char *fault = NULL;

	if (p->to == here(p) || !p->ats) {
		p->loose = true;
		reset_spec(p);
		return;
	}
	fault = finish_spec(p);
	if (!p->fault)
		p->fault = fault;
}

static void drop_item(struct parser *p)
{
	while (p->list->n > p->first)
		free(p->list->found[--p->list->n].addr);
	p->fault = NULL;
	p->loose = false;
	reset_spec(p);
}

/* ---- one item ------------------------------------------------------- */

/*
 * "<" [route ":"] addr-spec ">".  RFC 5322 4.4, RFC 5321 C: a route is
 * accepted and not obeyed.
 */
static const char *angle(struct parser *p)
{
	const char *fault;
	bool route = false;
	int c;

	drop_item(p);
	p->in.p++;
	p->angle = true;
	p->from = p->to = here(p);
	for (;;) {
		fault = skip_blanks(p);
		if (fault)
			return fault;
		c = cursor_peek(&p->in);
		if (c == '>')
			break;
		if (c == -1)
			return "a < is not closed";
		if (c == '@' || c == '.') {
			sign(p);
		} else if (c == ',' || c == ':') {
			if (p->spec[0] != '@' && !(c == ',' && route))
				return "a < is not closed before a separator";
			p->in.p++;
			route = true;
			reset_spec(p);
		} else if (strchr("<;)]\\", c) && c) {
			return "a character that may not stand between < and >";
		} else {
			if (p->last == WORD)
				return "a blank inside an address";
			fault = word(p);
			if (fault)
				return fault;
		}
	}
	p->in.p++;
	if (p->last != NOTHING)
		return finish_spec(p);
	if (route)
		return "a route without an address";
	found(p, "");
	return NULL;
}

static const char *end_item(struct parser *p)
{
	const char *fault = p->fault;

	if (!p->angle && p->last != NOTHING) {
		bool many = p->loose || p->list->n > p->first;

		if (many && !p->ats)
			p->loose = true;
		if (!fault && !p->loose)
			fault = finish_spec(p);
		if (!fault && p->loose)
			fault = "words that are no address; "
				"is a comma missing?";
	}
	if (fault)
		drop_item(p);
	p->first = p->list->n;
	p->fault = NULL;
	p->loose = p->angle = false;
	reset_spec(p);
	return fault;
}

/* The words before a ":" are the name of a group. */
static const char *begin_group(struct parser *p)
{
	if (p->group)
		return "a group inside a group";
	if (p->angle || p->ats || p->list->n > p->first)
		return "a colon behind an address";
	if (p->last == NOTHING)
		return "a group without a name";
	p->group = true;
	p->in.p++;
	drop_item(p);
	return NULL;
}

/* ---- the list ------------------------------------------------------- */

static const char *list_step(struct parser *p, int c)
{
	switch (c) {
	case ';':
		p->group = false;
		/* fallthrough */
	case ',':
		p->in.p++;
		return end_item(p);
	case ':':
		return begin_group(p);
	case '>':
	case ')':
	case ']':
	case '\\':
		return "a character that may not stand there";
	}
	if (p->angle)
		return "text behind a >; is a comma missing?";
	if (c == '<')
		return angle(p);
	if (c == '.' || c == '@') {
		sign(p);
		return NULL;
	}
	if (p->last == WORD)
		split(p);
	return word(p);
}

const char *addr_list_parse(struct addr_list *list, const char *text, size_t n)
{
	struct parser p = {
		.in = cursor_on(text, n), .text = text, .list = list,
		.first = list->n,
	};
	const char *fault;
	int c;

	for (;;) {
		fault = skip_blanks(&p);
		c = cursor_peek(&p.in);
		if (!fault && c == -1)
			return end_item(&p);
		if (!fault)
			fault = list_step(&p, c);
		if (fault) {
			drop_item(&p);
			return fault;
		}
	}
}
