/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The envelope of a queue file: printing it, then taking it apart.  Every line
 * that is rewritten in place has its width from here and nowhere else.
 */
#include "lib/envelope.h"
#include "lib/util.h"

#include <bsd/string.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const envelope_marks[] = { "x-receiver", "x-received",
				       "x-returned" };

/* ---- printing ---------------------------------------------------------- */

void envelope_print_first(char line[ENVELOPE_FIRST_LEN + 1], size_t envelope,
			  uint64_t message)
{
	snprintf(line, ENVELOPE_FIRST_LEN + 1,
		 "x-mailroot: 1 envelope=%08zu message=%012llu\r\n", envelope,
		 (unsigned long long)message);
}

void envelope_print_created(char line[ENVELOPE_CREATED_LEN + 1],
			    const struct envelope *e)
{
	char created[21], last[STAMP_LEN + 1] = "00000000T000000Z";

	isotime_print(created, e->created);
	if (e->last)
		stamp_print(last, e->last);
	snprintf(line, ENVELOPE_CREATED_LEN + 1,
		 "x-created: %s uid=%010u attempts=%04u last=%s warned=%d\r\n",
		 created, (unsigned)e->uid,
		 e->attempts > 9999 ? 9999 : e->attempts, last, e->warned);
}

const char *envelope_body(bool eight_bit)
{
	return eight_bit ? "BODY=8BITMIME" : "BODY=7BIT    ";
}

void envelope_print_status(char dst[STATUS_OCTETS], const char *text)
{
	size_t n = strnlen(text, STATUS_OCTETS);

	memcpy(dst, text, n);
	memset(dst + n, ' ', STATUS_OCTETS - n);
}

static bool put_param(struct buf *b, const char *key, const char *value)
{
	return !value || buf_printf(b, " %s%s", key, value);
}

bool envelope_print(const struct envelope *e, struct buf *out)
{
	char first[ENVELOPE_FIRST_LEN + 1], created[ENVELOPE_CREATED_LEN + 1];
	char blank[STATUS_OCTETS];
	size_t i;

	envelope_print_first(first, 0, 0);
	envelope_print_created(created, e);
	envelope_print_status(blank, "");
	buf_puts(out, first);
	buf_puts(out, created);
	buf_printf(out, "x-sender: <%s> %s", e->sender, envelope_body(false));
	put_param(out, "RET=", e->ret);
	put_param(out, "ENVID=", e->envid);
	buf_puts(out, "\r\n");
	for (i = 0; i < e->nrcpt; i++) {
		buf_printf(out, "%s: <%s>", envelope_marks[RCPT_WAITING],
			   e->rcpt[i].addr);
		put_param(out, "NOTIFY=", e->rcpt[i].notify);
		put_param(out, "ORCPT=", e->rcpt[i].orcpt);
		buf_puts(out, "\r\nx-status: ");
		buf_put(out, blank, sizeof blank);
		buf_puts(out, "\r\n");
	}
	return !out->failed;
}

/* ---- taking apart --------------------------------------------------------- */

/* The next line of the envelope, ended by NUL in place of its CRLF; NULL at
 * the end or where a line is not ended so. */
static char *envelope_line(char **at, char *end)
{
	char *line = *at, *lf = memchr(line, '\n', (size_t)(end - line));

	if (!lf || lf == line || lf[-1] != '\r')
		return NULL;
	lf[-1] = '\0';
	*at = lf + 1;
	/* A NUL inside would make the line shorter than it is. */
	return strlen(line) == (size_t)(lf - 1 - line) ? line : NULL;
}

/* "<path> KEY=value KEY=value" in place: the path; params get the values of
 * the named keys, in any order, unknown ones passed over.  NULL: malformed. */
struct param { const char *key; const char **value; };

static char *parse_path(char *s, const struct param *params)
{
	char *path, *word;
	const struct param *p;
	bool quoted = false;

	if (*s++ != '<')
		return NULL;
	path = s;
	for (; *s && (quoted || *s != '>'); s++) {
		if (*s == '\\' && s[1])
			s++;
		else if (*s == '"')
			quoted = !quoted;
	}
	if (*s != '>')
		return NULL;
	*s++ = '\0';
	while ((word = strsep(&s, " ")) != NULL)
		for (p = params; p->key; p++)
			if (strncmp(word, p->key, strlen(p->key)) == 0)
				*p->value = word + strlen(p->key);
	return path;
}

static bool parse_created(struct envelope *e, const char *line)
{
	char digits[11];
	uint64_t n;

	if (strlen(line) != ENVELOPE_CREATED_LEN - 2 ||
	    strncmp(line, "x-created: ", 11) != 0 ||
	    !isotime_parse(line + 11, &e->created))
		return false;
	memcpy(digits, line + 36, 10);
	digits[10] = '\0';
	if (strncmp(line + 31, " uid=", 5) != 0 ||
	    !parse_number(digits, UINT32_MAX, &n))
		return false;
	e->uid = (uid_t)n;
	memcpy(digits, line + 56, 4);
	digits[4] = '\0';
	if (!parse_number(digits, 9999, &n))
		return false;
	e->attempts = (unsigned)n;
	if (!stamp_parse(line + 66, &e->last))
		e->last = 0;
	e->warned = line[ENVELOPE_CREATED_LEN - 3] == '1';
	return true;
}

static bool parse_sender(struct envelope *e, char *line)
{
	const char *body = "";
	const struct param params[] = {
		{ "BODY=", &body }, { "RET=", &e->ret },
		{ "ENVID=", &e->envid }, { NULL, NULL },
	};

	if (strncmp(line, "x-sender: ", 10) != 0)
		return false;
	e->sender = parse_path(line + 10, params);
	e->eight_bit = strcmp(body, "8BITMIME") == 0;
	e->body_at = *body ? body - 5 - e->text : 0;
	return e->sender != NULL;
}

/* Only the two exact words end a recipient's wait: a torn mark is neither. */
static enum rcpt_state parse_mark(const char *line)
{
	if (memcmp(line, envelope_marks[RCPT_DELIVERED],
		   ENVELOPE_MARK_LEN) == 0)
		return RCPT_DELIVERED;
	if (memcmp(line, envelope_marks[RCPT_RETURNED], ENVELOPE_MARK_LEN) == 0)
		return RCPT_RETURNED;
	return RCPT_WAITING;
}

/* The two lines of one recipient. */
static bool parse_rcpt(struct recipient *r, char **at, char *end,
		       const char *start)
{
	char *line, *status;
	const struct param params[] = {
		{ "NOTIFY=", &r->notify }, { "ORCPT=", &r->orcpt },
		{ NULL, NULL },
	};
	size_t n;

	r->mark_at = *at - start;
	line = envelope_line(at, end);
	r->status_at = *at - start + 10;
	status = line ? envelope_line(at, end) : NULL;
	if (!status || strncmp(line + 1, "-", 1) != 0 ||
	    strlen(line) < ENVELOPE_MARK_LEN + 2 ||
	    strncmp(line + ENVELOPE_MARK_LEN, ": ", 2) != 0 ||
	    strncmp(status, "x-status: ", 10) != 0 ||
	    strlen(status) != STATUS_OCTETS + 10)
		return false;
	r->state = parse_mark(line);
	r->addr = parse_path(line + ENVELOPE_MARK_LEN + 2, params);
	/* status has room for STATUS_OCTETS and its NUL, where it stands. */
	r->status = status + 10;
	for (n = STATUS_OCTETS; n > 0 && r->status[n - 1] == ' '; n--)
		r->status[n - 1] = '\0';
	return r->addr != NULL;
}

bool envelope_parse(struct envelope *e, char *text, size_t n)
{
	char *at = text, *end = text + n, *line;
	size_t cap = 0;

	free(e->text);
	e->text = text;
	e->nrcpt = 0;
	e->ret = e->envid = NULL;
	if (!envelope_line(&at, end))		/* x-mailroot: read before */
		return false;
	line = envelope_line(&at, end);
	if (!line || !parse_created(e, line))
		return false;
	line = envelope_line(&at, end);
	if (!line || !parse_sender(e, line))
		return false;
	while (at < end) {
		if (e->nrcpt == cap) {
			cap = cap ? 2 * cap : 4;
			e->rcpt = xreallocarray(e->rcpt, cap, sizeof *e->rcpt);
		}
		e->rcpt[e->nrcpt] = (struct recipient){ .state = RCPT_WAITING };
		if (!parse_rcpt(&e->rcpt[e->nrcpt], &at, end, text))
			return false;
		e->nrcpt++;
	}
	return e->nrcpt > 0;
}

/* "x-mailroot: 1 envelope=00000612 message=000000018234" */
bool envelope_parse_first(const char *line, uint64_t *envelope,
			  uint64_t *message)
{
	char digits[13];

	if (memcmp(line, "x-mailroot: 1 envelope=", 23) != 0 ||
	    memcmp(line + 31, " message=", 9) != 0 ||
	    memcmp(line + 52, "\r\n", 2) != 0)
		return false;
	memcpy(digits, line + 23, 8);
	digits[8] = '\0';
	if (!parse_number(digits, ENVELOPE_MAX, envelope))
		return false;
	memcpy(digits, line + 40, 12);
	digits[12] = '\0';
	return parse_number(digits, UINT64_C(999999999999), message);
}

void envelope_free(struct envelope *e)
{
	if (e->text)
		free(e->rcpt);
	free(e->text);
	*e = (struct envelope){ .sender = "" };
}
