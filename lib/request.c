/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Requests: see request.h.  The one idea: two tables.  A command is a row that
 * says the form of its argument, when it may come and which verb must have
 * been offered; a parameter is a row that says for which command, under which
 * verb, and who reads its value.
 *
 * In reading order: the commands, refusing, paths, parameters, the forms of
 * arguments, one line.
 */
#include "lib/request.h"
#include "lib/addr.h"
#include "lib/codec.h"
#include "lib/util.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- the commands ----------------------------------------------------------- */

enum { FORM_NONE, FORM_ANY, FORM_SOME, FORM_HOST, FORM_NODE, FORM_PATH,
       FORM_CHUNK };

/* When a command may come. */
enum {
	WITH_MAIL = 1,		/* after MAIL */
	WITH_RCPT = 2,		/* after RCPT */
	NO_MAIL = 4,		/* not in a transaction */
	NO_CHUNKS = 8,		/* not between the chunks of BDAT */
};

/* MAIL needs no greeting before it: sendmail 8 does not ask for one either,
 * and scripts have relied on that. */
const struct request_command request_commands[] = {
	{ "HELO", REQUEST_HELO, FORM_HOST, 0, 0, "HELO name" },
	{ "EHLO", REQUEST_EHLO, FORM_HOST, 0, 0, "EHLO name" },
	{ "MAIL", REQUEST_MAIL, FORM_PATH, NO_MAIL, 0,
	  "MAIL FROM:<sender> [parameters]" },
	{ "RCPT", REQUEST_RCPT, FORM_PATH, WITH_MAIL | NO_CHUNKS, 0,
	  "RCPT TO:<recipient> [parameters]" },
	{ "DATA", REQUEST_DATA, FORM_NONE, WITH_MAIL | WITH_RCPT | NO_CHUNKS, 0,
	  "DATA" },
	{ "BDAT", REQUEST_BDAT, FORM_CHUNK, WITH_MAIL | WITH_RCPT,
	  VERB_CHUNKING, "BDAT octets [LAST]" },
	{ "RSET", REQUEST_RSET, FORM_NONE, 0, 0, "RSET" },
	{ "NOOP", REQUEST_NOOP, FORM_ANY, 0, 0, "NOOP [text]" },
	{ "VRFY", REQUEST_VRFY, FORM_SOME, 0, 0, "VRFY address" },
	{ "HELP", REQUEST_HELP, FORM_ANY, 0, 0, "HELP [command]" },
	{ "ETRN", REQUEST_ETRN, FORM_NODE, NO_MAIL, VERB_ETRN, "ETRN domain" },
	{ "QUIT", REQUEST_QUIT, FORM_NONE, 0, 0, "QUIT" },
	{ "EXPN", REQUEST_UNBUILT, FORM_ANY, 0, 0, "" },
	{ "TURN", REQUEST_UNBUILT, FORM_ANY, 0, 0, "" },
	{ "ATRN", REQUEST_UNBUILT, FORM_ANY, 0, 0, "" },
	{ "STARTTLS", REQUEST_UNBUILT, FORM_ANY, 0, 0, "" },
	{ "AUTH", REQUEST_UNBUILT, FORM_ANY, 0, 0, "" },
	{ "BURL", REQUEST_UNBUILT, FORM_ANY, 0, 0, "" },
	{ "SEND", REQUEST_UNBUILT, FORM_ANY, 0, 0, "" },
	{ "SOML", REQUEST_UNBUILT, FORM_ANY, 0, 0, "" },
	{ "SAML", REQUEST_UNBUILT, FORM_ANY, 0, 0, "" },
	{ "VERB", REQUEST_UNBUILT, FORM_ANY, 0, 0, "" },
	{ "XCLIENT", REQUEST_UNBUILT, FORM_ANY, 0, 0, "" },
	{ "XFORWARD", REQUEST_UNBUILT, FORM_ANY, 0, 0, "" },
	{ NULL, REQUEST_UNBUILT, FORM_ANY, 0, 0, NULL },
};

uint64_t request_offers(uint64_t mask)
{
	return mask & REQUEST_BUILT;
}

/* ---- refusing ---------------------------------------------------------------- */

/* False, so that a reader of arguments can end with it. */
static bool refuse(struct request *q, int code, const char *status,
		   const char *text)
{
	reply_local(&q->refusal, REPLY_TO_HOST, code, status, "%s", text);
	return false;
}

static bool wrong_argument(struct request *q)
{
	reply_local(&q->refusal, REPLY_TO_HOST, 501, "5.5.4", "syntax: %s",
		    q->command->usage);
	return false;
}

/* RFC 3463 3.2: the sender and the recipient have a number each. */
static bool bad_address(struct request *q, const char *why)
{
	bool sender = q->command->verb == REQUEST_MAIL;

	reply_local(&q->refusal, REPLY_TO_HOST, 501, sender ? "5.1.7" : "5.1.3",
		    "the %s is no address: %s", sender ? "sender" : "recipient",
		    why);
	return false;
}

/* ---- paths (RFC 5321 4.1.2) ---------------------------------------------------- */

static char *skip_blanks(char *s)
{
	return s + strspn(s, " ");
}

/* The > that ends the path; one in quotes does not.  NULL: there is none. */
static char *path_end(char *s)
{
	bool quoted = false;

	for (; *s && (quoted || *s != '>'); s++) {
		if (quoted && *s == '\\' && s[1])
			s++;
		else if (*s == '"')
			quoted = !quoted;
	}
	return *s ? s : NULL;
}

/* Would it do behind an @?  s is given back as it was. */
static bool good_domain(const char *s, size_t n)
{
	char address[SMTPD_LINE_MAX + 3];

	snprintf(address, sizeof address, "x@%.*s", (int)n, s);
	return !addr_check(address, false, false);
}

/* "@a,@b:user@c" is "user@c": a route is checked, and not followed (RFC 5321
 * appendix C).  NULL: not a route. */
static char *skip_route(char *s)
{
	size_t n;

	for (; *s == '@'; s++) {
		s++;
		n = *s == '[' ? strcspn(s, "]") + 1 : strcspn(s, ",:");
		if (n > strlen(s) || !good_domain(s, n))
			return NULL;
		s += n;
		if (*s == ':')
			return s + 1;
		if (*s != ',')
			return NULL;
	}
	return NULL;
}

/* Behind "FROM:" or "TO:" to the address; *rest gets what is behind the path.
 * A blank behind the colon is against the RFC, and common. */
static bool take_path(struct request *q, char *s, char **rest)
{
	bool sender = q->command->verb == REQUEST_MAIL;
	const char *fault;
	char *end;

	s = skip_blanks(s);
	if (*s != '<')
		return bad_address(q, "it does not stand in < and >");
	end = path_end(++s);
	if (!end || (end[1] && end[1] != ' '))
		return bad_address(q, "it does not end with >");
	*end = '\0';
	*rest = end + 1;
	if (*s == '@')
		s = skip_route(s);
	if (!s)
		return bad_address(q, "the route before it cannot be read");
	if (eight_bit(s, strlen(s)))
		return refuse(q, 553, "5.6.7", "SMTPUTF8 is not offered: an "
			      "address must be ASCII");
	/* A route to nobody is not <>. */
	fault = addr_check(s, true, sender && s[-1] == '<');
	if (fault)
		return bad_address(q, fault);
	q->address = s;
	return true;
}

/* ---- parameters ----------------------------------------------------------------- */

static bool take_size(struct request *q, const char *v,
		      const struct request_state *s)
{
	size_t digits = strspn(v, "0123456789");
	uint64_t n;

	/* RFC 1870 4: at most 20 digits, and that may be over 2^64. */
	if (v[digits] || digits > 20)
		return false;
	if (parse_number(v, s->max_size ? s->max_size : UINT64_MAX, &n))
		return true;
	reply_local(&q->refusal, REPLY_TO_HOST, 552, "5.3.4", "the message is "
		    "larger than MaxMessageSize (%llu octets)",
		    (unsigned long long)s->max_size);
	return false;
}

/* What the text holds is seen from the text. */
static bool take_body(struct request *q, const char *v,
		      const struct request_state *s)
{
	(void)s;
	if (strcasecmp(v, "7BIT") == 0 || strcasecmp(v, "8BITMIME") == 0)
		return true;
	if (strcasecmp(v, "BINARYMIME") == 0)
		refuse(q, 555, "5.5.4", "BINARYMIME is not offered");
	return false;
}

static bool take_ret(struct request *q, const char *v,
		     const struct request_state *s)
{
	(void)s;
	q->ret = dsn_ret(v);
	return q->ret != NULL;
}

static bool take_envid(struct request *q, const char *v,
		       const struct request_state *s)
{
	(void)s;
	q->envid = v;
	return dsn_envid(v);
}

static bool take_notify(struct request *q, const char *v,
			const struct request_state *s)
{
	(void)s;
	q->notify = q->words;
	return dsn_notify(v, q->words);
}

static bool take_orcpt(struct request *q, const char *v,
		       const struct request_state *s)
{
	(void)s;
	q->orcpt = v;
	return dsn_orcpt(v);
}

static const struct parameter {
	const char *name;
	enum request_verb verb;
	uint64_t offer;
	/* False: 501, if it has not refused by itself. */
	bool (*take)(struct request *q, const char *value,
		     const struct request_state *s);
} parameters[] = {
	{ "SIZE", REQUEST_MAIL, VERB_SIZE, take_size },
	{ "BODY", REQUEST_MAIL, VERB_8BITMIME, take_body },
	{ "RET", REQUEST_MAIL, VERB_DSN, take_ret },
	{ "ENVID", REQUEST_MAIL, VERB_DSN, take_envid },
	{ "NOTIFY", REQUEST_RCPT, VERB_DSN, take_notify },
	{ "ORCPT", REQUEST_RCPT, VERB_DSN, take_orcpt },
};
enum { NPARAMETERS = sizeof parameters / sizeof *parameters };

static size_t find_parameter(const struct request *q, const char *name,
			     const struct request_state *s)
{
	size_t i;

	for (i = 0; i < NPARAMETERS; i++)
		if (parameters[i].verb == q->command->verb && s->extended &&
		    (request_offers(s->mask) & parameters[i].offer) &&
		    strcasecmp(name, parameters[i].name) == 0)
			break;
	return i;
}

static bool take_parameters(struct request *q, char *list,
			    const struct request_state *s)
{
	char *word, *value;
	unsigned seen = 0;
	size_t i;

	while ((word = strsep(&list, " ")) != NULL) {
		if (!*word)
			continue;
		value = strchr(word, '=');
		if (value)
			*value++ = '\0';
		i = find_parameter(q, word, s);
		if (i == NPARAMETERS)
			return refuse(q, 555, "5.5.4", "a parameter that is "
				      "not offered here");
		if (!(seen & 1u << i) && value && *value &&
		    parameters[i].take(q, value, s)) {
			seen |= 1u << i;
			continue;
		}
		if (!q->refusal.code)
			reply_local(&q->refusal, REPLY_TO_HOST, 501, "5.5.4",
				    seen & 1u << i ? "%s stands twice" :
				    "%s has no value that can be read",
				    parameters[i].name);
		return false;
	}
	return true;
}

static bool take_mail_or_rcpt(struct request *q, char *s,
			      const struct request_state *state)
{
	const char *begin = q->command->verb == REQUEST_MAIL ? "FROM:" : "TO:";
	size_t n = strlen(begin);

	if (strncasecmp(s, begin, n) != 0)
		return wrong_argument(q);
	return take_path(q, s + n, &s) && take_parameters(q, s, state);
}

/* ---- the other forms of arguments -------------------------------------------------- */

/* One word of printable ASCII: some clients give names that are none. */
static bool is_word(const char *s)
{
	return *s && !strchr(s, ' ') && !eight_bit(s, strlen(s));
}

/* A domain, or "@domain", which is all below it too (RFC 1985 4). */
static bool is_node(const char *s)
{
	s += *s == '@';
	return is_word(s) && addr_is_hostname(s);
}

/* "octets [LAST]" (RFC 3030 2). */
static bool take_chunk(struct request *q, char *s)
{
	char *number = strsep(&s, " ");

	if (!parse_number(number, INT64_MAX, &q->chunk))
		return refuse(q, 421, "4.5.4", "a chunk of unknown length: "
			      "its end cannot be found");
	s = s ? skip_blanks(s) : NULL;
	if (!s || !*s)
		return true;
	q->last = strcasecmp(s, "LAST") == 0;
	return q->last || wrong_argument(q);
}

/* argument may be cut to pieces. */
static void take_argument(struct request *q, char *argument,
			  const struct request_state *s)
{
	bool good = true;

	switch (q->command->form) {
	case FORM_NONE:
		good = !*argument;
		break;
	case FORM_SOME:
		good = *argument;
		break;
	case FORM_HOST:
		good = is_word(argument);
		break;
	case FORM_NODE:
		good = is_node(argument);
		break;
	case FORM_PATH:
		take_mail_or_rcpt(q, argument, s);
		return;
	}
	if (!good)
		wrong_argument(q);
}

/* ---- one line ------------------------------------------------------------------------ */

static bool in_order(struct request *q, const struct request_state *s)
{
	unsigned order = q->command->order;
	const char *why = NULL;

	if (s->chunks && (order & (NO_MAIL | NO_CHUNKS)))
		why = "not between BDAT and BDAT LAST";
	else if (s->mail && (order & NO_MAIL))
		why = "a message has been begun; RSET forgets it";
	else if (!s->mail && (order & WITH_MAIL))
		why = "MAIL first";
	else if (s->nrcpt == 0 && (order & WITH_RCPT))
		why = "RCPT first: no recipient was accepted";
	return !why || refuse(q, 503, "5.5.1", why);
}

static bool is_offered(struct request *q, const struct request_state *s)
{
	const struct request_command *c = q->command;

	if (c->verb == REQUEST_UNBUILT ||
	    (c->verb == REQUEST_EHLO && s->mask == VERB_NONE) ||
	    (c->offer && !(request_offers(s->mask) & c->offer)))
		return refuse(q, 502, "5.5.1", "this command is not offered");
	if (c->offer && !s->extended)
		return refuse(q, 503, "5.5.1", "EHLO first");
	return true;
}

/* Into q->line, tabs as blanks, no blanks at its ends. */
static bool take_line(struct request *q, const char *line, size_t n)
{
	size_t i;

	if (n > SMTPD_LINE_MAX)
		return refuse(q, 500, "5.5.2", "line too long");
	for (i = 0; i < n; i++) {
		q->line[i] = line[i] == '\t' ? ' ' : line[i];
		if ((unsigned char)q->line[i] < ' ' || q->line[i] == 127)
			return refuse(q, 500, "5.5.2", "a control octet in a "
				      "command");
	}
	while (n > 0 && q->line[n - 1] == ' ')
		n--;
	q->line[n] = '\0';
	return true;
}

void request_parse(struct request *q, const char *line, size_t n,
		   const struct request_state *s)
{
	const struct request_command *c;
	char *word, *argument;

	memset(q, 0, sizeof *q);
	q->argument = q->address = "";
	if (!take_line(q, line, n))
		return;
	argument = q->line;
	word = strsep(&argument, " ");
	argument = argument ? skip_blanks(argument) : q->line + strlen(q->line);
	for (c = request_commands; c->word; c++)
		if (strcasecmp(c->word, word) == 0)
			break;
	if (!c->word) {
		refuse(q, 500, "5.5.1", "unknown command");
		return;
	}
	q->command = c;
	q->argument = argument;
	/* The octets of a chunk come whatever is said of it (RFC 3030 2), so
	 * their number is read first. */
	if (c->form == FORM_CHUNK && !take_chunk(q, argument) &&
	    q->refusal.code == 421)
		return;
	if (!is_offered(q, s) || !in_order(q, s) || q->refusal.code)
		return;
	take_argument(q, argument, s);
}
