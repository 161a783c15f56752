/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* The result type: fates, exit statuses, a server's words, printable text. */
#include "lib/reply.h"
#include "lib/util.h"
#include "tests/check.h"

#include <stdlib.h>

static const struct {
	int code;
	enum reply_to to;
	const char *status;
	enum fate fate;
	int exit;
} fates[] = {
	{ 250, REPLY_TO_MESSAGE, "2.0.0", FATE_DELIVERED, 69 },
	{ 0, REPLY_TO_MESSAGE, "", FATE_RETRY, 69 },
	{ 354, REPLY_TO_MESSAGE, "", FATE_RETRY, 69 },
	{ 421, REPLY_TO_RCPT, "4.3.2", FATE_RETRY, 69 },
	{ 450, REPLY_TO_RCPT, "4.7.1", FATE_RETRY, 69 },
	{ 550, REPLY_TO_RCPT, "5.1.1", FATE_FAILED, 67 },
	{ 550, REPLY_TO_RCPT, "5.0.0", FATE_FAILED, 67 },
	{ 550, REPLY_TO_RCPT, "5.7.1", FATE_FAILED, 69 },
	{ 551, REPLY_TO_RCPT, "5.1.6", FATE_FAILED, 67 },
	{ 552, REPLY_TO_RCPT, "5.2.2", FATE_RETRY, 69 },
	{ 552, REPLY_TO_MAIL, "5.3.4", FATE_FAILED, 65 },
	{ 552, REPLY_TO_MESSAGE, "5.2.3", FATE_FAILED, 65 },
	{ 554, REPLY_TO_MESSAGE, "5.6.0", FATE_FAILED, 65 },
	{ 554, REPLY_TO_HOST, "5.0.0", FATE_RETRY, 69 },
	{ 521, REPLY_TO_HOST, "5.3.2", FATE_RETRY, 69 },
	{ 550, REPLY_TO_DOMAIN, "5.1.2", FATE_FAILED, 68 },
	{ 556, REPLY_TO_DOMAIN, "5.1.10", FATE_FAILED, 68 },
	{ 530, REPLY_TO_MAIL, "5.7.0", FATE_RETRY, 69 },
	{ 534, REPLY_TO_MAIL, "5.7.9", FATE_RETRY, 69 },
	{ 535, REPLY_TO_RCPT, "5.7.8", FATE_RETRY, 69 },
	{ 538, REPLY_TO_MESSAGE, "5.7.11", FATE_RETRY, 69 },
	{ 599, REPLY_TO_RCPT, "5.0.0", FATE_FAILED, 69 },
	{ 600, REPLY_TO_RCPT, "5.0.0", FATE_RETRY, 69 },
};

static const struct {
	const char *name;
	int code;
	const char *text;
	bool read;
	const char *status, *want;
} words[] = {
	{ "plain", 250, "ok", true, "2.0.0", "ok" },
	{ "enhanced", 550, "5.1.1 no such user", true, "5.1.1",
	  "no such user" },
	{ "not read", 550, "5.1.1 no such user", false, "5.0.0",
	  "5.1.1 no such user" },
	{ "class differs", 450, "5.1.1 odd", true, "4.0.0", "5.1.1 odd" },
	{ "repeated on lines", 550, "5.7.1 one\n5.7.1 two", true, "5.7.1",
	  "one two" },
	{ "long detail", 550, "5.111.222 x", true, "5.111.222", "x" },
	{ "too long detail", 550, "5.1111.2 x", true, "5.0.0", "5.1111.2 x" },
	{ "nothing", 451, "", true, "4.0.0", "" },
	{ "controls", 250, "a\x1b[2Jb\r\x07", true, "2.0.0", "a?[2Jb ?" },
	{ "utf-8", 250, "gr\xc3\xbc\xc3\x9f""e", true, "2.0.0",
	  "gr\xc3\xbc\xc3\x9f""e" },
	{ "broken utf-8", 250, "a\xc3", true, "2.0.0", "a?" },
	{ "c1", 250, "a\xc2\x9b""b", true, "2.0.0", "a??b" },
	{ "bidi", 250, "a\xe2\x80\xae""b", true, "2.0.0", "a???b" },
};

/* Any length of text, any number of lines: within bounds (the sanitizers
 * watch), and never empty of a status. */
static void any_length(void)
{
	struct reply r;
	size_t n, step;

	for (step = 1; step < 900; step += 37)
		for (n = 0; n < 4 * REPLY_TEXT; n += 61) {
			char *text = malloc(n + 1);
			size_t i;

			for (i = 0; i < n; i++)
				text[i] = i % step == step - 1 ? '\n' : 'x';
			reply_remote(&r, REPLY_TO_RCPT, 550, text, n, true);
			if (!r.status[0] || strlen(r.text) >= REPLY_TEXT)
				check(false, "any length");
			free(text);
		}
	check(true, "any length");
}

int main(void)
{
	struct reply r;
	char name[64];
	size_t i;

	for (i = 0; i < sizeof fates / sizeof fates[0]; i++) {
		reply_local(&r, fates[i].to, fates[i].code, fates[i].status,
			    "text");
		snprintf(name, sizeof name, "fate %zu: %d", i, fates[i].code);
		check_int(name, reply_fate(&r), (long long)fates[i].fate);
		snprintf(name, sizeof name, "exit %zu: %d", i, fates[i].code);
		check_int(name, reply_exit(&r), fates[i].exit);
	}
	for (i = 0; i < sizeof words / sizeof words[0]; i++) {
		reply_remote(&r, REPLY_TO_RCPT, words[i].code, words[i].text,
			     strlen(words[i].text), words[i].read);
		check_str(words[i].name, r.status, words[i].status);
		check_str(words[i].name, r.text, words[i].want);
	}
	any_length();
	return check_done("reply");
}
