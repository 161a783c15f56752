/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The forms of values: see confvalue.h.  One function and one struct confkind
 * for each form; the sentence "must be ..." is made in one place from the
 * same words that the manual page shows.  In reading order: memory, numbers
 * and words, texts, lists, the kinds, the sentence.
 */
#include "lib/confvalue.h"
#include "lib/addr.h"
#include "lib/confread.h"
#include "lib/util.h"
#include "lib/verb.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- memory ------------------------------------------------------------------ */

static struct {
	void **p;
	size_t n, cap;
} kept;

void *confvalue_keep(void *p)
{
	if (kept.n == kept.cap) {
		kept.cap = kept.cap ? kept.cap * 2 : 64;
		kept.p = xreallocarray(kept.p, kept.cap, sizeof *kept.p);
	}
	return kept.p[kept.n++] = p;
}

void confvalue_forget(void)
{
	while (kept.n > 0)
		free(kept.p[--kept.n]);
}

/* ---- numbers and words ---------------------------------------------------------- */

static void *field(const struct confvalue *v, void *base)
{
	return (char *)base + v->at;
}

static bool set_flag(const struct confvalue *v, void *base, const char *text,
		     char *why)
{
	(void)why;
	return confread_bool(text, field(v, base));
}

/* int, unsigned and enum are one size, and no range passes INT_MAX. */
static bool set_int(const struct confvalue *v, void *base, const char *text,
		    char *why)
{
	int64_t n;

	(void)why;
	if (!confread_int(text, v->min, v->max, &n))
		return false;
	*(int *)field(v, base) = (int)n;
	return true;
}

static bool set_wide(const struct confvalue *v, void *base, const char *text,
		     char *why)
{
	(void)why;
	return confread_int(text, v->min, v->max, field(v, base));
}

static bool set_seconds(const struct confvalue *v, void *base,
			const char *text, char *why)
{
	int64_t n;

	(void)why;
	if (!confread_unit(text, true, v->min, v->max, &n))
		return false;
	*(unsigned *)field(v, base) = (unsigned)n;
	return true;
}

static bool set_size(const struct confvalue *v, void *base, const char *text,
		     char *why)
{
	(void)why;
	return confread_unit(text, false, v->min, v->max, field(v, base));
}

static const struct confword *word_of(const struct confvalue *v,
				      const char *text)
{
	const struct confword *w;

	for (w = v->words; w->word; w++)
		if (strcasecmp(w->word, text) == 0)
			return w;
	return NULL;
}

static bool set_choice(const struct confvalue *v, void *base,
		       const char *text, char *why)
{
	const struct confword *w = word_of(v, text);

	(void)why;
	if (w)
		*(int *)field(v, base) = w->value;
	return w;
}

static bool set_name(const struct confvalue *v, void *base, const char *text,
		     char *why)
{
	const struct confword *w = word_of(v, text);

	(void)why;
	if (w)
		*(const char **)field(v, base) = w->word;
	return w;
}

/* ---- texts --------------------------------------------------------------------------- */

static bool set_path(const struct confvalue *v, void *base, const char *text,
		     char *why)
{
	size_t n = strlen(text);

	(void)why;
	while (n > 1 && text[n - 1] == '/')
		n--;
	*(const char **)field(v, base) = confvalue_keep(xstrndup(text, n));
	return *text == '/' || !*text;
}

static bool set_log(const struct confvalue *v, void *base, const char *text,
		    char *why)
{
	if (strcmp(text, "stderr") != 0)
		return set_path(v, base, text, why);
	*(const char **)field(v, base) = text;
	return true;
}

static bool set_host(const struct confvalue *v, void *base, const char *text,
		     char *why)
{
	size_t n = strlen(text);
	char *host;

	(void)why;
	/* Q240832: servers refuse an EHLO name that ends in a dot. */
	if (n > 1 && text[n - 1] == '.')
		n--;
	host = confvalue_keep(xstrndup(text, n));
	*(const char **)field(v, base) = host;
	return !*host || addr_is_hostname(host);
}

static bool set_address(const struct confvalue *v, void *base,
			const char *text, char *why)
{
	const char *bad = *text ? addr_check(text, true, false) : NULL;

	if (bad)
		snprintf(why, CONFVALUE_WHY, "must be an address: %s", bad);
	*(const char **)field(v, base) = text;
	return !bad;
}

static bool is_ip(int family, const char *s)
{
	unsigned char addr[sizeof(struct in6_addr)];

	return inet_pton(family, s, addr) == 1;
}

static bool set_ip(const struct confvalue *v, void *base, const char *text,
		   char *why)
{
	(void)why;
	*(const char **)field(v, base) = text;
	return !*text || is_ip(AF_INET, text) || is_ip(AF_INET6, text);
}

static bool set_either(const char *text, bool outbound, uint64_t *mask,
		       char *why)
{
	const char *bad = verb_parse(text, outbound, mask);

	if (bad)
		snprintf(why, CONFVALUE_WHY, "must be a verb mask: %s", bad);
	return !bad;
}

static bool set_mask(const struct confvalue *v, void *base, const char *text,
		     char *why)
{
	return set_either(text, true, field(v, base), why);
}

static bool set_mask_inbound(const struct confvalue *v, void *base,
			     const char *text, char *why)
{
	return set_either(text, false, field(v, base), why);
}

/* ---- lists ----------------------------------------------------------------------------- */

const char *const *confvalue_split(const char *text, size_t *count)
{
	const char **list = NULL, *word;
	size_t len, cap = 0;

	for (*count = 0; confread_word(&text, &word, &len); ++*count) {
		if (*count + 1 >= cap) {
			cap = cap ? cap * 2 : 8;
			list = xreallocarray(list, cap, sizeof *list);
		}
		list[*count] = confvalue_keep(xstrndup(word, len));
	}
	if (!list)
		list = xcalloc(1, sizeof *list);
	list[*count] = NULL;
	return confvalue_keep(list);
}

int confvalue_by_name(const void *a, const void *b)
{
	return strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, so that one name among thousands is found fast. */
static bool set_domains(const struct confvalue *v, void *base,
			const char *text, char *why)
{
	size_t n, i;
	const char **list = (const char **)confvalue_split(text, &n);

	*(const char *const **)field(v, base) = list;
	for (i = 0; i < n; i++)
		if (!addr_is_hostname(list[i])) {
			snprintf(why, CONFVALUE_WHY, "must be a list of "
				 "domains, and \"%.80s\" is none", list[i]);
			return false;
		}
	qsort(list, n, sizeof *list, confvalue_by_name);
	return true;
}

/* Written out with every port: resolvers' own parsers disagree about an IPv6
 * address without one. */
static bool set_servers(const struct confvalue *v, void *base,
			const char *text, char *why)
{
	struct buf out;
	char host[HOST_SIZE];
	size_t n, i;
	const char *const *list = confvalue_split(text, &n);
	bool literal = true;

	(void)why;
	buf_init(&out, n * (HOST_SIZE + 16) + 1);
	for (i = 0; i < n && literal; i++) {
		unsigned port = 0;

		if (is_ip(AF_INET6, list[i]))
			snprintf(host, sizeof host, "%s", list[i]);
		else if (confread_host(list[i], strlen(list[i]), host,
				       &literal, &port) || !literal)
			break;
		buf_printf(&out, strchr(host, ':') ? "%s[%s]:%u" : "%s%s:%u",
			   i ? "," : "", host, port ? port : 53);
	}
	*(const char **)field(v, base) =
		confvalue_keep(xstrdup(buf_str(&out)));
	buf_free(&out);
	return i == n;
}

/* ---- the kinds -------------------------------------------------------------------------- */

const struct confkind
confvalue_flag = { "true or false", "", set_flag },
confvalue_number = { "a number", "", set_int },
confvalue_minutes = { "a number of minutes", "", set_int },
confvalue_kbytes = { "a number of KB", "", set_wide },
confvalue_seconds = { "a time", " seconds, or with s, m, h or d",
		      set_seconds },
confvalue_size = { "a size", " octets, or with K, M or G", set_size },
confvalue_choice = { "one of ", "", set_choice },
confvalue_name = { "one of ", "", set_name },
confvalue_path = { "a path that begins with /", "", set_path },
confvalue_log = { "a path that begins with /, or stderr", "", set_log },
confvalue_host = { "a host name", "", set_host },
confvalue_address = { "an address", "", set_address },
confvalue_ip = { "an IPv4 or IPv6 address", "", set_ip },
confvalue_servers = { "a list of addresses, each ip or ip:port", "",
		      set_servers },
confvalue_mask = { "a verb mask", "", set_mask },
confvalue_mask_inbound = { "a verb mask", "", set_mask_inbound },
confvalue_domains = { "a list of domains", "", set_domains };

/* ---- the sentence -------------------------------------------------------------------------- */

void confvalue_form(const struct confvalue *v, struct buf *out)
{
	const struct confword *w;

	buf_puts(out, v->kind->form);
	for (w = v->words; w && w->word; w++)
		if (strlen(w->word) > 1)
			buf_printf(out, "%s%s", w == v->words ? "" : ", ",
				   w->word);
	if (v->min || v->max)
		buf_printf(out, " from %" PRId64 " to %" PRId64, v->min,
			   v->max);
	buf_puts(out, v->kind->unit);
}

bool confvalue_set(const struct confvalue *v, void *base, const char *text,
		   char why[CONFVALUE_WHY])
{
	struct buf form;

	why[0] = '\0';
	if (v->kind->set(v, base, text, why))
		return true;
	if (!why[0]) {
		buf_init(&form, CONFVALUE_WHY);
		confvalue_form(v, &form);
		snprintf(why, CONFVALUE_WHY, "must be %s", buf_str(&form));
		buf_free(&form);
	}
	return false;
}
