/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Addresses: see addr.h.  What is known about one address, and lists of them;
 * the parser of lists is lib/addrlist.c.
 *
 * Order: lists, the check for the envelope, small questions, display names.
 */
#include "lib/addr.h"

#include "config.h"
#include "lib/buf.h"
#include "lib/codec.h"
#include "lib/util.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool addr_atom(unsigned char c)
{
	return c > ' ' && c != 127 && !strchr("()<>[]:;@\\,.\"", c);
}

static bool is_control(unsigned char c)
{
	return c < ' ' || c == 127;
}

/* ---- lists ---------------------------------------------------------- */

void addr_list_free(struct addr_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->found[i].addr);
	free(list->found);
	*list = (struct addr_list){ 0 };
}

void addr_list_add(struct addr_list *list, const char *addr)
{
	if (list->n == list->cap) {
		list->cap = list->cap ? list->cap * 2 : 8;
		list->found = xreallocarray(list->found, list->cap,
					    sizeof *list->found);
	}
	list->found[list->n++] = (struct addr_found){ .addr = xstrdup(addr) };
}

struct rank {
	const char *addr;
	size_t local, index;
};

static int compare_mailbox(const struct rank *a, const struct rank *b)
{
	size_t n = a->local < b->local ? a->local : b->local;
	int diff = memcmp(a->addr, b->addr, n);

	if (diff)
		return diff;
	if (a->local != b->local)
		return a->local < b->local ? -1 : 1;
	return strcasecmp(a->addr + n, b->addr + n);
}

static int compare_rank(const void *x, const void *y)
{
	const struct rank *a = x, *b = y;
	int diff = compare_mailbox(a, b);

	return diff ? diff : a->index < b->index ? -1 : 1;
}

/* By sorting: a hash table would be faster, until somebody sends 100,000
 * addresses that all have the same hash. */
void addr_list_dedupe(struct addr_list *list)
{
	struct rank *ranks;
	size_t kept = 0;

	if (list->n < 2)
		return;
	ranks = xcalloc(list->n, sizeof *ranks);
	for (size_t i = 0; i < list->n; i++)
		ranks[i] = (struct rank){
			.addr = list->found[i].addr, .index = i,
			.local = addr_local_len(list->found[i].addr),
		};
	qsort(ranks, list->n, sizeof *ranks, compare_rank);
	/* From the end: an address is freed only after the comparison with the
	 * one before it. */
	for (size_t i = list->n; --i;)
		if (compare_mailbox(&ranks[i - 1], &ranks[i]) == 0) {
			free(list->found[ranks[i].index].addr);
			list->found[ranks[i].index].addr = NULL;
		}
	free(ranks);
	for (size_t i = 0; i < list->n; i++)
		if (list->found[i].addr)
			list->found[kept++] = list->found[i];
	list->n = kept;
}

/* ---- the check for the envelope ------------------------------------- */

/* Labels of 1 to 63 letters, digits, "-" and "_" with dots between, 253 octets
 * in all (RFC 1035 2.3.4; the _ is in use). */
static bool domain_name(const char *s, size_t n)
{
	size_t label = 0;

	if (n == 0 || n > 253)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if (c == '.') {
			if (label == 0)
				return false;
			label = 0;
			continue;
		}
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
		if (++label > 63)
			return false;
	}
	return label > 0;
}

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 4.1.3); no other tag has
 * ever been registered. */
static bool address_literal(const char *s, size_t n)
{
	unsigned char address[16];
	char text[64];

	if (n < 3 || n - 2 >= sizeof text || s[0] != '[' || s[n - 1] != ']')
		return false;
	memcpy(text, s + 1, n - 2);
	text[n - 2] = '\0';
	if (strncasecmp(text, "IPv6:", 5) == 0)
		return inet_pton(AF_INET6, text + 5, address) == 1;
	return inet_pton(AF_INET, text, address) == 1;
}

/*
 * Atoms and quoted strings with dots between.  Dots may also come first, last
 * and doubled, which RFC 5321 4.1.2 forbids and a few old mailboxes of large
 * providers have.
 */
static const char *check_local(const char *s, size_t n)
{
	bool quote = false;

	for (size_t i = 0; i < n; i++) {
		if (quote) {
			if (s[i] == '\\')
				i++;
			else
				quote = s[i] != '"';
			if (quote)
				continue;
			if (i + 1 < n && s[i + 1] != '.')
				return "text beside a quoted string";
		} else if (s[i] == '"') {
			if (i > 0 && s[i - 1] != '.')
				return "text beside a quoted string";
			quote = true;
		} else if (s[i] == ' ') {
			return "a blank in the address";
		} else if (s[i] != '.' && !addr_atom((unsigned char)s[i])) {
			return "a character that needs quotes";
		}
	}
	return quote ? "a quoted string is not closed" : NULL;
}

const char *addr_check(const char *addr, bool bare, bool null)
{
	const char *domain = addr_domain(addr), *fault;
	size_t n = strlen(addr), local = addr_local_len(addr);

	if (n == 0)
		return null ? NULL : "the address is empty";
	if (n > ADDRESS_MAX)
		return "the address is too long";
	for (size_t i = 0; i < n; i++)
		if (is_control((unsigned char)addr[i]))
			return "a control character in the address";
	if (eight_bit(addr, n))
		return "the address is not in ASCII";
	if (local == 0 || strspn(addr, ".") == local)
		return "nothing before the @";
	fault = check_local(addr, local);
	if (fault)
		return fault;
	if (!domain)
		return bare ? NULL : "the address has no domain";
	n = strlen(domain);
	if (!domain_name(domain, n) && !address_literal(domain, n))
		return "the domain is not valid";
	return NULL;
}

/* ---- small questions ------------------------------------------------ */

const char *addr_domain(const char *addr)
{
	const char *domain = NULL;
	bool quote = false;

	for (const char *s = addr; *s; s++) {
		if (*s == '"')
			quote = !quote;
		else if (quote && *s == '\\' && s[1])
			s++;
		else if (!quote && *s == '@')
			domain = s + 1;
	}
	return domain;
}

size_t addr_local_len(const char *addr)
{
	const char *domain = addr_domain(addr);

	return domain ? (size_t)(domain - addr) - 1 : strlen(addr);
}

char *addr_qualify(const char *addr, const char *domain)
{
	size_t n = strlen(addr), more = strlen(domain);
	char *full;

	if (n == 0 || addr_domain(addr))
		return xstrdup(addr);
	full = xcalloc(n + more + 2, 1);
	memcpy(full, addr, n);
	full[n] = '@';
	memcpy(full + n + 1, domain, more);
	return full;
}

bool addr_same(const char *a, const char *b)
{
	struct rank x = { .addr = a, .local = addr_local_len(a) };
	struct rank y = { .addr = b, .local = addr_local_len(b) };

	return compare_mailbox(&x, &y) == 0;
}

bool addr_is_hostname(const char *name)
{
	return domain_name(name, strlen(name));
}

bool addr_is_fqdn(const char *name)
{
	const char *last = strrchr(name, '.');

	if (!last || !addr_is_hostname(name) || strchr(name, '_'))
		return false;
	/* RFC 3696 2: such a "top level domain" is the end of an IP address. */
	if (strspn(last + 1, "0123456789") == strlen(last + 1))
		return false;
	return name[0] != '-' && !strstr(name, ".-") && !strstr(name, "-.") &&
		name[strlen(name) - 1] != '-';
}

/* ---- display names -------------------------------------------------- */

/* Atoms as they are; but what looks like an encoded word must not become
 * one. */
static bool plain_phrase(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] != ' ' && !addr_atom((unsigned char)s[i]))
			return false;
		if (s[i] == '=' && i + 1 < n && s[i + 1] == '?')
			return false;
	}
	return true;
}

static bool put_phrase(struct buf *out, const char *s, size_t n)
{
	if (eight_bit(s, n))
		return encoded_words(out, s, n, strlen("From: "));
	if (plain_phrase(s, n))
		return buf_put(out, s, n);
	buf_putc(out, '"');
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '"' || s[i] == '\\')
			buf_putc(out, '\\');
		buf_putc(out, s[i]);
	}
	return buf_putc(out, '"');
}

void addr_phrase(char *dst, size_t size, const char *name)
{
	struct buf clean, out;
	size_t n;

	if (size == 0)
		return;
	dst[0] = '\0';
	/* More than size octets of the name cannot be written anyway. */
	buf_init(&clean, size);
	for (; *name && buf_len(&clean) < size; name++) {
		char c = is_control((unsigned char)*name) ? ' ' : *name;

		if (c != ' ' || buf_len(&clean))
			buf_putc(&clean, c);
	}
	n = buf_len(&clean);
	buf_init(&out, size - 1);
	/* What does not fit is cut, and never inside a quoted string, an
	 * encoded word or a character. */
	while (n) {
		const char *s = buf_str(&clean);

		while (n && s[n - 1] == ' ')
			n--;
		if (!n || put_phrase(&out, s, n))
			break;
		buf_clear(&out);
		n -= n / 8 + 1;
		while (n && (s[n] & 0xc0) == 0x80)
			n--;
	}
	n = buf_len(&out);
	memcpy(dst, buf_str(&out), n);
	dst[n] = '\0';
	buf_free(&out);
	buf_free(&clean);
}
