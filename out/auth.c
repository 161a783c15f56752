/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* One exchange of AUTH: see auth.h. */
#include "out/auth.h"
#include "lib/codec.h"
#include "lib/util.h"

#include <string.h>

/* RFC 4954 4: lines of AUTH have at most this many octets with their CRLF. */
#define LINE 12288
/* What is that long in base64, at most. */
#define RAW ((LINE - 2) / 4 * 3)
/* No mechanism of ours takes more challenges than three. */
#define ROUNDS 8

void auth_wipe(struct buf *b)
{
	if (b->mem)
		explicit_bzero(b->mem, b->cap);
	buf_clear(b);
}

/* All its memory at once: a buffer that grows leaves copies behind. */
static void secret_init(struct buf *b, size_t n)
{
	buf_init(b, n);
	buf_room(b, n);
}

void auth_init(struct auth *a)
{
	*a = (struct auth){ .mechanism = "" };
	buf_init(&a->line, LINE);
}

void auth_forget(struct auth *a)
{
	sasl_free(a->run);
	a->run = NULL;
	a->later = false;
	auth_wipe(&a->line);
}

void auth_free(struct auth *a)
{
	auth_forget(a);
	buf_free(&a->line);
}

/* raw becomes the line, and is wiped.  False: too long. */
static bool encode(struct auth *a, struct buf *raw)
{
	bool good = !raw->failed;

	auth_wipe(&a->line);
	buf_room(&a->line, LINE);
	good = good && base64_encode(&a->line, buf_data(raw), buf_len(raw));
	auth_wipe(raw);
	buf_free(raw);
	a->line.failed = !good;
	return good;
}

size_t auth_command(struct auth *a, const char *mechanism,
		    const struct sasl_identity *who, struct buf *out)
{
	size_t before = buf_len(out), shown;
	struct buf raw;

	auth_forget(a);
	a->mechanism = mechanism;
	a->rounds = 0;
	a->run = sasl_new(mechanism, who);
	if (!a->run)
		bug("a mechanism was chosen that is not known");
	buf_printf(out, "AUTH %s", mechanism);
	secret_init(&raw, RAW);
	if (!sasl_initial(a->run, &raw)) {
		auth_wipe(&raw);
		buf_free(&raw);
		return buf_len(out) - before;
	}
	/* RFC 4954 4: one that makes the line too long is kept for an empty
	 * challenge; one that is empty is "=". */
	shown = buf_len(out) - before + 1;
	a->later = !encode(a, &raw) ||
		   shown + buf_len(&a->line) + 2 > LINE;
	if (a->later)
		return shown - 1;
	buf_room(out, LINE);	/* nothing secret is moved when it grows */
	buf_putc(out, ' ');
	if (buf_len(&a->line))
		buf_put(out, buf_data(&a->line), buf_len(&a->line));
	else
		buf_putc(out, '=');
	return shown;
}

const char *auth_challenge(struct auth *a, const char *p, size_t n)
{
	struct buf challenge, raw;
	const char *why;

	if (a->rounds++ == ROUNDS)
		return "challenges without end";
	if (a->later) {
		a->later = false;
		return n ? "the first challenge is not empty" :
		       a->line.failed ? "the response is too long" : NULL;
	}
	buf_init(&challenge, LINE);
	if (!base64_decode(&challenge, p, n)) {
		buf_free(&challenge);
		return "the challenge is not base64";
	}
	secret_init(&raw, RAW);
	why = sasl_step(a->run, buf_data(&challenge), buf_len(&challenge),
			&raw);
	buf_free(&challenge);
	if (!encode(a, &raw) && !why)
		why = "the response is too long";
	return why;
}

void auth_response(struct auth *a, struct buf *out)
{
	buf_room(out, LINE);
	buf_put(out, buf_data(&a->line), buf_len(&a->line));
}

const char *auth_finish(struct auth *a)
{
	return sasl_finish(a->run);
}

static bool is_base64(char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
	       c == '+' || c == '/' || c == '=';
}

/* By its first octets: what is repeated is often cut, at its end. */
void auth_hide(const struct auth *a, char *line, size_t n)
{
	size_t i, begin = buf_len(&a->line) < 8 ? buf_len(&a->line) : 8;

	for (i = 0; begin && i + begin <= n; i++)
		if (memcmp(line + i, buf_data(&a->line), begin) == 0)
			for (; i < n && is_base64(line[i]); i++)
				line[i] = '*';
}
