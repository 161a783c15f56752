/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * main: what name we were called by, what the options say, whom to call.  The
 * options are a table: its rows are the manual's list and the text of --help,
 * and accepting one more is one more row.
 */
#include "conf.h"
#include "config.h"
#include "in/setup.h"
#include "in/submit.h"
#include "lib/codec.h"
#include "lib/log.h"
#include "lib/util.h"
#include "in/message.h"
#include "out/mailq.h"
#include "out/run.h"
#include "out/verify.h"

#include <bsd/string.h>
#include <bsd/unistd.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

/* What the command line comes to. */
struct cli {
	enum { DO_SUBMIT, DO_LIST, DO_NOTHING, DO_VERIFY, DO_HELP, DO_VERSION,
	       DO_SETTINGS, DO_MANUAL } mode;
	bool borrowed;			/* set-group-id, and not root */
	bool queue_run, flush, json, foreground, setup;
	unsigned interval;		/* of -q15m; 0: once */
	const char *conf_file;		/* -C */
	struct conf_option set[64];	/* for conf_load */
	size_t nset;
	struct submit submit;
	struct buf notify, envid, settings;
	char *const *environ_list;
};

static void usage(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), noreturn));

/* A refused command line.  The caller's text is read and thrown away first:
 * else it would die of SIGPIPE and report that instead. */
static void usage(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	complain("%s (see sendmail --help)", text);
	message_drain(STDIN_FILENO);
	exit(EXIT_USAGE);
}

/* ---- what options do ------------------------------------------------------ */

static void set(struct cli *c, const char *key, const char *value)
{
	char *text = xcalloc(strlen(key) + strlen(value) + 2, 1);

	if (c->nset == sizeof c->set / sizeof c->set[0])
		usage("too many settings on the command line");
	memcpy(text, key, strlen(key));
	text[strlen(key)] = '=';
	memcpy(text + strlen(key) + 1, value, strlen(value));
	c->set[c->nset++].text = text;
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
	if (c->nset == sizeof c->set / sizeof c->set[0])
		usage("too many settings on the command line");
	c->set[c->nset++].text = v;
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
	case 'Q':
		if (c->borrowed)
			usage("-oQ is not allowed here");
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

	(void)c;
	if (!parse_number(v, 100000, &n))
		usage("-h %s: wants a number", v);
}

static void do_X(struct cli *c, const char *v)
{
	if (c->borrowed)
		usage("-X %s is not allowed here", v);
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

static void do_b(struct cli *c, const char *v)
{
	switch (*v && !v[1] ? *v : '?') {
	case 'm': case 'a':
		break;
	case 'p':
		c->mode = DO_LIST;
		break;
	case 'i': case 'h': case 'H':
		c->mode = DO_NOTHING;
		break;
	case 'v':
		c->mode = DO_VERIFY;
		break;
	case 'D':
		c->foreground = true;
		break;
	default:
		usage("-b%s: there is no such mode", v);
	}
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

static void do_q(struct cli *c, const char *v)
{
	c->queue_run = true;
	if (!*v || strcmp(v, "f") == 0)
		return;
	c->interval = interval_of(v);
	if (!c->interval)
		usage("-q%s: wants an interval such as 15m, or nothing", v);
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
	{ "b", VALUE, 0, do_b, "mode", "m: deliver (default); p: list the "
	  "queue; v: say what would happen to an address; i: nothing to "
	  "rebuild; D: with -q15m stay in the foreground" },
	{ "q", ATTACHED, 0, do_q, "[interval]", "work off the queue once, or "
	  "again every interval (15m, 1h)" },
	{ "C", VALUE, REFUSED, do_C, "file", "read this configuration" },
	{ "O", VALUE, 0, do_O, "Key=value", "one setting, see "
	  "mailroot.conf(5)" },
	{ "o", VALUE, 0, do_o, "x[value]", "sendmail's one-letter settings: i, "
	  "d (b i q d), e (p m w e q), Q; others are accepted and ignored" },
	{ "e", VALUE, 0, do_e, "mode", "the same as -oe" },
	{ "N", VALUE, 0, do_N, "when", "delivery status reports: never, or "
	  "success,failure,delay" },
	{ "R", VALUE, 0, do_R, "what", "return hdrs or full in a report" },
	{ "V", VALUE, 0, do_V, "envid", "envelope identifier for reports" },
	{ "B", VALUE, 0, do_nothing, "type", "accepted: what the text holds is "
	  "seen from the text" },
	{ "h", VALUE, 0, do_h, "hops", "accepted: Received fields are "
	  "counted" },
	{ "A", VALUE, 0, do_nothing, "c|m", "accepted: there is one "
	  "configuration" },
	{ "L", VALUE, 0, do_nothing, "tag", "accepted: the log tag is fixed" },
	{ "p", VALUE, 0, do_nothing, "protocol", "accepted: not used" },
	{ "M", VALUE, 0, do_nothing, "x", "accepted: there are no macros" },
	{ "D", VALUE, 0, do_nothing, "file", "accepted: never opened" },
	{ "T", VALUE, 0, do_nothing, "time", "accepted: not used" },
	{ "X", VALUE, REFUSED, do_X, "file", "accepted: never opened" },
	{ "Q", VALUE, 0, do_Q, "reason", "refused: there is no quarantine" },
	{ "d", ATTACHED, 0, do_nothing, "[level]", "accepted: no debugging" },
	{ "E", ATTACHED, 0, do_nothing, "[x]", "accepted: not used" },
	{ "J", ATTACHED, 0, do_nothing, "[x]", "accepted: not used" },
	{ "G", NONE, 0, do_nothing, "", "accepted: not used" },
	{ "I", NONE, 0, do_I, "", "as newaliases: there is nothing to rebuild" },
	{ "U", NONE, 0, do_nothing, "", "accepted: not used" },
	{ "c", NONE, 0, do_nothing, "", "accepted: not used" },
	{ "m", NONE, 0, do_nothing, "", "accepted: not used" },
	{ "n", NONE, 0, do_nothing, "", "accepted: not used" },
	{ "s", NONE, 0, do_nothing, "", "accepted: From_ lines are dropped" },
	{ "x", NONE, 0, do_nothing, "", "accepted: not used" },
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
	if ((o->flags & REFUSED) && c->borrowed) {
		log_note(LOG_WARNING, "uid %u: option -%s refused",
			 (unsigned)getuid(), o->name);
		usage("-%s is not allowed here", o->name);
	}
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

/* ---- the process we were given ---------------------------------------------------- */

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

extern char **environ;
static char *fixed_environment[] = { (char *)"PATH=/usr/bin:/bin",
				     (char *)"LC_ALL=C", NULL };

static void on_signal(int number)
{
	run_signal = number;
}

/* What the caller ignores (nohup, a mailer that ignores ^C) stays ignored. */
static void catch(int number)
{
	struct sigaction sa = { .sa_handler = on_signal }, old;

	if (sigaction(number, NULL, &old) == 0 && old.sa_handler == SIG_IGN)
		return;
	sigaction(number, &sa, NULL);	/* no SA_RESTART: reads must end */
}

/*
 * The first act: descriptors, environment, signals, limits are what we know
 * them to be, whatever the caller left.  A file must never open as
 * descriptor 2, or an error line ends up in it.
 */
static void settle_process(struct cli *c)
{
	static const struct itimerval off;
	static const struct rlimit no_core;
	sigset_t none;
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			_exit(EXIT_OSERR);
	} while (fd < 3);
	closefrom(3);
	c->borrowed = getegid() != getgid() && getuid() != 0;
	c->environ_list = environ;
	environ = fixed_environment;
	umask(007);
	/* A core dump would hold passwords and other people's mail. */
	setrlimit(RLIMIT_CORE, &no_core);
	setitimer(ITIMER_REAL, &off, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	catch(SIGTERM);
	catch(SIGINT);
	catch(SIGHUP);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void personality(struct cli *c, const char *name)
{
	const char *slash = strrchr(name, '/');

	name = slash ? slash + 1 : name;
	if (strcmp(name, "mailq") == 0)
		c->mode = DO_LIST;
	else if (strcmp(name, "newaliases") == 0)
		c->mode = DO_NOTHING;
}

/* With this mode, whatever the umask. */
static void make_dir(const char *path, mode_t mode)
{
	if (mkdir(path, 0700) == 0)
		chmod(path, mode);
}

static void begin_log(void)
{
	static char path[4096];

	snprintf(path, sizeof path, "%s/log", conf()->state_dir);
	/* Only where there is no syslog is the fallback's folder needed. */
	if (access(PATH_DEVLOG, F_OK) != 0 && access(conf()->state_dir,
						     F_OK) != 0) {
		make_dir(conf()->mailroot, 0755);
		make_dir(conf()->state_dir, 02770);
	}
	log_open(conf()->log_file, conf()->log_format == LOG_JSON,
		 conf()->syslog_number, path);
}

static int queue_run(const struct cli *c)
{
	int child;

	if (!c->interval)
		return run_once(c->flush);
	if (!c->foreground && getpid() != 1) {
		child = detach();
		if (child < 0)
			die(EXIT_OSERR, "cannot start the queue runner: %s",
			    strerror(errno));
		if (child == 0)
			return EXIT_OK;
	}
	return run_repeat(c->interval, c->flush);
}

int main(int argc, char **argv)
{
	static struct cli c = { .mode = DO_SUBMIT };
	struct conf_caller caller;
	char error[512];
	int status;

	if (argc < 1)
		return EXIT_USAGE;
	settle_process(&c);
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
	caller.borrowed = c.borrowed;
	status = conf_load(c.conf_file, c.environ_list, c.set, c.nset, &caller,
			   error, sizeof error);
	if (status) {
		complain("%s", error);
		message_drain(STDIN_FILENO);
		return status;
	}
	if (c.setup) {
		status = setup(c.conf_file);
		/* A container's process 1 does both; what it lacks is said. */
		if (!c.queue_run || (status && status != EXIT_CANTCREAT))
			return status;
	}
	begin_log();
	die_quiet = conf()->error_mode == ERROR_QUIET;
	if (chdir("/") != 0)
		log_note(LOG_WARNING, "chdir /: %s", strerror(errno));
	if (c.flush && !c.queue_run)
		usage("--flush goes with -q");
	if (c.foreground && !c.interval)
		usage("-bD wants -q and an interval: sendmail -bD -q15m");
	if (c.mode == DO_LIST)
		return mailq_list(c.json);
	if (c.mode == DO_VERIFY && c.submit.nrcpt == 0)
		usage("-bv wants an address");
	if (c.mode == DO_VERIFY)
		return verify(c.submit.rcpt, c.submit.nrcpt);
	if (c.queue_run)
		return queue_run(&c);
	return submit(&c.submit);
}
