/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Looking: see mailq.h.  The names, which are the schedule, are read and
 * sorted first; then one file after another is opened, shown and forgotten, so
 * that a long queue costs its names in memory and begins to print at once.
 *
 * The form is sendmail 8's, because programs read it: the count in the first
 * line, a message's line beginning with its id, "Total requests:" behind
 * blanks at the end (Nagios' check_mailq).  All foreign text goes through
 * printable(); nothing of it begins a line.
 *
 * In reading order: the names, text, JSON, the listing.
 */
#include "out/mailq.h"
#include "conf.h"
#include "lib/addr.h"
#include "lib/reply.h"
#include "lib/util.h"
#include "out/route.h"
#include "queue.h"

#include <bsd/string.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <time.h>

/* ---- the names ------------------------------------------------------- */

struct listing {
	struct queue q;
	char (*name)[QUEUE_NAME_LEN + 1];
	size_t n, cap;
	char **foreign;			/* names that are not a message's */
	size_t nforeign;
	size_t shown;
	time_t now;
};

static bool seen(void *ctx, const char *name, time_t due, const char *id)
{
	struct listing *l = ctx;

	(void)due;
	if (!id) {
		l->foreign = xreallocarray(l->foreign, l->nforeign + 1,
					   sizeof *l->foreign);
		l->foreign[l->nforeign++] = xstrdup(name);
		return true;
	}
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 256;
		l->name = xreallocarray(l->name, l->cap, sizeof *l->name);
	}
	strlcpy(l->name[l->n++], name, sizeof *l->name);
	return true;
}

/* A name begins with its due, of fixed width. */
static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* ---- text ------------------------------------------------------------ */

/* before, text made printable, behind. */
static void show(const char *before, const char *text, const char *behind)
{
	size_t n = strlen(text);
	char *clean = xcalloc(n + 1, 1);

	printable(clean, n + 1, text, n);
	printf("%s%s%s", before, clean, behind);
	free(clean);
}

/* "2d 3h", "4m 10s": two units are enough. */
static void print_age(char *dst, size_t size, time_t seconds)
{
	static const struct { char unit; long seconds; } units[] = {
		{ 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 },
	};
	long s = seconds > 0 ? (long)seconds : 0, below;
	size_t i = 0;

	while (i < 3 && s < units[i].seconds)
		i++;
	if (i == 3) {
		snprintf(dst, size, "%lds", s);
		return;
	}
	below = s % units[i].seconds / units[i + 1].seconds;
	snprintf(dst, size, "%ld%c %ld%c", s / units[i].seconds, units[i].unit,
		 below, units[i + 1].unit);
}

static void print_time(char dst[32], time_t t)
{
	struct tm tm;

	localtime_r(&t, &tm);
	strftime(dst, 32, "%a %b %e %H:%M", &tm);
}

static void show_next(const struct message *m, time_t now)
{
	char when[32], wait[48];

	print_time(when, m->due);
	print_age(wait, sizeof wait, m->due - now);
	if (m->due > now)
		printf("%21snext attempt %s, in %s", "", when, wait);
	else
		printf("%21snext attempt: due", "");
	printf(" (%u so far)\n", m->env.attempts);
}

/* A reason ends with who said it, "(mx1.far.test)".  check_mailq counts hosts
 * where sendmail writes them: "by mx1.far.test." */
static void show_reason(const char *status)
{
	const char *paren = strrchr(status, '(');
	char host[STATUS_OCTETS + 1] = "", text[STATUS_OCTETS + 1];
	size_t n = strlen(status);

	strlcpy(text, status, sizeof text);
	if (paren && paren > status && paren[-1] == ' ' &&
	    status[n - 1] == ')') {
		strlcpy(host, paren + 1, sizeof host);
		host[strlen(host) - 1] = '\0';
	}
	printf("%21s(Deferred: ", "");
	if (strchr(host, '.') && addr_is_hostname(host)) {
		text[paren - 1 - status] = '\0';
		show("", text, " by ");
		show("", host, ".)\n");
	} else {
		show("", text, ")\n");
	}
}

static void show_text(const struct message *m, time_t now)
{
	const struct envelope *env = &m->env;
	char when[32], age[48];
	size_t i;

	print_time(when, env->created);
	print_age(age, sizeof age, now - env->created);
	printf("%-20s %8llu %s %7s ", m->id, (unsigned long long)m->text_size,
	       when, age);
	show("<", env->sender, ">\n");
	if (env->eight_bit)
		printf("%21s8BITMIME\n", "");
	show_next(m, now);
	for (i = 0; i < env->nrcpt; i++) {
		if (env->rcpt[i].state != RCPT_WAITING)
			continue;
		printf("%54s", "");
		show("<", env->rcpt[i].addr, ">\n");
		if (*env->rcpt[i].status)
			show_reason(env->rcpt[i].status);
	}
}

/* ---- JSON ------------------------------------------------------------ */

/* RFC 8259 7: what printable() leaves needs two escapes. */
static void json_string(const char *text)
{
	size_t n = strlen(text);
	char *clean = xcalloc(n + 1, 1), *s;

	printable(clean, n + 1, text, n);
	putchar('"');
	for (s = clean; *s; s++) {
		if (*s == '"' || *s == '\\')
			putchar('\\');
		putchar(*s);
	}
	putchar('"');
	free(clean);
}

static void json_pair(const char *before, const char *text)
{
	fputs(before, stdout);
	json_string(text);
}

static void json_rcpt(const struct recipient *rcpt)
{
	static const char *const states[] = { "waiting", "delivered",
					      "returned" };
	struct route route;
	char hop[512];

	route_find(&route, rcpt->addr);
	route_print(&route, hop, sizeof hop);
	json_pair("{\"address\":", rcpt->addr);
	json_pair(",\"state\":", states[rcpt->state]);
	json_pair(",\"reason\":", rcpt->status);
	json_pair(",\"hop\":", hop);
	putchar('}');
}

static void show_json(const struct message *m)
{
	const struct envelope *env = &m->env;
	char created[21], due[21];
	size_t i;

	isotime_print(created, env->created);
	isotime_print(due, m->due);
	printf("{\"id\":\"%s\",\"name\":\"%s\",\"size\":%llu,"
	       "\"created\":\"%s\",\"due\":\"%s\",\"attempts\":%u,\"uid\":%lu",
	       m->id, m->name, (unsigned long long)m->text_size, created, due,
	       env->attempts, (unsigned long)env->uid);
	json_pair(",\"sender\":", env->sender);
	fputs(",\"recipients\":[", stdout);
	for (i = 0; i < env->nrcpt; i++) {
		if (i > 0)
			putchar(',');
		json_rcpt(&env->rcpt[i]);
	}
	fputs("]}\n", stdout);
}

/* ---- the listing ----------------------------------------------------- */

static void show_unusable(const char *name, const char *why, bool json)
{
	if (json) {
		json_pair("{\"name\":", name);
		json_pair(",\"error\":", why);
		fputs("}\n", stdout);
		return;
	}
	show("*** ", name, " ");
	printf("(%s)\n", why);
}

static void show_one(struct listing *l, const char *name, bool json)
{
	struct message *m = queue_peek(&l->q, name);
	int err = errno;

	if (!m && err == ENOENT)	/* it went while we looked */
		return;
	if (!m) {
		show_unusable(name, err == EBADMSG ? "not a whole message" :
			      strerror(err), json);
		return;
	}
	if (json)
		show_json(m);
	else
		show_text(m, l->now);
	l->shown++;
	message_free(m);
}

static void show_all(struct listing *l, bool json)
{
	size_t i;

	if (!json && l->n + l->nforeign == 0)
		show("", l->q.path, " is empty\n");
	else if (!json) {
		show("\t\t", l->q.path, "");
		printf(" (%zu request%s)\n"
		       "--------Q-ID-------- --Size-- -----Q-Time----- "
		       "--Age-- --Sender/Recipient--\n", l->n,
		       l->n == 1 ? "" : "s");
	}
	for (i = 0; i < l->n && !ferror(stdout); i++)
		show_one(l, l->name[i], json);
	for (i = 0; i < l->nforeign; i++)
		show_unusable(l->foreign[i], "not ours", json);
	/* The first line counted names; what has gone since is not in here. */
	if (!json)
		printf("\t\tTotal requests: %zu\n", l->shown);
}

/* Other people's mail is not for everybody's eyes, nor how much there is. */
static void keep_mine(struct listing *l)
{
	struct message *m;
	size_t i, kept = 0;

	for (i = 0; i < l->n; i++) {
		m = queue_peek(&l->q, l->name[i]);
		if (m && m->env.uid == getuid())
			memmove(l->name[kept++], l->name[i],
				sizeof l->name[i]);
		message_free(m);
	}
	l->n = kept;
	for (i = 0; i < l->nforeign; i++)
		free(l->foreign[i]);
	l->nforeign = 0;
}

int mailq_list(bool json, bool mine)
{
	struct listing l = { .now = now_real() };
	int status = EXIT_OK, r;
	size_t i;

	r = queue_open(&l.q, conf()->queue_dir, 0);
	if (r == 0)
		r = queue_sweep(&l.q, seen, &l);
	if (r != 0 && errno != ENOENT) {
		complain("cannot read the queue %s: %s", conf()->queue_dir,
			 strerror(errno));
		status = EXIT_OSERR;
	} else {
		if (mine)
			keep_mine(&l);
		if (l.n > 0)
			qsort(l.name, l.n, sizeof *l.name, by_name);
		if (l.nforeign > 0)
			qsort(l.foreign, l.nforeign, sizeof *l.foreign,
			      by_text);
		show_all(&l, json);
		/* A listing cut short must not look like a short queue. */
		if (fflush(stdout) != 0 || ferror(stdout)) {
			if (errno != EPIPE)	/* mailq | head */
				complain("cannot write the listing: %s",
					 strerror(errno));
			status = EXIT_IOERR;
		}
	}
	queue_close(&l.q);
	for (i = 0; i < l.nforeign; i++)
		free(l.foreign[i]);
	free(l.foreign);
	free(l.name);
	return status;
}
