/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * A transcript of tests/esmtp in memory: read_script makes one of a file's
 * text.  What its lines are is said in tests/esmtp/README.
 */
#ifndef TESTS_TRANSCRIPT_H
#define TESTS_TRANSCRIPT_H

#include "esmtp.h"
#include "lib/util.h"
#include "out/sasl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the transcript ----------------------------------------------------- */

struct step {
	unsigned line;
	char *word, *rest;
};

struct rcpt {
	bool settled, mentioned;
	struct reply reply;
};

struct mail {
	struct esmtp_mail m;
	struct esmtp_rcpt *to;
	struct rcpt *fate;
	struct buf text;
};

struct script {
	const char *file;
	struct step *steps;
	size_t nsteps;
	struct mail mails[8];
	size_t nmails;
	struct esmtp_setup setup;
	struct sasl_identity identity;
	uint64_t give;		/* octets of text the caller hands in */
	bool stay;		/* no QUIT at the end */
	bool together;		/* see above */
};

/* ---- small words -------------------------------------------------------- */

/* The next word of *s, which moves on; "" at the end. */
static char *word(char **s)
{
	char *w = *s + strspn(*s, " "), *end = w + strcspn(w, " ");

	*s = end + (*end != '\0');
	*end = '\0';
	return w;
}

static uint64_t number(const char *s)
{
	uint64_t v = 0;

	if (!parse_number(s, UINT64_MAX, &v))
		die(EXIT_USAGE, "not a number: \"%s\"", s);
	return v;
}

static int hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* \r \n \\ \xHH, and \{N c}: the character c N times. */
static void unescape(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s != '\\') {
			buf_putc(out, *s);
		} else if (*++s == 'r' || *s == 'n') {
			buf_putc(out, *s == 'r' ? '\r' : '\n');
		} else if (*s == 'x' && hex(s[1]) >= 0 && hex(s[2]) >= 0) {
			buf_putc(out, (char)(hex(s[1]) << 4 | hex(s[2])));
			s += 2;
		} else if (*s == '{') {
			size_t n = 0;

			for (s++; *s >= '0' && *s <= '9'; s++)
				n = n * 10 + (size_t)(*s - '0');
			while (s[0] == ' ' && s[1] && n-- > 0)
				buf_putc(out, s[1]);
			s += 2;
		} else {
			buf_putc(out, *s);
		}
	}
}

static char *unescaped(const char *s)
{
	struct buf b;
	char *copy;

	buf_init(&b, 1 << 20);
	unescape(&b, s);
	copy = xstrdup(buf_str(&b));
	buf_free(&b);
	return copy;
}

/* ---- reading a transcript ----------------------------------------------- */

/* "<a@x>" without its brackets. */
static char *path(char *w)
{
	size_t n = strlen(w);

	if (n < 2 || w[0] != '<' || w[n - 1] != '>')
		die(EXIT_USAGE, "not an address in brackets: \"%s\"", w);
	w[n - 1] = '\0';
	return unescaped(w + 1);
}

static void add_rcpt(struct mail *m, struct esmtp_rcpt to)
{
	m->to = xreallocarray(m->to, m->m.nrcpt + 1, sizeof *m->to);
	m->fate = xreallocarray(m->fate, m->m.nrcpt + 1, sizeof *m->fate);
	m->to[m->m.nrcpt++] = to;
	m->m.rcpt = m->to;
}

static void read_mail(struct script *s, char *rest)
{
	struct mail *m = &s->mails[s->nmails++];
	const char *w;

	buf_init(&m->text, 1 << 26);
	m->m.sender = path(word(&rest));
	while (*(w = word(&rest))) {
		if (strcmp(w, "8BIT") == 0)
			m->m.eight_bit = true;
		else if (strncmp(w, "RET=", 4) == 0)
			m->m.ret = xstrdup(w + 4);
		else if (strncmp(w, "ENVID=", 6) == 0)
			m->m.envid = xstrdup(w + 6);
		else
			die(EXIT_USAGE, "%s: mail: what is %s", s->file, w);
	}
}

static void read_rcpt(struct mail *m, char *rest)
{
	struct esmtp_rcpt to = { .addr = path(word(&rest)) };
	const char *w;

	while (*(w = word(&rest)))
		if (strncmp(w, "NOTIFY=", 7) == 0)
			to.notify = xstrdup(w + 7);
		else if (strncmp(w, "ORCPT=", 6) == 0)
			to.orcpt = xstrdup(w + 6);
	add_rcpt(m, to);
}

/* Lines of 64 octets, and what is left in a last one. */
static void fill(struct buf *b, uint64_t n)
{
	for (; n > 66; n -= 64)
		buf_printf(b, "%062d\r\n", 0);
	for (; n > 2; n--)
		buf_putc(b, 'z');
	buf_puts(b, "\r\n");
}

/* TLS and AUTH. */
static bool describe_auth(struct script *s, const char *w, char *rest)
{
	struct sasl_identity *id = &s->identity;

	if (strcmp(w, "tls") == 0) {
		s->setup.tls_on = strcmp(rest, "on") == 0;
		s->setup.tls = strcmp(rest, "may") == 0 ? ESMTP_TLS_MAY :
			       strcmp(rest, "must") == 0 ? ESMTP_TLS_MUST :
			       s->setup.tls;
	} else if (strcmp(w, "user") == 0) {
		s->setup.identity = id;
		id->user = *rest ? xstrdup(rest) : "";
	} else if (strcmp(w, "password") == 0 || strcmp(w, "token") == 0) {
		id->token = *w == 't';
		id->password = unescaped(rest);
	} else if (strcmp(w, "nonce") == 0) {
		id->nonce = xstrdup(rest);
	} else if (strcmp(w, "host") == 0) {
		id->host = xstrdup(word(&rest));
		id->port = (unsigned)number(rest);
	} else if (strcmp(w, "auth-allowed") == 0) {
		s->setup.auth_allowed = xstrdup(rest);
	} else if (strcmp(w, "auth-in-clear") == 0) {
		s->setup.auth_in_clear = true;
	} else {
		return false;
	}
	return true;
}

/* What only describes; false if the line is a step of the dialogue. */
static bool describe(struct script *s, const char *w, char *rest)
{
	struct mail *m = s->nmails ? &s->mails[s->nmails - 1] : NULL;
	const char *error;
	uint64_t i;

	if (strcmp(w, "mask") == 0) {
		error = verb_parse(rest, true, &s->setup.mask);
		if (error)
			die(EXIT_USAGE, "%s: %s", s->file, error);
	} else if (strcmp(w, "helo") == 0) {
		s->setup.helo = true;
	} else if (strcmp(w, "no-bdat") == 0) {
		s->setup.no_bdat = true;
	} else if (strcmp(w, "name") == 0) {
		s->setup.name = xstrdup(rest);
	} else if (strcmp(w, "stay") == 0) {
		s->stay = true;
	} else if (strcmp(w, "together") == 0) {
		s->together = true;
	} else if (describe_auth(s, w, rest)) {
		return true;
	} else if (strcmp(w, "mail") == 0 && s->nmails < 8) {
		read_mail(s, rest);
	} else if (m && strcmp(w, "rcpt") == 0) {
		read_rcpt(m, rest);
	} else if (m && strcmp(w, "rcpt-many") == 0) {
		for (i = 1; i <= number(rest); i++) {
			char name[40];

			snprintf(name, sizeof name, "r%" PRIu64 "@y", i);
			add_rcpt(m, (struct esmtp_rcpt){
					    .addr = xstrdup(name) });
		}
	} else if (m && strcmp(w, "text") == 0) {
		unescape(&m->text, rest);
		buf_puts(&m->text, "\r\n");
	} else if (m && strcmp(w, "text-raw") == 0) {
		unescape(&m->text, rest);
	} else if (m && strcmp(w, "fill") == 0) {
		fill(&m->text, number(rest));
	} else {
		return false;
	}
	return true;
}

static void read_step(struct script *s, unsigned line, const char *w,
		      const char *rest)
{
	static const char *const known[] = {
		"C:", "C-octets", "C-many", "S:", "S-lf:", "S-raw:", "S-early:",
		"S-close", "timeout", "limit", "give", "secured", "=", "!" };
	size_t i, n = sizeof known / sizeof known[0];

	for (i = 0; i < n && strcmp(known[i], w) != 0; i++)
		;
	if (i == n && (strncmp(w, "S*", 2) != 0 || !strchr(w, ':')))
		die(EXIT_USAGE, "%s line %u: what is \"%s\"", s->file, line, w);
	s->steps = xreallocarray(s->steps, s->nsteps + 1, sizeof *s->steps);
	s->steps[s->nsteps++] = (struct step){ line, xstrdup(w),
					       xstrdup(rest) };
}

static void read_script(struct script *s, char *text, size_t n)
{
	struct cursor c = cursor_on(text, n);
	unsigned line = 0;
	const char *p;
	size_t len;

	*s = (struct script){ .file = s->file, .give = UINT64_MAX };
	s->setup.name = "client.test";
	s->setup.mask = VERB_DEFAULT;
	s->identity = (struct sasl_identity){ "", "", "", 0, "", false };
	while (cursor_line(&c, &p, &len)) {
		char *copy = xstrndup(p, len), *rest = copy, *w;

		line++;
		w = word(&rest);
		if (*w && *w != '#' && !describe(s, w, rest))
			read_step(s, line, w, rest);
		free(copy);
	}
	for (len = 0; len < s->nmails; len++)
		s->mails[len].m.size = buf_len(&s->mails[len].text);
}

/* "" stands for none, and is nobody's. */
static void free_string(const char *s)
{
	if (*s)
		free((char *)(uintptr_t)s);
}

static void free_script(struct script *s)
{
	size_t i, k;

	for (i = 0; i < s->nsteps; i++) {
		free(s->steps[i].word);
		free(s->steps[i].rest);
	}
	free(s->steps);
	for (k = 0; k < s->nmails; k++) {
		struct mail *m = &s->mails[k];

		for (i = 0; i < m->m.nrcpt; i++) {
			free((char *)(uintptr_t)m->to[i].addr);
			free((char *)(uintptr_t)m->to[i].notify);
			free((char *)(uintptr_t)m->to[i].orcpt);
		}
		free((char *)(uintptr_t)m->m.sender);
		free((char *)(uintptr_t)m->m.ret);
		free((char *)(uintptr_t)m->m.envid);
		free(m->to);
		free(m->fate);
		buf_free(&m->text);
	}
	if (strcmp(s->setup.name, "client.test") != 0)
		free((char *)(uintptr_t)s->setup.name);
	free_string(s->identity.user);
	free_string(s->identity.password);
	free_string(s->identity.nonce);
	free_string(s->identity.host);
	free_string(s->setup.auth_allowed ? s->setup.auth_allowed : "");
}

#endif
