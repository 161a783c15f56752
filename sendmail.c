/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * main: what name we were called by, what the options say, whom to call.  The
 * options are a table: its rows are the manual's list and the text of --help,
 * and accepting one more is one more row.
 */
#include "conf.h"
#include "config.h"
#include "in/attempt.h"
#include "in/caller.h"
#include "in/setup.h"
#include "in/smtpd.h"
#include "in/submit.h"
#include "lib/codec.h"
#include "lib/log.h"
#include "lib/util.h"
#include "in/message.h"
#include "out/mailq.h"
#include "out/run.h"
#include "out/state.h"
#include "out/verify.h"
#include "out/watch.h"

#include <bsd/string.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* What the command line comes to. */
struct cli {
	enum { DO_SUBMIT, DO_SMTP, DO_LIST, DO_NOTHING, DO_VERIFY, DO_HELP,
	       DO_VERSION, DO_SETTINGS, DO_MANUAL } mode;
	bool queue_run, flush, json, foreground, setup;
	unsigned interval;		/* of -q15m; 0: once */
	bool select;
	struct run_filter only;		/* with it: -qI, -qR, -qS */
	const char *conf_file;		/* -C */
	struct conf_option set[128];	/* for conf_load; one a key */
	char *made[128];		/* the texts that are ours */
	size_t nset;
	struct submit submit;
	struct buf notify, envid, settings;
};

static void usage(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), noreturn));

static bool speaks_smtp;		/* -bs was there */

/* A refused command line.  The caller's text is read and thrown away first:
 * else it would die of SIGPIPE and report that instead.  A client of -bs says
 * nothing before it has heard something. */
static void usage(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (speaks_smtp)
		exit(smtpd_unable(EXIT_USAGE, text));
	complain("%s (see sendmail --help)", text);
	message_drain(STDIN_FILENO);
	exit(EXIT_USAGE);
}

enum whose_log { OF_A_LOOK, OF_A_CALLER, OF_THE_RUNNER };
static void begin_log(enum whose_log whom);

/* What borrowed rights do not allow goes to the log as well, the one that the
 * operator's settings name: somebody tries, or a program wants to be set up
 * otherwise, and the directory says which. */
static void log_refused(const char *what)
{
	static const struct conf_caller lent = { .borrowed = true };
	char error[512], uid[16];

	conf_load(NULL, NULL, NULL, 0, &lent, error, sizeof error);
	begin_log(OF_A_CALLER);
	snprintf(uid, sizeof uid, "%u", (unsigned)getuid());
	log_event(LOG_WARNING, NULL, "refused", "uid", uid, "cwd",
		  caller_directory(), "text", what, NULL);
}

static void refuse(const char *option)
{
	log_refused(option);
	usage("%s is not allowed here", option);
}

/* ---- what options do ------------------------------------------------------ */

/* "Key=value"; the last one of a key counts and takes the place of others, so
 * that no number of repeats is too many.  made: the same, if it is to be freed
 * with it; else NULL. */
static void set_text(struct cli *c, const char *text, char *made)
{
	size_t i, n = strcspn(text, "=");

	for (i = 0; i < c->nset; i++)
		if (strncasecmp(c->set[i].text, text, n + 1) == 0)
			break;
	if (i == sizeof c->set / sizeof c->set[0])
		usage("too many settings on the command line");
	free(c->made[i]);
	c->made[i] = made;
	c->set[i].text = text;
	if (i == c->nset)
		c->nset++;
}

static void set(struct cli *c, const char *key, const char *value)
{
	char *text = xcalloc(strlen(key) + strlen(value) + 2, 1);

	memcpy(text, key, strlen(key));
	text[strlen(key)] = '=';
	memcpy(text + strlen(key) + 1, value, strlen(value));
	set_text(c, text, text);
}

static void do_t(struct cli *c, const char *v)
{
	(void)v;
	c->submit.header_recipients = true;
}

static void do_i(struct cli *c, const char *v)
{
	(void)v;
	set(c, "IgnoreDots", "true");
}

static void do_f(struct cli *c, const char *v)
{
	c->submit.sender = v;
}

static void do_F(struct cli *c, const char *v)
{
	c->submit.full_name = v;
}

static void do_v(struct cli *c, const char *v)
{
	(void)v;
	set(c, "Verbose", "true");
}

static void do_C(struct cli *c, const char *v)
{
	c->conf_file = v;
}

static void do_O(struct cli *c, const char *v)
{
	if (!strchr(v, '='))
		usage("-O %s: wants Key=value", v);
	set_text(c, v, NULL);
}

static void do_e(struct cli *c, const char *v)
{
	set(c, "ErrorMode", v);
}

/* -ox: sendmail's one-letter settings; those that mean nothing here are
 * accepted, because callers have passed them for thirty years. */
static void do_o(struct cli *c, const char *v)
{
	switch (*v) {
	case 'i':
		do_i(c, "");
		break;
	case 'd':
		/* f, "in the foreground", is Exim's word for i. */
		set(c, "DeliveryMode", v[1] && strcmp(v, "df") != 0 ? v + 1 :
		    "i");
		break;
	case 'e':
		do_e(c, v[1] ? v + 1 : "p");
		break;
	case 'v':
		do_v(c, "");
		break;
	case 'Q':
		if (caller_borrows())
			refuse("-oQ");
		set(c, "QueueDirectory", v + 1);
		break;
	case '\0':
		usage("-o wants a letter");
	}
}

static void do_N(struct cli *c, const char *v)
{
	static const char *const words[] = { "SUCCESS", "FAILURE", "DELAY" };
	char list[64], *at = list, *word;
	size_t i;

	strlcpy(list, v, sizeof list);
	buf_clear(&c->notify);
	while ((word = strsep(&at, ", ")) != NULL) {
		/* RFC 3461 4.1: NEVER stands alone. */
		if (strcasecmp(word, "NEVER") == 0) {
			buf_clear(&c->notify);
			buf_puts(&c->notify, "NEVER");
			break;
		}
		for (i = 0; i < 3; i++)
			if (strcasecmp(word, words[i]) == 0)
				buf_printf(&c->notify, "%s%s",
					   buf_len(&c->notify) ? "," : "",
					   words[i]);
	}
	/* A word that is none is passed over, as Postfix does. */
	c->submit.notify = buf_len(&c->notify) ? buf_str(&c->notify) : NULL;
}

static void do_R(struct cli *c, const char *v)
{
	if (strcasecmp(v, "hdrs") == 0)
		c->submit.ret = "HDRS";
	else if (strcasecmp(v, "full") == 0)
		c->submit.ret = "FULL";
	else
		usage("-R %s: wants hdrs or full", v);
}

static void do_V(struct cli *c, const char *v)
{
	buf_clear(&c->envid);
	if (!xtext_valid(v, 100) && !xtext_encode(&c->envid, v))
		usage("-V %s: no envelope identifier", v);
	if (!buf_len(&c->envid))
		buf_puts(&c->envid, v);
	c->submit.envid = buf_len(&c->envid) <= 100 ? buf_str(&c->envid) : NULL;
}

static void do_h(struct cli *c, const char *v)
{
	uint64_t n;

	if (!parse_number(v, 100000, &n))
		usage("-h %s: wants a number", v);
	c->submit.hops = (unsigned)n;
}

/* The tag is the caller's word in a log that others read: a short one. */
static void do_L(struct cli *c, const char *v)
{
	static char tag[33];
	size_t i;

	(void)c;
	strlcpy(tag, v, sizeof tag);
	for (i = 0; tag[i]; i++)
		if (!isalnum((unsigned char)tag[i]) && !strchr("_.-", tag[i]))
			tag[i] = '_';
	log_tag(tag);
}

static void do_Q(struct cli *c, const char *v)
{
	(void)c;
	usage("-Q %s: there is no quarantine", v);
}

static void do_I(struct cli *c, const char *v)
{
	(void)v;
	c->mode = DO_NOTHING;
}

static void do_nothing(struct cli *c, const char *v)
{
	(void)c;
	(void)v;
}

/* What is asked of sendmail with -b, and what it comes to here. */
static const struct mode {
	char letter;
	int mode;			/* -1: refused, because why */
	const char *why;
} modes[] = {
	{ 'm', DO_SUBMIT, NULL },
	{ 's', DO_SMTP, NULL },
	{ 'a', DO_SUBMIT, NULL },	/* lines may end in CRLF anyway */
	{ 'p', DO_LIST, NULL },
	{ 'i', DO_NOTHING, NULL },	/* AliasFile is read as it is */
	{ 'h', DO_NOTHING, NULL },
	{ 'H', DO_NOTHING, NULL },
	{ 'v', DO_VERIFY, NULL },
	{ 'd', -1, "this is no daemon: -q15m runs the queue again and again" },
	{ 't', -1, "there are no rules to test: -bv says where mail goes" },
	{ 'P', -1, "mailq shows how much is in the queue" },
	{ 'z', -1, "the configuration is not compiled" },
	{ 'S', -1, "there is no batched SMTP" },
};

static void do_b(struct cli *c, const char *v)
{
	size_t i;

	if (strcmp(v, "D") == 0) {
		c->foreground = true;
		return;
	}
	for (i = 0; i < sizeof modes / sizeof modes[0]; i++)
		if (*v == modes[i].letter && !v[1])
			break;
	if (i == sizeof modes / sizeof modes[0])
		usage("-b%s: there is no such mode", v);
	if (modes[i].mode < 0)
		usage("-b%s: there is no such mode: %s", v, modes[i].why);
	c->mode = modes[i].mode;
	speaks_smtp = c->mode == DO_SMTP;
}

/* "15m", "1h30m", "90" (minutes): seconds; 0 if it is not that. */
static unsigned interval_of(const char *v)
{
	static const struct { char unit; unsigned seconds; } units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
		{ 'w', 604800 },
	};
	unsigned long total = 0, n;
	size_t i;

	while (*v) {
		if (!isdigit((unsigned char)*v))
			return 0;
		for (n = 0; isdigit((unsigned char)*v) && n < 1000000; v++)
			n = n * 10 + (unsigned long)(*v - '0');
		for (i = 0; i < 5 && units[i].unit != *v; i++)
			;
		if (i == 5 && *v)
			return 0;
		total += n * (i == 5 ? 60 : units[i].seconds);
		v += *v != '\0';
	}
	return total > 0 && total < 10000000 ? (unsigned)total : 0;
}

/* -qI, -qR, -qS, each with a piece of an id, a recipient, a sender. */
static const char **selector(struct cli *c, char letter)
{
	switch (letter) {
	case 'I':
		return &c->only.id;
	case 'R':
		return &c->only.rcpt;
	case 'S':
		return &c->only.sender;
	default:
		return NULL;
	}
}

static void do_q(struct cli *c, const char *v)
{
	const char **piece = selector(c, *v);

	c->queue_run = true;
	if (piece && v[1]) {
		*piece = v + 1;
		c->select = true;
		return;
	}
	/* f: "in the foreground", as it is anyway; p: sendmail's runners that
	 * stay, as ours do. */
	if (*v == 'f' || *v == 'p')
		v++;
	if (!*v)
		return;
	c->interval = interval_of(v);
	if (!c->interval)
		usage("-q%s: wants an interval such as 15m, I, R or S with a "
		      "piece of an id, a recipient or a sender, or nothing", v);
}

static void do_flush(struct cli *c, const char *v)
{
	(void)v;
	c->flush = true;
}

static void do_json(struct cli *c, const char *v)
{
	(void)v;
	c->json = true;
}

static void do_help(struct cli *c, const char *v)
{
	(void)v;
	c->mode = DO_HELP;
}

static void do_version(struct cli *c, const char *v)
{
	(void)v;
	c->mode = DO_VERSION;
}

static void do_settings(struct cli *c, const char *v)
{
	(void)v;
	c->mode = DO_SETTINGS;
}

static void do_setup(struct cli *c, const char *v)
{
	(void)v;
	c->setup = true;
}

static void do_manual(struct cli *c, const char *v)
{
	(void)v;
	c->mode = DO_MANUAL;
}

/* ---- the table ---------------------------------------------------------------- */

enum arity { NONE, VALUE, ATTACHED };	/* ATTACHED: a value only if it is
					 * part of the same word */
enum { REFUSED = 1 };			/* with borrowed rights: 64 */

/* A help that begins with "accepted" gives the reason why the letter has no
 * effect; its callers are thirty years of programs. */
static const struct option {
	const char *name;		/* one letter, or a long name */
	enum arity arity;
	int flags;
	void (*take)(struct cli *c, const char *value);
	const char *value;		/* its name in the manual */
	const char *help;
} options[] = {
	{ "t", NONE, 0, do_t, "", "read recipients from To, Cc and Bcc too" },
	{ "i", NONE, 0, do_i, "", "a lone dot does not end the message" },
	{ "f", VALUE, 0, do_f, "sender", "envelope sender; <> or '' is the "
	  "null sender; the last one counts" },
	{ "r", VALUE, 0, do_f, "sender", "the same as -f" },
	{ "F", VALUE, 0, do_F, "name", "full name for a From that is missing" },
	{ "v", NONE, 0, do_v, "", "show the SMTP dialogue on standard error" },
	{ "b", VALUE, 0, do_b, "mode", "m, a: deliver (default); s: SMTP on "
	  "standard input and output; p: list the queue; v: say what would "
	  "happen to an address; i, h, H: nothing to do; D: with -q15m stay "
	  "in the foreground" },
	{ "q", ATTACHED, 0, do_q, "[interval]", "work off the queue once, or "
	  "again every interval (15m, 1h); -qI, -qR and -qS with a piece of an "
	  "id, recipient or sender: once, these messages, due or not" },
	{ "C", VALUE, REFUSED, do_C, "file", "read this configuration" },
	{ "O", VALUE, 0, do_O, "Key=value", "one setting, see "
	  "mailroot.conf(5); with borrowed rights only those that anyone may "
	  "set" },
	{ "o", VALUE, 0, do_o, "x[value]", "sendmail's one-letter settings: i, "
	  "v, d (b i q d), e (p m w e q), Q; others are accepted: they are "
	  "about a daemon or rules that are not here" },
	{ "e", VALUE, 0, do_e, "mode", "the same as -oe" },
	{ "N", VALUE, 0, do_N, "when", "delivery status reports: never, or "
	  "success,failure,delay" },
	{ "R", VALUE, 0, do_R, "what", "return hdrs or full in a report" },
	{ "V", VALUE, 0, do_V, "envid", "envelope identifier for reports" },
	{ "h", VALUE, 0, do_h, "hops", "servers it has passed already; more "
	  "than HopCount is a loop" },
	{ "L", VALUE, 0, do_L, "tag", "a word for the log: tag=" },
	{ "B", VALUE, 0, do_nothing, "type", "accepted: what the text holds is "
	  "seen from the text" },
	{ "A", VALUE, 0, do_nothing, "c|m", "accepted: there is one "
	  "configuration, for submission too" },
	{ "p", VALUE, 0, do_nothing, "protocol", "accepted: Received says how "
	  "the message came to this program, and no more" },
	{ "M", VALUE, 0, do_nothing, "x", "accepted: there are no macros to "
	  "set" },
	{ "D", VALUE, 0, do_nothing, "file", "accepted: there is no debugging "
	  "output, and the file is never opened" },
	{ "T", VALUE, 0, do_nothing, "time", "accepted: the time in the queue "
	  "is the operator's (SmtpRemoteNDRExpireMinutes)" },
	{ "X", VALUE, REFUSED, do_nothing, "file", "accepted: the dialogue is "
	  "shown by -v, and the file is never opened" },
	{ "Q", VALUE, 0, do_Q, "reason", "refused: there is no quarantine" },
	{ "d", ATTACHED, 0, do_nothing, "[level]", "accepted: there is no "
	  "debugging output" },
	{ "E", ATTACHED, 0, do_nothing, "[x]", "accepted: a word of Sony "
	  "NEWS, for Japanese text" },
	{ "J", ATTACHED, 0, do_nothing, "[x]", "accepted: a word of Sony "
	  "NEWS, for Japanese text" },
	{ "G", NONE, 0, do_nothing, "", "accepted: mail that is passed on is "
	  "mended like any other" },
	{ "I", NONE, 0, do_I, "", "as newaliases: there is nothing to rebuild" },
	{ "U", NONE, 0, do_nothing, "", "accepted: a message is always taken "
	  "as a first submission" },
	{ "c", NONE, 0, do_nothing, "", "accepted: no mailer here is "
	  "expensive" },
	{ "m", NONE, 0, do_nothing, "", "accepted: the sender is never taken "
	  "out of a list" },
	{ "n", NONE, 0, do_nothing, "", "accepted: who writes the aliases "
	  "wants them used" },
	{ "s", NONE, 0, do_nothing, "", "accepted: From_ lines are dropped" },
	{ "x", NONE, 0, do_nothing, "", "accepted: a word of OSF/1 that does "
	  "nothing there either" },
	{ "flush", NONE, 0, do_flush, "", "with -q: now, whatever is due" },
	{ "json", NONE, 0, do_json, "", "with -bp: one JSON object a line" },
	{ "version", NONE, 0, do_version, "", "say which mailroot this is" },
	{ "help", NONE, 0, do_help, "", "this list" },
	{ "settings", NONE, 0, do_settings, "", "the settings, a line each" },
	{ "setup", NONE, 0, do_setup, "", "make user, folders and settings, "
	  "then run the queue if -q is there too; see SETUP" },
	{ "manual", NONE, 0, do_manual, "", "this list as mdoc, for the manual "
	  "page" },
	{ NULL, NONE, 0, NULL, NULL, NULL },
};

static const struct option *find(const char *name, size_t n)
{
	const struct option *o;

	for (o = options; o->name; o++)
		if (strlen(o->name) == n && memcmp(o->name, name, n) == 0)
			return o;
	return NULL;
}

static void apply(struct cli *c, const struct option *o, const char *value)
{
	char shown[32];

	snprintf(shown, sizeof shown, "-%s%s", o->name[1] ? "-" : "", o->name);
	if ((o->flags & REFUSED) && caller_borrows())
		refuse(shown);
	o->take(c, value);
}

/* One word of clustered letters; returns how many words were used. */
static int letters(struct cli *c, char **word)
{
	const char *s = word[0] + 1;
	const struct option *o;

	for (; *s; s++) {
		o = *s == '-' ? NULL : find(s, 1);
		if (!o)
			usage("unknown option -%c", isprint((unsigned char)*s) ?
			      *s : '?');
		if (o->arity == NONE) {
			apply(c, o, "");
			continue;
		}
		if (s[1] || o->arity == ATTACHED) {
			apply(c, o, s + 1);
			return 1;
		}
		if (!word[1])
			usage("-%s wants a value: -%s %s", o->name, o->name,
			      o->value);
		apply(c, o, word[1]);
		return 2;
	}
	return 1;
}

/* Options end at the first word that is none (so that no address can become
 * an option), or at --. */
static void parse(struct cli *c, char **word)
{
	const struct option *o;

	while (*word && (*word)[0] == '-' && (*word)[1]) {
		if (strcmp(*word, "--") == 0) {
			word++;
			break;
		}
		if ((*word)[1] != '-') {
			word += letters(c, word);
			continue;
		}
		o = strlen(*word) > 3 ? find(*word + 2, strlen(*word) - 2) :
			NULL;
		if (!o)
			usage("unknown option %s", *word);
		apply(c, o, "");
		word++;
	}
	c->submit.rcpt = word;
	while (word[c->submit.nrcpt])
		c->submit.nrcpt++;
}

static int help(void)
{
	const struct option *o;
	char left[40];

	printf("usage: sendmail [option ...] [recipient ...] < message\n");
	for (o = options; o->name; o++) {
		snprintf(left, sizeof left, "%s%s%s%s", o->name[1] ? "--" : "-",
			 o->name, o->arity == VALUE ? " " : "", o->value);
		printf("  %-16s %s\n", left, o->help);
	}
	return EXIT_OK;
}

/* The same list for sendmail(8); the page has it in place of @OPTIONS@. */
static int manual(void)
{
	const struct option *o;

	for (o = options; o->name; o++) {
		printf(".It Fl %s%s", o->name[1] ? "-" : "", o->name);
		if (o->arity == ATTACHED)
			printf(" Ns Op Ar %.*s", (int)strlen(o->value) - 2,
			       o->value + 1);
		else if (*o->value)
			printf(" Ar %s", o->value);
		printf("\n%s%s\n", o->help, o->flags & REFUSED ?
		       ".\nWith borrowed rights: refused." : ".");
	}
	return EXIT_OK;
}

/* Any other name, such as send-mail, is sendmail. */
static void personality(struct cli *c, const char *name)
{
	static const struct { const char *name; int mode; } names[] = {
		{ "mailq", DO_LIST }, { "newaliases", DO_NOTHING },
		{ "hoststat", DO_NOTHING }, { "purgestat", DO_NOTHING },
	};
	const char *slash = strrchr(name, '/');
	size_t i;

	name = slash ? slash + 1 : name;
	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(name, names[i].name) == 0)
			c->mode = names[i].mode;
}

/* Who only looks makes nothing. */
static void begin_log(enum whose_log whom)
{
	const char *file = conf()->log_file;
	static char path[4096];

	snprintf(path, sizeof path, "%s/log", conf()->state_dir);
	/* Only where there is no syslog is the fallback's folder needed. */
	if (whom != OF_A_LOOK &&
	    (access(PATH_DEVLOG, F_OK) != 0 || strcmp(file, "stderr") == 0) &&
	    access(conf()->state_dir, F_OK) != 0)
		state_make_folder();
	/* stderr is the runner's; what others log he finds in that file. */
	if (whom != OF_THE_RUNNER && strcmp(file, "stderr") == 0)
		file = path;
	log_open(file, conf()->log_format == LOG_JSON, conf()->syslog_number,
		 path);
}

static int queue_run(const struct cli *c)
{
	int child;

	if (!caller_is_operator()) {
		log_refused("a queue run");
		complain("a queue run is not for everybody: ask root, or a "
			 "member of the group that Operators names");
		message_drain(STDIN_FILENO);
		return EXIT_NOPERM;
	}
	if (caller_become_runner() != 0)
		die(EXIT_OSERR, "cannot become the owner of %s: %s",
		    conf()->queue_dir, strerror(errno));
	if (!c->interval)
		return run_now(c->flush, c->select ? &c->only : NULL);
	if (!c->foreground && getpid() != 1) {
		child = detach();
		if (child < 0)
			die(EXIT_OSERR, "cannot start the queue runner: %s",
			    strerror(errno));
		if (child == 0)
			return EXIT_OK;
	}
	return watch_repeat(c->interval, c->flush);
}

int main(int argc, char **argv)
{
	static struct cli c = { .mode = DO_SUBMIT };
	struct conf_caller caller;
	char error[512];
	int status, made;

	caller_settle();
	if (argc < 1)
		usage("started without a name");
	buf_init(&c.notify, 64);
	buf_init(&c.envid, 512);
	personality(&c, argv[0]);
	parse(&c, argv + 1);
	if (c.mode == DO_HELP)
		return help();
	if (c.mode == DO_MANUAL)
		return manual();
	if (c.mode == DO_VERSION) {
		printf("mailroot %s\n", MAILROOT_VERSION);
		return EXIT_OK;
	}
	if (c.mode == DO_NOTHING)
		return EXIT_OK;
	if (c.mode == DO_SETTINGS) {
		buf_init(&c.settings, 1024 * 1024);
		conf_manual(&c.settings, false);
		fputs(buf_str(&c.settings), stdout);
		return EXIT_OK;
	}
	caller = (struct conf_caller){ .borrowed = caller_borrows(),
				       .guarded = getuid() != 0 };
	status = conf_load(c.conf_file, caller_environ(), c.set, c.nset, &caller,
			   error, sizeof error);
	/* Without the settings nothing may be sent from here, but what is
	 * submitted can be left to a run that can read them. */
	if (status && !(conf_unreadable() && !c.queue_run &&
			(c.mode == DO_SUBMIT || c.mode == DO_SMTP) &&
			attempt_pickup_is_open())) {
		if (status == EXIT_USAGE && caller.borrowed)
			log_refused(error);
		if (c.mode == DO_SMTP)
			return smtpd_unable(status, error);
		complain("%s", error);
		message_drain(STDIN_FILENO);
		return status;
	}
	if (c.setup) {
		made = setup(c.conf_file);
		/* A container's process 1 does both; what it lacks is said. */
		if (!c.queue_run || (made && made != EXIT_CANTCREAT))
			return made;
	}
	begin_log(c.queue_run ? OF_THE_RUNNER : c.mode == DO_LIST ||
		  c.mode == DO_VERIFY ? OF_A_LOOK : OF_A_CALLER);
	if (status)
		log_note(LOG_ALERT, "%s", error);
	die_quiet = conf()->error_mode == ERROR_QUIET;
	if (chdir("/") != 0)
		log_note(LOG_WARNING, "chdir /: %s", strerror(errno));
	if (c.flush && !c.queue_run)
		usage("--flush goes with -q");
	if (c.select && c.interval)
		usage("-qI, -qR and -qS are for one run: leave out the "
		      "interval");
	if (c.foreground && !c.interval)
		usage("-bD wants -q and an interval: sendmail -bD -q15m");
	if (c.mode == DO_SMTP)
		return smtpd();
	if (c.mode == DO_LIST)
		return mailq_list(c.json, !caller_is_operator());
	if (c.mode == DO_VERIFY && c.submit.nrcpt == 0)
		usage("-bv wants an address");
	if (c.mode == DO_VERIFY)
		return verify(c.submit.rcpt, c.submit.nrcpt);
	if (c.queue_run)
		return queue_run(&c);
	return submit(&c.submit);
}
