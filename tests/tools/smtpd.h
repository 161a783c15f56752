/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * A part of smtpd.c: what it knows of a connection, the rules, the dialogue
 * file, and replies.  Functions stand here because the Makefile builds a tool
 * from one file.
 */
#ifndef TESTS_SMTPD_H
#define TESTS_SMTPD_H

#include <arpa/inet.h>
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LISTENERS_MAX	256	/* a host for each of 200 domains */
#define RULES_MAX	64
#define CONNS_MAX	1000
#define COMMAND_MAX	4096	/* RFC 5321 says 512, extensions add to it */
#define TEXT_LINE_MAX	1000	/* RFC 5321 4.5.3.1.6, with its CRLF */
#define CLOSE_WAIT_MS	1000	/* how long a closed client may go on talking */
#define LAST_WAIT_MS	2000	/* after -n messages, for QUIT and the like */

enum action { NORMAL, REPLY, CLOSE, RESET, SILENT, DELAY, ACCEPT_CLOSE, HALF };

struct rule {
	char command[8];
	bool has_regex;
	regex_t regex;
	unsigned only, seen;	/* "#n", 0: always; times it fitted */
	enum action action;
	const char *text;
	int ms;
};

/* GREET, END and the others are also where a delay stops and goes on. */
enum state { GREET, COMMAND, TEXT, CHUNK, END, LINGER };

/* What is wrong with the text; each is counted once a message, because one
 * habit of a client makes a million of them. */
enum {
	BAD_LF = 1, BAD_CR = 2, BAD_NUL = 4, BAD_LONG = 8, BAD_8BIT = 16,
	BAD_DOT = 32,
};

struct conn {
	int fd;
	unsigned number;
	enum state state;
	bool esmtp, greeted, refused, eof, silent, delayed, closing;
	int64_t wake;		/* a delay or lingering ends then; 0: none */
	/* the transaction */
	bool mail, binary, eight, body, saw_bdat;
	char *envelope;		/* the lines of the file, as far as known */
	unsigned rcpts;
	uint64_t declared, octets;
	FILE *file;		/* NULL until the text begins, or no -d */
	/* the text */
	uint64_t chunk;		/* octets of this BDAT still to come */
	bool last;
	int at, prev;		/* in DATA: see text_octet; last octet put */
	unsigned line, bad;	/* octets in this line; BAD_ seen */
	const char *verdict;	/* what to say after a chunk; NULL: usual */
	char in[32768];
	size_t nin;
	char *out;
	size_t nout, capout;
};

static struct rule rules[RULES_MAX];
static unsigned nrules;
static int listeners[LISTENERS_MAX];
static unsigned nlisteners;
static struct conn *conns[CONNS_MAX];
static unsigned nconns, most_conns, violations, serial;
static unsigned *taken;			/* messages by connection number */
static unsigned ntaken, messages, enough;
static const char *sink;
static FILE *dialogue;
static const char *offers = "PIPELINING,SIZE 52428800,8BITMIME,CHUNKING,DSN,"
	"ENHANCEDSTATUSCODES";
static uint64_t size_limit;
static volatile sig_atomic_t told_to_end;

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void *need(void *p)
{
	if (!p)
		err(71, "memory");
	return p;
}

/* ---- the dialogue file --------------------------------------------------- */

/* One line, made printable: what a client sends is shown, never obeyed. */
static void note(const struct conn *c, const char *who, const char *s,
		 size_t n)
{
	if (!dialogue)
		return;
	fprintf(dialogue, "%u %s ", c->number, who);
	for (size_t i = 0; i < n; i++) {
		unsigned char b = (unsigned char)s[i];

		if (b < ' ' || b > '~')
			fprintf(dialogue, "\\x%02x", b);
		else
			putc(b, dialogue);
	}
	putc('\n', dialogue);
	fflush(dialogue);
}

static void event(const struct conn *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void event(const struct conn *c, const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	note(c, "--", line, strlen(line));
}

static void violation(const struct conn *c, const char *what)
{
	violations++;
	note(c, "V:", what, strlen(what));
}

/* ---- output -------------------------------------------------------------- */

static void send_octets(struct conn *c, const char *s, size_t n)
{
	if (c->nout + n > c->capout) {
		c->capout = (c->nout + n) * 2;
		c->out = need(realloc(c->out, c->capout));
	}
	memcpy(c->out + c->nout, s, n);
	c->nout += n;
}

/* Lines are separated by LF or by a backslash and n, as rules have them. */
static void say(struct conn *c, const char *text)
{
	for (;;) {
		const char *nl = strstr(text, "\\n"), *lf = strchr(text, '\n');
		const char *end = nl && (!lf || nl < lf) ? nl : lf;
		size_t n = end ? (size_t)(end - text) : strlen(text);

		note(c, "S:", text, n);
		send_octets(c, text, n);
		send_octets(c, "\r\n", 2);
		if (!end)
			break;
		text = end + (end == nl ? 2 : 1);
	}
}

static void flush_out(struct conn *c)
{
	ssize_t n;

	while (c->nout > 0) {
		n = send(c->fd, c->out, c->nout, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {		/* gone: what is left has no reader */
			c->eof = true;
			c->nout = 0;
			return;
		}
		memmove(c->out, c->out + n, c->nout - (size_t)n);
		c->nout -= (size_t)n;
	}
}

/* ---- rules --------------------------------------------------------------- */

static bool begins(const char *s, const char *head)
{
	return strncasecmp(s, head, strlen(head)) == 0;
}

static void add_rule(const char *spec)
{
	static const struct { const char *name; enum action action; } names[] = {
		{ "reply ", REPLY }, { "close", CLOSE }, { "reset", RESET },
		{ "silent", SILENT }, { "delay ", DELAY },
		{ "accept-then-close", ACCEPT_CLOSE }, { "half ", HALF },
	};
	static const char known[] =
		" CONNECT EHLO HELO MAIL RCPT DATA BDAT END RSET QUIT ";
	const char *blank = strchr(spec, ' '), *text;
	struct rule *r = &rules[nrules];
	char *head, *regex, *hash, *digits, word[16];

	if (!blank || nrules == RULES_MAX)
		errx(64, "rule without an action, or too many: %s", spec);
	head = need(strndup(spec, (size_t)(blank - spec)));
	hash = strrchr(head, '#');
	digits = hash ? hash + 1 : NULL;
	if (digits && *digits && !digits[strspn(digits, "0123456789")]) {
		r->only = (unsigned)strtoul(digits, NULL, 10);
		*hash = '\0';
	}
	regex = strchr(head, '/');
	if (regex) {
		*regex++ = '\0';
		r->has_regex = true;
		if (regcomp(&r->regex, regex,
			    REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0)
			errx(64, "not a regular expression: %s", regex);
	}
	snprintf(r->command, sizeof r->command, "%s", head);
	snprintf(word, sizeof word, " %s ", head);
	if (!strstr(known, word))
		errx(64, "no such command in rule: %s", spec);
	free(head);

	text = blank + strspn(blank, " ");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (begins(text, names[i].name)) {
			r->action = names[i].action;
			r->text = text + strlen(names[i].name);
		}
	if (r->action == NORMAL)
		errx(64, "no such action in rule: %s", spec);
	if (r->action == ACCEPT_CLOSE && strcmp(r->command, "END") != 0)
		errx(64, "accept-then-close is for END: %s", spec);
	if (r->action == DELAY)
		r->ms = (int)strtoul(r->text, NULL, 10);
	nrules++;
}

/* Every rule counts, the first that fits wins. */
static const struct rule *find_rule(const char *command, const char *argument)
{
	static const struct rule normal = { .action = NORMAL };
	const struct rule *found = &normal;

	for (unsigned i = 0; i < nrules; i++) {
		struct rule *r = &rules[i];

		if (strcasecmp(r->command, command) != 0 || (r->has_regex &&
		    regexec(&r->regex, argument, 0, NULL, 0) != 0))
			continue;
		r->seen++;
		if (found == &normal && (!r->only || r->only == r->seen))
			found = r;
	}
	return found;
}

/* ---- what EHLO offers ---------------------------------------------------- */

static bool offered(const struct conn *c, const char *keyword)
{
	size_t n = strlen(keyword);
	const char *p = offers;

	while (c->esmtp && p && *p) {
		if (strncasecmp(p, keyword, n) == 0 &&
		    (p[n] == '\0' || p[n] == ',' || p[n] == ' '))
			return true;
		p = strchr(p, ',');
		p = p ? p + 1 : NULL;
	}
	return false;
}

static void say_ehlo(struct conn *c)
{
	const char *p = offers;
	char line[512];

	snprintf(line, sizeof line, "250%csmtpd.test", *p ? '-' : ' ');
	say(c, line);
	while (*p) {
		size_t n = strcspn(p, ",");

		snprintf(line, sizeof line, "250%c%.*s", p[n] ? '-' : ' ',
			 (int)n, p);
		say(c, line);
		p += n + (p[n] != '\0');
	}
}

#endif
