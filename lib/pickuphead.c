/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The head of a Pickup file: see pickuphead.h.  The one idea: the block is a
 * run of header fields whose names stand in a table, so the header's own
 * reader walks it; first its end is found, then it is read once.
 *
 * In reading order: words, the two blocks' ends, values, fields, the author,
 * the whole.
 */
#include "lib/pickuphead.h"

#include "lib/addr.h"
#include "lib/buf.h"
#include "lib/dsn.h"
#include "lib/header.h"
#include "lib/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A file that was refused may be brought back and be refused again; more often
 * than this it is somebody's game. */
#define REFUSALS_MAX 8

#define BOM "\xef\xbb\xbf"	/* editors of Windows put it before a text */

/* ---- words ---------------------------------------------------------------- */

enum word {
	WORD_NONE,		/* another field */
	WORD_X,			/* another that begins with X- */
	WORD_SENDER, WORD_RECEIVER,
	WORD_PASSED,		/* of the block, and of no use to us */
	WORD_END,		/* the same, and the block ends behind it */
	WORD_RECEIVED, WORD_RETURNED,	/* of an envelope of ours alone */
	WORD_CREATED, WORD_STATUS, WORD_MAILROOT,
};

static const struct {
	const char *name;
	bool ours;		/* a word in an envelope of ours alone:
				 * X-Received is also a field of Gmail's */
	enum word word;
} words[] = {
	{ "x-sender", false, WORD_SENDER },
	{ "x-receiver", false, WORD_RECEIVER },
	{ "X-CreatedBy", false, WORD_PASSED },
	{ "X-HeloDomain", false, WORD_PASSED },
	{ "X-Source", false, WORD_PASSED },
	{ "X-SourceIPAddress", false, WORD_PASSED },
	{ "X-ExtendedMessageProps", false, WORD_PASSED },
	{ "X-EndOfInjectedXHeaders", false, WORD_END },
	{ "x-received", true, WORD_RECEIVED },
	{ "x-returned", true, WORD_RETURNED },
	{ "x-created", true, WORD_CREATED },
	{ "x-status", true, WORD_STATUS },
	{ "x-mailroot", true, WORD_MAILROOT },
};

static enum word word_of(const struct field *f, bool ours)
{
	size_t i;

	for (i = 0; i < sizeof words / sizeof *words; i++)
		if ((ours || !words[i].ours) && field_is(f, words[i].name))
			return words[i].word;
	/* A mark that was torn is neither word: he waits. */
	if (ours && f->name_len == ENVELOPE_MARK_LEN &&
	    strncmp(f->name, envelope_marks[0], 4) == 0)
		return WORD_RECEIVER;
	return f->name_len > 2 && strncasecmp(f->name, "X-", 2) == 0 ?
		WORD_X : WORD_NONE;
}

/* One field of which all is there: 1; 0: the header is over; -1: more must be
 * seen to know. */
static int next(struct cursor *c, bool last, struct field *f)
{
	struct cursor at = *c;
	enum field_kind kind = header_next(&at, f);

	/* Its end is its own only when the next line has begun; and half a
	 * line may become a field yet. */
	if (!last && (at.p == at.end || (kind == FIELD_NOT &&
	    !memchr(at.p, '\n', cursor_left(&at)))))
		return -1;
	if (kind != FIELD_OK)
		return 0;
	*c = at;
	return 1;
}

/* ---- where the block ends -------------------------------------------------- */

struct block {
	const char *from, *to;
	bool ours, more;	/* more: its end has not been seen */
};

/* IIS's: all X- fields at the top, as far as the last word of the block.  So
 * what other programs put in between does not make a header of the receivers
 * behind it. */
static void find_theirs(struct block *b, struct cursor c, bool last)
{
	bool plain = false;
	struct field f;
	enum word w;
	int r;

	while ((r = next(&c, last, &f)) == 1) {
		w = word_of(&f, false);
		if (w == WORD_NONE)
			return;
		if (w == WORD_X)
			plain = true;
		/* X-Source is also what hosters add to a message. */
		else if (w != WORD_PASSED || !plain)
			b->to = c.p;
		if (w == WORD_END)
			return;
	}
	b->more = r < 0;
}

/* Ours: its words, in their order.  The sizes in the first line are believed
 * where a field ends there; and what was refused has one recipient, whatever
 * the file behind it begins with. */
static void find_ours(struct block *b, struct cursor c, bool last)
{
	uint64_t envelope = 0, message;
	bool rcpt = false, refused = false;
	struct field f;
	enum word w;
	int r;

	if (cursor_left(&c) < ENVELOPE_FIRST_LEN ||
	    !envelope_parse_first(c.p, &envelope, &message))
		envelope = 0;
	while ((r = next(&c, last, &f)) == 1) {
		w = word_of(&f, true);
		if (w < WORD_SENDER || w == WORD_PASSED || w == WORD_END ||
		    (w == WORD_MAILROOT && b->to != b->from) ||
		    (rcpt && (w == WORD_SENDER || w == WORD_CREATED)))
			return;
		rcpt |= w == WORD_RECEIVER || w == WORD_RECEIVED ||
			w == WORD_RETURNED;
		refused |= w == WORD_SENDER &&
			memmem(f.value, f.value_len, PICKUPHEAD_REFUSED,
			       strlen(PICKUPHEAD_REFUSED));
		b->to = c.p;
		if ((size_t)(b->to - b->from) == envelope ||
		    (refused && w == WORD_STATUS))
			return;
	}
	b->more = r < 0;
}

/* The block at p, which may be empty. */
static struct block find_block(const char *p, const char *end, bool last)
{
	struct block b = { .from = p, .to = p };
	struct cursor c = cursor_on(p, (size_t)(end - p));
	struct field f;
	enum word w;
	int r;

	/* Most files: nothing to wait for. */
	if (end - p >= 2 && strncasecmp(p, "x-", 2) != 0)
		return b;
	r = next(&c, last, &f);
	b.more = r < 0;
	if (r <= 0)
		return b;
	w = word_of(&f, true);
	b.ours = w == WORD_MAILROOT;
	c = cursor_on(p, (size_t)(end - p));
	if (b.ours)
		find_ours(&b, c, last);
	else if (w == WORD_SENDER || field_is(&f, "x-receiver"))
		find_theirs(&b, c, last);
	return b;
}

/* ---- values ------------------------------------------------------------------ */

/* What may stand behind an address. */
struct params {
	char *notify, *orcpt, *ret, *envid;
};

static void params_free(struct params *p)
{
	free(p->notify);
	free(p->orcpt);
	free(p->ret);
	free(p->envid);
	*p = (struct params){ 0 };
}

/* The word "KEY=value" behind this key; NULL: it is another. */
static const char *behind(const char *word, const char *key)
{
	size_t n = strlen(key);

	return strncasecmp(word, key, n) == 0 ? word + n : NULL;
}

/* The first counts. */
static void keep(char **value, const char *text)
{
	if (!*value && text)
		*value = xstrdup(text);
}

/* A value that is not legal is as if it were not there: the address counts. */
static void take_param(struct params *p, const char *word)
{
	char notify[DSN_NOTIFY_SIZE];
	const char *v;

	if ((v = behind(word, "NOTIFY=")) != NULL)
		keep(&p->notify, dsn_notify(v, notify) ? notify : NULL);
	else if ((v = behind(word, "ORCPT=")) != NULL)
		keep(&p->orcpt, dsn_orcpt(v) ? v : NULL);
	else if ((v = behind(word, "RET=")) != NULL)
		keep(&p->ret, dsn_ret(v));
	else if ((v = behind(word, "ENVID=")) != NULL)
		keep(&p->envid, dsn_envid(v) ? v : NULL);
}

/* The > that ends the first <path>, NULL if none does. */
static char *path_end(char *s)
{
	bool quoted = false, open = false;

	for (; *s; s++) {
		if (*s == '\\' && s[1])
			s++;
		else if (*s == '"')
			quoted = !quoted;
		else if (!quoted && *s == '<')
			open = true;
		else if (!quoted && open && *s == '>')
			return s;
	}
	return NULL;
}

/* "<path> KEY=value KEY=value": the params are taken, and cut off the value.
 * Anything else behind the path is part of a list of addresses, and stays. */
static void cut_params(char *value, struct params *params)
{
	char *end = path_end(value), *rest, *word;

	if (!end || (end[1] != ' ' && end[1] != '\t'))
		return;
	for (word = end + 1; *word; word += strcspn(word, " \t")) {
		word += strspn(word, " \t");
		if (*word && !memchr(word, '=', strcspn(word, " \t")))
			return;
	}
	rest = end + 1;
	while ((word = strsep(&rest, " \t")) != NULL)
		take_param(params, word);
	end[1] = '\0';
}

/* ---- fields ------------------------------------------------------------------- */

struct reading {
	struct pickuphead *h;
	struct buf value;		/* of the field in hand */
	struct addr_list list;		/* its addresses */
	struct params params;
	char *error;
	size_t cap;
	bool again;			/* who is done counts as waiting */
};

static bool bad(struct reading *r, const char *what, const char *why)
{
	snprintf(r->error, 256, "the %s \"%.100s\" is no address: %s", what,
		 buf_str(&r->value), why);
	return false;
}

/* The value of f into r->list and r->params. */
static const char *take_value(struct reading *r, const struct field *f)
{
	char *text;
	const char *why;

	params_free(&r->params);
	addr_list_free(&r->list);
	r->list = (struct addr_list){ 0 };
	buf_clear(&r->value);
	if (!field_value(f, &r->value))
		return "it is too long";
	text = xstrdup(buf_str(&r->value));
	why = strlen(text) != buf_len(&r->value) ? "it has a NUL octet" : NULL;
	if (!why) {
		cut_params(text, &r->params);
		why = addr_list_parse(&r->list, text, strlen(text));
	}
	free(text);
	return why;
}

/* The first counts: it is the injector's own. */
static bool take_sender(struct reading *r, const struct field *f)
{
	struct pickuphead *h = r->h;
	const char *why;

	if (h->sender)
		return true;
	why = take_value(r, f);
	if (!why && r->list.n > 1)
		why = "more than one address";
	if (why)
		return bad(r, "x-sender", why);
	h->sender = xstrdup(r->list.n ? r->list.found[0].addr : "");
	h->ret = r->params.ret;
	h->envid = r->params.envid;
	r->params.ret = r->params.envid = NULL;
	return true;
}

static void add_rcpt(struct reading *r, const char *addr)
{
	struct pickuphead *h = r->h;

	if (h->nrcpt == r->cap) {
		r->cap = r->cap ? 2 * r->cap : 4;
		h->rcpt = xreallocarray(h->rcpt, r->cap, sizeof *h->rcpt);
	}
	h->rcpt[h->nrcpt++] = (struct recipient){
		.addr = xstrdup(addr),
		.notify = r->params.notify ? xstrdup(r->params.notify) : NULL,
		.orcpt = r->params.orcpt ? xstrdup(r->params.orcpt) : NULL,
	};
}

static bool take_rcpt(struct reading *r, const struct field *f)
{
	const char *why = take_value(r, f);
	size_t i;

	if (!why && r->list.n == 0)
		why = "it is empty";
	if (!why && r->h->nrcpt + r->list.n > RECIPIENTS_MAX)
		why = "there are too many receivers";
	for (i = 0; !why && i < r->list.n; i++)
		if (!*r->list.found[i].addr)
			why = "it is empty";
	if (why)
		return bad(r, "x-receiver", why);
	for (i = 0; i < r->list.n; i++)
		add_rcpt(r, r->list.found[i].addr);
	return true;
}

static bool take_field(struct reading *r, const struct field *f)
{
	switch (word_of(f, r->h->ours)) {
	case WORD_SENDER:
		return take_sender(r, f);
	case WORD_RECEIVER:
		return r->again || take_rcpt(r, f);
	case WORD_RETURNED:
		if (r->again)
			return take_rcpt(r, f);
		/* fall through */
	case WORD_RECEIVED:
		r->h->done += !r->again;
		return true;
	default:
		return true;
	}
}

static bool take_block(struct reading *r, const struct block *b)
{
	struct cursor c = cursor_on(b->from, (size_t)(b->to - b->from));
	struct field f;
	bool good = true;

	r->h->ours = b->ours;
	while (good && next(&c, true, &f) == 1)
		good = take_field(r, &f);
	/* Nobody waits: a file of Badmail. */
	if (good && r->h->done > 0 && r->h->nrcpt == 0 && !r->again) {
		r->again = true;
		good = take_block(r, b);
	}
	return good;
}

/* ---- the author ------------------------------------------------------------------ */

/* Sender, else From; the first address of it.  False: more must be seen.  The
 * header's limit is the message's, and is told when that is read. */
static bool find_author(struct reading *r, struct cursor c, bool last)
{
	struct field f;
	const char *line, *why;
	bool sender = false;
	size_t n;
	int got = 0;

	if (cursor_left(&c) > HEADER_MAX)
		last = true;
	while (cursor_left(&c) > 5 && (memcmp(c.p, "From ", 5) == 0 ||
				       memcmp(c.p, ">From", 5) == 0) &&
	       cursor_line(&c, &line, &n))
		;
	while (!sender && (got = next(&c, last, &f)) == 1) {
		sender = field_is(&f, "Sender");
		if (!sender && (!field_is(&f, "From") || r->h->author))
			continue;
		why = take_value(r, &f);
		sender &= why || (r->list.n > 0 && *r->list.found[0].addr);
		if (!why && (!r->list.n || !*r->list.found[0].addr))
			continue;
		free(r->h->author);
		/* One that cannot be read is kept as it stands, so that
		 * somebody says so. */
		r->h->author = xstrdup(why ? buf_str(&r->value) :
				       r->list.found[0].addr);
	}
	return sender || got == 0;
}

/* ---- the whole ------------------------------------------------------------------- */

static bool is_refusal(const struct pickuphead *h)
{
	return h->ours && h->sender && !*h->sender && h->envid &&
		strcmp(h->envid, PICKUPHEAD_REFUSED) == 0;
}

static enum pickuphead_result parse(struct reading *r, const char *p, size_t n,
				    bool last)
{
	struct pickuphead *h = r->h;
	const char *at = p, *end = p + n;
	struct block b;
	unsigned i;

	for (i = 0;; i++) {
		if (end - at >= 3 && memcmp(at, BOM, 3) == 0)
			at += 3;
		pickuphead_free(h);
		h->file_at = (size_t)(at - p);
		b = find_block(at, end, last);
		if (b.more)
			return PICKUPHEAD_MORE;
		r->again = false;
		r->cap = 0;
		if (!take_block(r, &b))
			return PICKUPHEAD_BAD;
		at = b.to;
		if (!is_refusal(h))
			break;
		if (i == REFUSALS_MAX) {
			snprintf(r->error, 256, "it was refused too often");
			return PICKUPHEAD_BAD;
		}
	}
	h->text_at = (size_t)(at - p);
	if (!h->sender && !find_author(r, cursor_on(at, (size_t)(end - at)),
				       last))
		return PICKUPHEAD_MORE;
	return PICKUPHEAD_GOOD;
}

enum pickuphead_result pickuphead_parse(struct pickuphead *h, const char *p,
					size_t n, bool last, char *error)
{
	struct reading r = { .h = h, .error = error };
	enum pickuphead_result result;

	*h = (struct pickuphead){ 0 };
	buf_init(&r.value, HEADER_MAX);
	result = parse(&r, p, n, last);
	params_free(&r.params);
	addr_list_free(&r.list);
	buf_free(&r.value);
	return result;
}

void pickuphead_free(struct pickuphead *h)
{
	size_t i;

	for (i = 0; i < h->nrcpt; i++) {
		free((char *)h->rcpt[i].addr);
		free((char *)h->rcpt[i].notify);
		free((char *)h->rcpt[i].orcpt);
	}
	free(h->rcpt);
	free(h->sender);
	free(h->author);
	free(h->ret);
	free(h->envid);
	*h = (struct pickuphead){ 0 };
}
