/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The syntax of settings: see confread.h.  Nothing here knows what a setting
 * means, so each form is read in one place whoever uses it.  In reading
 * order: lines, plain values, hosts, the nearest name, this machine's name.
 */
#include "lib/confread.h"
#include "lib/addr.h"
#include "lib/util.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BLANKS " \t"

/* ---- lines ----------------------------------------------------------------- */

char *confread_next(char **text)
{
	char *line = *text, *lf;

	if (!*line)
		return NULL;
	lf = strchr(line, '\n');
	*text = lf ? lf + 1 : line + strlen(line);
	if (lf)
		*lf = '\0';
	return line;
}

/* A # begins a comment at the start of a line and behind a blank: a path may
 * hold one, but nobody means the rest of "587 # submission" as a port. */
static void cut_comment(char *s)
{
	char *p;

	for (p = s; (p = strchr(p, '#')); p++)
		if (p == s || strchr(BLANKS, p[-1])) {
			*p = '\0';
			return;
		}
}

bool confread_pair(char *text, char **key, char **value)
{
	char *eq = strchr(text, '=');

	if (!eq)
		return false;
	*eq = '\0';
	*key = trim(text);
	*value = trim(eq + 1);
	return **key != '\0';
}

bool confread_pattern(const char *s)
{
	char host[HOST_SIZE];
	bool literal;
	unsigned port;

	if (*s == '[')
		return !confread_host(s, strlen(s), host, &literal, &port) &&
		       literal && port == 0;
	if (strncmp(s, "*.", 2) == 0)
		s += 2;
	return addr_is_hostname(s);
}

static const char *section_line(char *text, struct confread_line *line)
{
	size_t n = strlen(text);
	char *s;

	if (text[n - 1] != ']')
		return "has no \"]\" at its end: write [domain example.com]";
	text[n - 1] = '\0';
	s = trim(text + 1);
	n = strcspn(s, BLANKS);
	if (n != 6 || strncasecmp(s, "domain", 6) != 0)
		return "is no section known here: write [domain example.com]";
	s = trim(s + n);
	n = strlen(s);
	if (n > 1 && s[n - 1] == '.')
		s[n - 1] = '\0';
	if (!confread_pattern(s))
		return "names no domain: write [domain example.com] or "
		       "[domain *.example.com]";
	line->section = s;
	return NULL;
}

const char *confread_line(char *text, struct confread_line *line)
{
	*line = (struct confread_line){ NULL, NULL, NULL };
	cut_comment(text);
	text = trim(text);
	if (!*text)
		return NULL;
	if (*text == '[')
		return section_line(text, line);
	if (!confread_pair(text, &line->key, &line->value))
		return "is no setting: write Key = value";
	return NULL;
}

/* ---- plain values ------------------------------------------------------------- */

bool confread_bool(const char *s, bool *value)
{
	static const char *const word[] = { "false", "true", "no", "yes",
					    "off", "on", "0", "1" };
	size_t i;

	for (i = 0; i < sizeof word / sizeof word[0]; i++)
		if (strcasecmp(s, word[i]) == 0) {
			*value = i & 1;
			return true;
		}
	return false;
}

bool confread_int(const char *s, int64_t min, int64_t max, int64_t *value)
{
	bool minus = *s == '-';
	uint64_t v;

	if (!parse_number(s + minus, INT64_MAX, &v))
		return false;
	*value = minus ? -(int64_t)v : (int64_t)v;
	return *value >= min && *value <= max;
}

bool confread_unit(const char *s, bool time, int64_t min, int64_t max,
		   int64_t *value)
{
	static const char units[2][5] = { "KMG", "SMHD" };
	static const int64_t times[2][4] = { { 1 << 10, 1 << 20, 1 << 30 },
					     { 1, 60, 3600, 86400 } };
	char digits[24];
	size_t n = strspn(s, "0123456789");
	const char *unit = NULL;

	if (s[n])
		unit = strchr(units[time], toupper((unsigned char)s[n]));
	if (n == 0 || n >= sizeof digits || (s[n] && (!unit || s[n + 1])))
		return false;
	memcpy(digits, s, n);
	digits[n] = '\0';
	if (!confread_int(digits, 0, max, value))
		return false;
	if (unit) {
		int64_t factor = times[time][unit - units[time]];

		if (*value > max / factor)
			return false;
		*value *= factor;
	}
	return *value >= min;
}

bool confread_word(const char **at, const char **word, size_t *n)
{
	*word = *at + strspn(*at, BLANKS ",");
	*n = strcspn(*word, BLANKS ",");
	*at = *word + *n;
	return *n > 0;
}

/* ---- hosts ----------------------------------------------------------------------- */

static bool is_ip(int family, const char *s)
{
	unsigned char addr[sizeof(struct in6_addr)];

	return inet_pton(family, s, addr) == 1;
}

#define WRITE_HOST "write host, host:port, [ip] or [ip]:port"

/* What stands between [ and ]. */
static const char *bracketed(char *host, bool *literal)
{
	if (strncasecmp(host, "IPv6:", 5) == 0) {
		memmove(host, host + 5, strlen(host + 5) + 1);
		*literal = is_ip(AF_INET6, host);
		return *literal ? NULL : "is no IPv6 address: " WRITE_HOST;
	}
	*literal = is_ip(AF_INET, host) || is_ip(AF_INET6, host);
	/* Postfix and sendmail write [host] for "no MX"; a smart host is never
	 * looked up by MX here, so it means the same. */
	return *literal || addr_is_hostname(host)
		? NULL : "is no address: " WRITE_HOST;
}

static const char *plain(char *host, bool *literal)
{
	size_t n = strlen(host);

	if (n > 1 && host[n - 1] == '.')
		host[n - 1] = '\0';
	/* No top-level domain is a number: this never was a name. */
	*literal = is_ip(AF_INET, host);
	return *literal || addr_is_hostname(host)
		? NULL : "is no host: " WRITE_HOST;
}

const char *confread_host(const char *word, size_t n, char host[HOST_SIZE],
			  bool *literal, unsigned *port)
{
	bool bracket = *word == '[';
	int64_t number = 0;
	char *end;

	if (n >= HOST_SIZE)
		return "is too long for a host: " WRITE_HOST;
	memcpy(host, word, n);
	host[n] = '\0';
	if (is_ip(AF_INET6, host))
		return "may end in an address or a port: write [ip] or "
		       "[ip]:port";
	if (bracket) {
		memmove(host, host + 1, n);
		end = strchr(host, ']');
		if (!end)
			return "has no \"]\": " WRITE_HOST;
		*end++ = '\0';
	} else {
		end = host + strcspn(host, ":");
	}
	if (*end == ':' && !confread_int(end + 1, 1, 65535, &number))
		return "has no port from 1 to 65535 behind the colon: "
		       WRITE_HOST;
	if (*end && *end != ':')
		return "has more behind the \"]\" than a port: " WRITE_HOST;
	*end = '\0';
	*port = (unsigned)number;
	return bracket ? bracketed(host, literal) : plain(host, literal);
}

/* ---- the nearest name -------------------------------------------------------------- */

#define NAME_MAX_LEN 63

unsigned confread_distance(const char *a, const char *b)
{
	/* Three rows of the usual matrix are enough to see a swap. */
	unsigned row[3][NAME_MAX_LEN + 1], i, j;
	unsigned *before = row[0], *last = row[1], *now = row[2], *t;
	size_t na = strlen(a), nb = strlen(b);

	if (na > NAME_MAX_LEN || nb > NAME_MAX_LEN)
		return UINT_MAX;
	for (j = 0; j <= nb; j++)
		before[j] = last[j] = j;
	for (i = 1; i <= na; i++) {
		int ca = tolower((unsigned char)a[i - 1]);

		now[0] = i;
		for (j = 1; j <= nb; j++) {
			int cb = tolower((unsigned char)b[j - 1]);

			now[j] = last[j - 1] + (ca != cb);
			if (last[j] + 1 < now[j])
				now[j] = last[j] + 1;
			if (now[j - 1] + 1 < now[j])
				now[j] = now[j - 1] + 1;
			if (i > 1 && j > 1 &&
			    ca == tolower((unsigned char)b[j - 2]) &&
			    cb == tolower((unsigned char)a[i - 2]) &&
			    before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
		t = before;
		before = last;
		last = now;
		now = t;
	}
	return last[nb];
}

/* ---- this machine's name ------------------------------------------------------------ */

/* These files have one line or a few hundred; more is not one of them. */
#define NAMES_FILE_MAX (1024 * 1024)

/* Without its trailing dot into name, if it is a legal host name. */
static bool take_name(char name[HOST_SIZE], const char *s)
{
	size_t n = strlen(s);

	if (n > 1 && s[n - 1] == '.')
		n--;
	if (n >= HOST_SIZE)
		return false;
	memcpy(name, s, n);
	name[n] = '\0';
	return addr_is_hostname(name);
}

bool confread_mailname(char name[HOST_SIZE], const char *path)
{
	char *text = read_file(path, NAMES_FILE_MAX, NULL), *at = text;
	char *line;
	bool good = false;

	while (at && !good && (line = confread_next(&at))) {
		cut_comment(line);
		good = take_name(name, trim(line));
	}
	free(text);
	return good;
}

/* One line of a hosts file: does it carry host, and which full name? */
static bool hosts_line(char name[HOST_SIZE], const char *at, const char *host)
{
	char one[HOST_SIZE], full[HOST_SIZE] = "";
	const char *word;
	size_t n;
	bool ours = false;

	confread_word(&at, &word, &n);		/* the address */
	while (confread_word(&at, &word, &n)) {
		if (n >= HOST_SIZE)
			continue;
		memcpy(one, word, n);
		one[n] = '\0';
		ours |= strcasecmp(one, host) == 0;
		/* Some systems put localhost.localdomain on the same line; it
		 * is every machine's name and so none. */
		if (!*full && strncasecmp(one, "localhost.", 10) != 0 &&
		    (!take_name(full, one) || !addr_is_fqdn(full)))
			*full = '\0';
	}
	if (!ours || !*full)
		return false;
	memcpy(name, full, HOST_SIZE);
	return true;
}

void confread_fqdn(char name[HOST_SIZE], const char *host,
		   const char *mailname, const char *hosts)
{
	char bare[HOST_SIZE], *text, *at, *line;
	bool found;

	if (!take_name(bare, host))
		take_name(bare, "localhost");
	memcpy(name, bare, HOST_SIZE);
	if (addr_is_fqdn(bare))
		return;
	if (confread_mailname(name, mailname) && addr_is_fqdn(name))
		return;
	at = text = read_file(hosts, NAMES_FILE_MAX, NULL);
	found = false;
	while (at && !found && (line = confread_next(&at))) {
		cut_comment(line);
		found = hosts_line(name, trim(line), bare);
	}
	free(text);
	if (!found)
		memcpy(name, bare, HOST_SIZE);
}
