/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The syntax of settings, without knowing any setting: lines and sections,
 * the forms a value may take, host[:port], and what this machine is called.
 * conf.c gives it all a meaning.
 */
#ifndef LIB_CONFREAD_H
#define LIB_CONFREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A host name with its NUL (RFC 1035 2.3.4). */
#define HOST_SIZE 256

/* One line taken apart; both NULL for a blank line or a comment. */
struct confread_line {
	char *section;		/* the pattern in [domain pattern] */
	char *key, *value;
};

/* Takes the next line off *text, in place, without LF or CRLF.  NULL at the
 * end. */
char *confread_next(char **text);
/* Takes a line apart in place.  NULL, or a constant that ends the sentence
 * 'line 3: "the line" ...'. */
const char *confread_line(char *text, struct confread_line *line);
/* "Key=value" cut at its first "=", both sides trimmed.  False without "="
 * or without a key. */
bool confread_pair(char *text, char **key, char **value);
/* Is it a pattern for a section: a domain, *.domain, or an address literal? */
bool confread_pattern(const char *s);

/* Values.  All false if the text is anything but what is named here. */
bool confread_bool(const char *s, bool *value);
bool confread_int(const char *s, int64_t min, int64_t max, int64_t *value);
/* A number with an optional unit: time (s, m, h, d) or size (K, M, G). */
bool confread_unit(const char *s, bool time, int64_t min, int64_t max,
		   int64_t *value);
/* The next word of a list separated by commas or blanks; moves *at. */
bool confread_word(const char **at, const char **word, size_t *n);
/*
 * host, host:port, [ip], [ip]:port, [IPv6:ip], also Postfix's [host]:port
 * and an IPv4 address without brackets.  port is 0 if not given; a trailing
 * dot goes.  NULL, or a constant that ends the sentence '"the word" ...'.
 */
const char *confread_host(const char *word, size_t n, char host[HOST_SIZE],
			  bool *literal, unsigned *port);

/* How many single edits (one letter put in, left out, changed, or two
 * neighbours swapped) lie between two names; no case.  UINT_MAX for a name
 * that is longer than any setting's. */
unsigned confread_distance(const char *a, const char *b);

/* The one name in a file like /etc/mailname, if it is a legal host name. */
bool confread_mailname(char name[HOST_SIZE], const char *path);
/*
 * The full name of a machine that calls itself host: host if it has a dot,
 * else the mailname file's name if that has one, else the first name with a
 * dot on a line of the hosts file that carries host too.  No DNS.  What is
 * found nowhere stays the bare name; what is no name at all, "localhost".
 */
void confread_fqdn(char name[HOST_SIZE], const char *host,
		   const char *mailname, const char *hosts);

#endif
