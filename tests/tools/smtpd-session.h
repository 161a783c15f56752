/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * A part of smtpd.c: the course of one session, from the greeting to the end
 * of a message, and the judgement over the client.
 */
#ifndef TESTS_SMTPD_SESSION_H
#define TESTS_SMTPD_SESSION_H

#include "tests/tools/smtpd.h"

/* ---- the transaction ----------------------------------------------------- */

static void sink_path(char *path, size_t n, const struct conn *c)
{
	snprintf(path, n, "%s/.connection-%ld-%u", sink, (long)getpid(),
		 c->number);
}

static void envelope_add(struct conn *c, const char *head, const char *s)
{
	size_t old = c->envelope ? strlen(c->envelope) : 0;
	size_t more = strlen(head) + strlen(s) + 2;

	c->envelope = need(realloc(c->envelope, old + more));
	snprintf(c->envelope + old, more, "%s%s\n", head, s);
}

static void forget(struct conn *c)
{
	char path[4096];

	if (c->file) {
		fclose(c->file);
		sink_path(path, sizeof path, c);
		unlink(path);
	}
	c->file = NULL;
	free(c->envelope);
	c->envelope = NULL;
	c->mail = c->binary = c->eight = c->body = c->saw_bdat = false;
	c->rcpts = c->bad = c->line = 0;
	c->declared = c->octets = 0;
	c->at = c->prev = '\n';
}

static void begin_text(struct conn *c, const char *body)
{
	char path[4096];

	c->body = true;
	envelope_add(c, "body: ", body);
	if (!sink)
		return;
	sink_path(path, sizeof path, c);
	c->file = fopen(path, "we");
	if (!c->file)
		err(73, "%s", path);
	fprintf(c->file, "%s\n", c->envelope);
}

/* The message is ours from here.  A number that stands already belongs to a
 * server that ran before us on the same directory. */
static void keep(struct conn *c)
{
	char from[4096], to[4096];

	messages++;
	taken[c->number]++;
	do {
		serial++;
		snprintf(to, sizeof to, "%s/%04u.msg", sink ? sink : "", serial);
	} while (sink && access(to, F_OK) == 0);
	if (!sink)
		return;
	if (fclose(c->file) != 0)
		err(74, "%s", to);
	c->file = NULL;
	sink_path(from, sizeof from, c);
	if (rename(from, to) < 0)
		err(73, "%s", to);
}

/* ---- the text of a message ----------------------------------------------- */

static void text_bad(struct conn *c, unsigned bit, const char *what)
{
	if (!(c->bad & bit))
		violation(c, what);
	c->bad |= bit;
}

/* One octet of the message itself, dots already undone.  True: it ended a
 * line. */
static bool text_put(struct conn *c, int b)
{
	bool end = b == '\n' && c->prev == '\r';

	if (!c->binary) {
		if (b == '\n' && c->prev != '\r')
			text_bad(c, BAD_LF, "bare LF in the text");
		if (b != '\n' && c->prev == '\r')
			text_bad(c, BAD_CR, "bare CR in the text");
		if (b == '\0')
			text_bad(c, BAD_NUL, "NUL in the text");
		if (b > 127 && !c->eight)
			text_bad(c, BAD_8BIT,
				 "8-bit text without BODY=8BITMIME");
		if (++c->line > TEXT_LINE_MAX)
			text_bad(c, BAD_LONG, "line over 1000 octets");
	}
	if (end)
		c->line = 0;
	c->prev = b;
	c->octets++;
	if (c->file)
		putc_unlocked(b, c->file);
	return end;
}

/*
 * One octet as DATA has it.  c->at: '\n' at the begin of a line, '.' behind
 * its first dot, '\r' behind dot and CR, 0 elsewhere.  True at the end.  Only
 * CR LF ends a line: the tolerant are the ones who are smuggled through.
 */
static bool text_octet(struct conn *c, int b)
{
	int at = c->at;

	if (at == '\n' && b == '.') {
		c->at = '.';
		return false;
	}
	if (at == '.' && b == '\r') {
		c->at = '\r';
		return false;
	}
	if (at == '\r' && b == '\n')
		return true;
	if (at == '\r')
		text_put(c, '\r');
	if ((at == '.' && b != '.') || at == '\r')
		text_bad(c, BAD_DOT, "line begins with a single dot");
	c->at = text_put(c, b) ? '\n' : 0;
	return false;
}

/* ---- commands ------------------------------------------------------------ */

static void fill(struct conn *c)
{
	ssize_t n;

	while (!c->eof && c->nin < sizeof c->in) {
		n = recv(c->fd, c->in + c->nin, sizeof c->in - c->nin, 0);
		if (n > 0)
			c->nin += (size_t)n;
		else if (n < 0 && errno == EINTR)
			continue;
		else if (n < 0 && errno == EAGAIN)
			return;
		else
			c->eof = true;
	}
}

static void used(struct conn *c, size_t n)
{
	memmove(c->in, c->in + n, c->nin - n);
	c->nin -= n;
}

/* Called before a reply is sent: what stands in the buffer then, the client
 * sent without having seen it. */
static void check_waited(struct conn *c, const char *command, bool must_wait)
{
	char line[80];

	if (!must_wait && offered(c, "PIPELINING"))
		return;
	fill(c);
	if (c->nin == 0)
		return;
	snprintf(line, sizeof line, "did not wait for the reply to %s", command);
	violation(c, line);
}

static void begin_close(struct conn *c, const char *why)
{
	event(c, "%s", why);
	forget(c);
	c->closing = true;
}

/* The actions that are the same everywhere.  False: the caller goes on. */
static bool misbehave(struct conn *c, const struct rule *r)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	switch (r->action) {
	case CLOSE:
		begin_close(c, "we close");
		return true;
	case RESET:
		flush_out(c);
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
		begin_close(c, "we reset");
		c->eof = true;
		c->nout = 0;
		return true;
	case HALF:
		note(c, "S:", r->text, strlen(r->text));
		send_octets(c, r->text, strlen(r->text));
		/* FALLTHROUGH */
	case SILENT:
		event(c, "we are silent from here");
		forget(c);
		c->silent = true;
		return true;
	case DELAY:
		c->wake = now_ms() + r->ms;
		return true;
	default:
		return false;
	}
}

static void answer(struct conn *c, const struct rule *r, const char *usual)
{
	const char *text = r->action == REPLY ? r->text : usual;

	say(c, text);
	if (begins(text, "421"))
		begin_close(c, "we close after 421");
}

static bool says_yes(const struct rule *r, char class)
{
	return r->action != REPLY || r->text[0] == class;
}

/* Behind "FROM:" or "TO:": where the path ends, or NULL. */
static const char *path_end(const char *s)
{
	bool quoted = false;

	if (*s != '<')
		return NULL;
	for (; *s; s++) {
		if (*s == '\\' && s[1])
			s++;
		else if (*s == '"')
			quoted = !quoted;
		else if (*s == '>' && !quoted)
			return s[1] == '\0' || s[1] == ' ' ? s + 1 : NULL;
	}
	return NULL;
}

/* The parameters of MAIL and RCPT: only what was offered may be used. */
static bool parameters_good(struct conn *c, const char *p, bool is_mail)
{
	static const struct {
		const char *name, *keyword;
		bool mail;
	} table[] = {
		{ "SIZE=", "SIZE", true }, { "BODY=8BITMIME", "8BITMIME", true },
		{ "BODY=7BIT", "8BITMIME", true },
		{ "BODY=BINARYMIME", "BINARYMIME", true },
		{ "RET=", "DSN", true }, { "ENVID=", "DSN", true },
		{ "SMTPUTF8", "SMTPUTF8", true }, { "AUTH=", "AUTH", true },
		{ "NOTIFY=", "DSN", false }, { "ORCPT=", "DSN", false },
	};

	while (*p == ' ') {
		size_t i, n = sizeof table / sizeof *table;

		p++;
		for (i = 0; i < n; i++)
			if (begins(p, table[i].name) &&
			    table[i].mail == is_mail &&
			    offered(c, table[i].keyword))
				break;
		if (i == n)
			return false;
		if (begins(p, "SIZE="))
			c->declared = strtoull(p + 5, NULL, 10);
		if (begins(p, "BODY=8") || begins(p, "SMTPUTF8"))
			c->eight = true;
		if (begins(p, "BODY=BIN"))
			c->binary = true;
		p += strcspn(p, " ");
	}
	return *p == '\0';
}

static void do_mail(struct conn *c, const struct rule *r, const char *arg)
{
	const char *path = arg + 5, *end;

	if (!c->greeted || c->mail) {
		violation(c, c->mail ? "MAIL inside a transaction"
			     : "MAIL before EHLO or HELO");
		say(c, "503 5.5.1 not now");
		return;
	}
	end = begins(arg, "FROM:") ? path_end(path) : NULL;
	if (!end || !parameters_good(c, end, true)) {
		violation(c, "MAIL with a bad path or parameter");
		forget(c);
		say(c, end ? "555 5.5.4 not offered" : "501 5.5.2 syntax");
		return;
	}
	if (says_yes(r, '2') && size_limit && c->declared > size_limit) {
		forget(c);
		say(c, "552 5.3.4 too large");
		return;
	}
	if (says_yes(r, '2')) {
		c->mail = true;
		envelope_add(c, "mail: ", path);
	} else {
		forget(c);
	}
	answer(c, r, "250 2.1.0 ok");
}

static void do_rcpt(struct conn *c, const struct rule *r, const char *arg)
{
	const char *path = arg + 3, *end;

	end = begins(arg, "TO:") ? path_end(path) : NULL;
	if (!end || !parameters_good(c, end, false)) {
		violation(c, "RCPT with a bad path or parameter");
		say(c, end ? "555 5.5.4 not offered" : "501 5.5.2 syntax");
		return;
	}
	/* No violation: under pipelining the MAIL may have been refused. */
	if (!c->mail || c->body) {
		say(c, "503 5.5.1 MAIL first");
		return;
	}
	if (says_yes(r, '2')) {
		c->rcpts++;
		envelope_add(c, "rcpt: ", path);
	}
	answer(c, r, "250 2.1.5 ok");
}

static void do_data(struct conn *c, const struct rule *r)
{
	if (c->body)
		violation(c, "DATA behind BDAT");
	if (c->binary)
		violation(c, "DATA with BODY=BINARYMIME");
	if (c->rcpts == 0 || c->body || c->binary) {
		say(c, "554 5.5.1 no valid recipients");
		return;
	}
	answer(c, r, "354 go on");
	if (!c->closing && (r->action != REPLY || begins(r->text, "354"))) {
		begin_text(c, "DATA");
		c->state = TEXT;
	}
}

/* The octets follow the command whatever we think of it: they are read to
 * their end before anything is said. */
static void do_bdat(struct conn *c, const struct rule *r, const char *arg)
{
	char *end;

	c->chunk = strtoull(arg, &end, 10);
	c->last = strcasecmp(end, " LAST") == 0;
	c->verdict = NULL;
	if (!isdigit((unsigned char)*arg) || (*end && !c->last)) {
		violation(c, "BDAT with a bad argument");
		begin_close(c, "we close: where the next command begins "
			    "nobody knows");
		return;
	}
	if (!offered(c, "CHUNKING")) {
		violation(c, "BDAT was not offered");
		c->verdict = "502 5.5.1 what?";
	} else if (r->action == REPLY) {
		c->verdict = r->text;
	} else if (c->rcpts == 0 || (c->body && !c->saw_bdat)) {
		c->verdict = "554 5.5.1 no valid recipients";
	}
	if ((!c->verdict || c->verdict[0] == '2') && !c->body && c->rcpts) {
		c->saw_bdat = true;
		begin_text(c, "BDAT");
	}
	c->state = CHUNK;
}

/* Without arguments to think about. */
static void do_simple(struct conn *c, const struct rule *r, const char *verb)
{
	if (strcasecmp(verb, "RSET") == 0) {
		forget(c);
		answer(c, r, "250 2.0.0 ok");
	} else if (strcasecmp(verb, "NOOP") == 0) {
		say(c, "250 2.0.0 ok");
	} else if (strcasecmp(verb, "QUIT") == 0) {
		answer(c, r, "221 2.0.0 bye");
		begin_close(c, "QUIT");
	} else {
		say(c, "500 5.5.2 what?");
	}
}

static void do_hello(struct conn *c, const struct rule *r, const char *arg,
		     bool esmtp)
{
	if (*arg == '\0' || arg[strspn(arg, "abcdefghijklmnopqrstuvwxyz"
				       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789-.:[]")])
		violation(c, "no proper name in the greeting");
	forget(c);
	if (says_yes(r, '2')) {
		c->greeted = true;
		c->esmtp = esmtp;
	}
	if (r->action == REPLY)
		answer(c, r, "");
	else if (esmtp)
		say_ehlo(c);
	else
		say(c, "250 smtpd.test");
}

/* Verbs the next command must not overtake, ever (RFC 2920 3.1). */
static bool must_wait(const char *verb)
{
	static const char list[] =
		" EHLO HELO DATA QUIT NOOP VRFY EXPN TURN AUTH STARTTLS ";
	char word[16];

	snprintf(word, sizeof word, " %s ", verb);
	return strcasestr(list, word) != NULL;
}

/* One command line, without its end.  False: a delay began, come again. */
static bool command(struct conn *c, char *line)
{
	static const struct rule normal = { .action = NORMAL };
	const struct rule *r = &normal;
	char verb[9] = "";
	size_t n = strcspn(line, " ");
	const char *arg = line + n + (line[n] == ' ');

	snprintf(verb, sizeof verb, "%.*s", (int)n, line);
	if (!c->delayed)
		r = find_rule(verb, arg);
	c->delayed = r->action == DELAY;
	if (misbehave(c, r))
		return r->action != DELAY;

	if (c->refused && strcasecmp(verb, "QUIT") != 0) {
		say(c, "503 5.5.1 I said no");
	} else if (strcasecmp(verb, "EHLO") == 0) {
		do_hello(c, r, arg, true);
	} else if (strcasecmp(verb, "HELO") == 0) {
		do_hello(c, r, arg, false);
	} else if (strcasecmp(verb, "MAIL") == 0) {
		do_mail(c, r, arg);
	} else if (strcasecmp(verb, "RCPT") == 0) {
		do_rcpt(c, r, arg);
	} else if (strcasecmp(verb, "DATA") == 0) {
		do_data(c, r);
	} else if (strcasecmp(verb, "BDAT") == 0) {
		do_bdat(c, r, arg);
	} else {
		do_simple(c, r, verb);
	}
	return true;
}

/* Takes one command from the input.  False: there is none yet. */
static bool take_command(struct conn *c)
{
	char line[COMMAND_MAX + 1], verb[9] = "";
	char *lf = memchr(c->in, '\n', c->nin);
	size_t n = lf ? (size_t)(lf - c->in) : c->nin, with = n + 1;

	if (!lf && c->nin < COMMAND_MAX)
		return false;
	if (!lf || n > COMMAND_MAX) {
		violation(c, "command line without an end");
		begin_close(c, "we close");
		return false;
	}
	memcpy(line, c->in, n);
	/* Coming back from a delay: it was judged and written down before. */
	if (!c->delayed) {
		if (n == 0 || line[n - 1] != '\r')
			violation(c, "bare LF in a command");
		if (memchr(line, '\r', n > 0 ? n - 1 : 0))
			violation(c, "bare CR in a command");
		if (memchr(line, '\0', n))
			violation(c, "NUL in a command");
		for (size_t i = 0; i < n; i++)
			if ((unsigned char)line[i] > 127 &&
			    !offered(c, "SMTPUTF8")) {
				violation(c, "8-bit octet in a command");
				break;
			}
		note(c, "C:", line, n && line[n - 1] == '\r' ? n - 1 : n);
	}
	if (n > 0 && line[n - 1] == '\r')
		n--;
	line[n] = '\0';
	snprintf(verb, sizeof verb, "%.*s", (int)strcspn(line, " "), line);

	/* The line leaves the input before it is judged who waited, and
	 * returns if a delay holds it back. */
	if (!command(c, line))
		return false;
	used(c, with);
	if (!c->silent && !c->closing && c->state != CHUNK)
		check_waited(c, verb, must_wait(verb));
	return true;
}

/* ---- the end of a message ------------------------------------------------ */

static bool take_end(struct conn *c)
{
	static const struct rule normal = { .action = NORMAL };
	const struct rule *r = &normal;
	char text[64];

	if (!c->delayed)
		r = find_rule("END", c->envelope);
	c->delayed = r->action == DELAY;
	if (misbehave(c, r))
		return r->action != DELAY;

	if (c->prev == '\r' && !c->binary)
		text_bad(c, BAD_CR, "bare CR in the text");
	if (offered(c, "SIZE") && c->declared && c->octets > c->declared)
		violation(c, "more octets than SIZE= declared");
	check_waited(c, "the end of data", false);
	c->state = COMMAND;
	if (size_limit && c->octets > size_limit) {
		forget(c);
		say(c, "552 5.3.4 too large");
		return true;
	}
	if (says_yes(r, '2'))
		keep(c);
	forget(c);
	if (r->action == ACCEPT_CLOSE) {
		begin_close(c, "we close, but have the message");
		return true;
	}
	snprintf(text, sizeof text, "250 2.0.0 queued as %04u", serial);
	answer(c, r, text);
	return true;
}

static bool take_text(struct conn *c)
{
	size_t i = 0;
	bool end = false;

	while (i < c->nin && !end)
		end = text_octet(c, (unsigned char)c->in[i++]);
	used(c, i);
	if (end) {
		event(c, "%llu octets of text", (unsigned long long)c->octets);
		c->state = END;
	}
	return end;
}

static bool take_chunk(struct conn *c)
{
	size_t n = c->nin < c->chunk ? c->nin : (size_t)c->chunk;
	char text[64];

	for (size_t i = 0; i < n && c->body && c->saw_bdat; i++)
		text_put(c, (unsigned char)c->in[i]);
	used(c, n);
	c->chunk -= n;
	if (c->chunk > 0)
		return false;
	event(c, "%llu octets of text so far", (unsigned long long)c->octets);
	c->state = COMMAND;
	if (!c->verdict && c->last) {
		c->state = END;
		return true;
	}
	check_waited(c, "BDAT", false);
	if (c->verdict && c->verdict[0] == '2' && c->last && c->body)
		keep(c);
	if (c->verdict && (c->verdict[0] != '2' || c->last))
		forget(c);
	snprintf(text, sizeof text, "250 2.0.0 %llu octets so far",
		 (unsigned long long)c->octets);
	say(c, c->verdict ? c->verdict : text);
	if (c->verdict && begins(c->verdict, "421"))
		begin_close(c, "we close after 421");
	return true;
}

static bool take_greeting(struct conn *c)
{
	static const struct rule normal = { .action = NORMAL };
	const struct rule *r = &normal;
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof ss;
	char host[INET6_ADDRSTRLEN] = "", name[INET6_ADDRSTRLEN + 16];
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;

	getsockname(c->fd, (struct sockaddr *)&ss, &len);
	if (ss.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
	else
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
	snprintf(name, sizeof name, ss.ss_family == AF_INET6 ? "[%s]:%u" :
		 "%s:%u", host, ntohs(in->sin_port));
	if (!c->delayed) {
		event(c, "connected to %s", name);
		r = find_rule("CONNECT", name);
	}
	c->delayed = r->action == DELAY;
	if (misbehave(c, r))
		return r->action != DELAY;
	check_waited(c, "the connection", true);
	c->refused = !says_yes(r, '2');
	c->state = COMMAND;
	answer(c, r, "220 smtpd.test ESMTP");
	return true;
}

#endif
