/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * out/bounce and out/report: whole reports byte for byte, who gets one, what
 * hostile words do to it, that it is made once, where it goes.
 */
#include "out/bounce.h"
#include "tests/mailroot.h"

#include <bsd/string.h>

#define ID "000000001abcdefghjkm"
#define TEXT "Received: from x\r\nMessage-ID:\r\n <1@client.test>\r\n" \
	"Subject: s\r\n\r\nbody\r\n.\r\n"

/* ---- a message and what is said of it -------------------------------- */

static struct recipient three[] = {
	{ .addr = "bob@far.test", .orcpt = "rfc822;Bob+2Bx@far.test" },
	{ .addr = "carol@far.test", .notify = "SUCCESS,FAILURE,DELAY" },
	{ .addr = "dave@local.test" },
};

static struct envelope from(const char *sender)
{
	return (struct envelope){ .uid = 33, .created = CREATED,
		.sender = sender, .nrcpt = 3, .rcpt = three };
}

static struct bounce_rcpt said[3];

static void say_all(void)
{
	static const char refusal[] = "5.1.1 no such user, and a sentence long "
		"enough to be folded once";

	memset(said, 0, sizeof said);
	reply_remote(&said[0].reply, REPLY_TO_RCPT, 550, refusal,
		     sizeof refusal - 1, true);
	strlcpy(said[0].host, "mx1.far.test", sizeof said[0].host);
	reply_remote(&said[1].reply, REPLY_TO_HOST, 451, "try later", 9, true);
	strlcpy(said[1].host, "mx2.far.test", sizeof said[1].host);
	said[1].i = 1;
	said[1].expired = true;
	reply_local(&said[2].reply, REPLY_TO_DOMAIN, 550, "5.1.2",
		    "there is no domain local.test");
	said[2].i = 2;
}

/* A message in Queue, committed. */
static struct message *committed(const struct envelope *env, const char *text)
{
	struct message *m = mail(ID, env, text, strlen(text), false);

	if (queue_commit(m, CREATED + 100) != 0)
		perror("commit");
	return m;
}

/* Lines: CRLF, at most max octets, nothing that cannot be printed. */
static void check_lines(const char *name, const char *text, size_t n,
			size_t max)
{
	struct cursor c = cursor_on(text, n);
	const char *line;
	size_t len, i, longest = 0, bad = 0;

	while (cursor_line(&c, &line, &len)) {
		if (len > longest)
			longest = len;
		if (line[len] != '\r')
			bad++;
		for (i = 0; i < len; i++)
			if ((unsigned char)line[i] < ' ' || line[i] == 127)
				bad++;
	}
	check_int(name, (int)bad, 0);
	check(longest <= max, name);
}

/* ---- whole reports --------------------------------------------------- */

static const char failure[] =
"From: Mail Delivery System <postmaster@client.test>\r\n"
"To: alice@client.test\r\n"
"Subject: Delivery Status Notification (Failure)\r\n"
"Date: Wed, 25 Nov 2026 01:01:00 +0000\r\n"
"Message-ID: <%1$s@host.client.test>\r\n"
"In-Reply-To: <1@client.test>\r\n"
"References: <1@client.test>\r\n"
"Auto-Submitted: auto-replied\r\n"
"MIME-Version: 1.0\r\n"
"Content-Type: multipart/report; report-type=delivery-status;\r\n"
" boundary=\"mailroot=_%2$s\"\r\n"
"Content-Transfer-Encoding: 7bit\r\n"
"\r\n"
"--mailroot=_%2$s\r\n"
"Content-Type: text/plain; charset=utf-8\r\n"
"Content-Transfer-Encoding: 7bit\r\n"
"\r\n"
"Your message of Sun, 22 Nov 2026 01:00:00 +0000 did not reach the recipients\r\n"
"below. It will not be tried again for them.\r\n"
"\r\n"
"  bob@far.test\r\n"
"    mx1.far.test refused it with this answer: 550 5.1.1 no such user, and a\r\n"
"    sentence long enough to be folded once\r\n"
"\r\n"
"  carol@far.test\r\n"
"    Given up after 3 days.\r\n"
"    mx2.far.test answered: 451 try later\r\n"
"\r\n"
"  dave@local.test\r\n"
"    This host reports: there is no domain local.test\r\n"
"\r\n"
"The message is attached. This report was written by the mail program of\r\n"
"host.client.test.\r\n"
"\r\n"
"--mailroot=_%2$s\r\n"
"Content-Type: message/delivery-status\r\n"
"Content-Transfer-Encoding: 7bit\r\n"
"\r\n"
"Original-Envelope-Id: QQ=314159\r\n"
"Reporting-MTA: dns; host.client.test\r\n"
"Arrival-Date: Sun, 22 Nov 2026 01:00:00 +0000\r\n"
"\r\n"
"Original-Recipient: rfc822; Bob+x@far.test\r\n"
"Final-Recipient: rfc822; bob@far.test\r\n"
"Action: failed\r\n"
"Status: 5.1.1\r\n"
"Remote-MTA: dns; mx1.far.test\r\n"
"Diagnostic-Code: smtp; 550 5.1.1 no such user, and a sentence long enough to\r\n"
" be folded once\r\n"
"Last-Attempt-Date: Wed, 25 Nov 2026 01:01:00 +0000\r\n"
"\r\n"
"Final-Recipient: rfc822; carol@far.test\r\n"
"Action: failed\r\n"
"Status: 4.4.7\r\n"
"Remote-MTA: dns; mx2.far.test\r\n"
"Diagnostic-Code: smtp; 451 try later\r\n"
"Last-Attempt-Date: Wed, 25 Nov 2026 01:01:00 +0000\r\n"
"\r\n"
"Final-Recipient: rfc822; dave@local.test\r\n"
"Action: failed\r\n"
"Status: 5.1.2\r\n"
"Last-Attempt-Date: Wed, 25 Nov 2026 01:01:00 +0000\r\n"
"\r\n"
"--mailroot=_%2$s\r\n"
"Content-Type: message/rfc822\r\n"
"Content-Transfer-Encoding: 7bit\r\n"
"\r\n"
TEXT
"\r\n"
"--mailroot=_%2$s--\r\n";

static void test_failure(void)
{
	struct envelope env = from("alice@client.test"), got;
	char id[QUEUE_ID_LEN + 1], bound[QUEUE_ID_LEN + 1], *text;
	char want[2 * sizeof failure];
	struct message *m;
	size_t n;
	int len;

	mailroot_begin("");
	say_all();
	env.envid = "QQ+3D314159";
	m = committed(&env, TEXT);
	check_int("failure", bounce_report(m, BOUNCE_FAILED, said, 3, NOW), 0);
	text = report_text(&n, &got);
	queueid_derive(id, ID, 0, 'F');
	queueid_derive(bound, id, 0, '=');
	len = snprintf(want, sizeof want, failure, id, bound);
	check_bytes("failure text", text, n, want, (size_t)len);
	check_lines("failure lines", text, n, 78);
	check_str("null sender", got.sender, "");
	check_str("to the sender", got.rcpt[0].addr, "alice@client.test");
	check(got.nrcpt == 1 && !got.rcpt[0].notify && !got.eight_bit &&
	      got.uid == 33 && got.created == NOW, "envelope of the report");
	envelope_free(&got);
	free(text);

	/* Again, after a crash: it stands. */
	check_int("again", bounce_report(m, BOUNCE_FAILED, said, 3, NOW + 9),
		  0);
	check_int("made once", (int)files("Queue", true, NULL), 2);
	/* The next attempt's is another. */
	m->env.attempts++;
	check_int("next attempt", bounce_report(m, BOUNCE_FAILED, said, 1,
						NOW + 9), 0);
	check_int("made too", (int)files("Queue", true, NULL), 3);
	message_free(m);
}

static void test_delay(void)
{
	struct envelope env = from("alice@client.test");
	struct message *m;
	char *text;
	size_t n;

	mailroot_begin("");
	say_all();
	said[1].expired = false;
	env.ret = "FULL";
	m = committed(&env, TEXT);
	check_int("delay", bounce_report(m, BOUNCE_DELAYED, said + 1, 1,
					 CREATED + 43200), 0);
	text = report_text(&n, NULL);
	has(text, "Subject: Delivery Status Notification (Delay)\r\n");
	has(text, "Not delivered yet.\r\n    mx2.far.test answered: 451 try");
	has(text, "Action: delayed\r\nStatus: 4.0.0\r\n");
	has(text, "Will-Retry-Until: Fri, 27 Nov 2026 01:00:00 +0000\r\n");
	/* RFC 3461 4.3: the header only, whatever RET says. */
	has(text, "Content-Type: text/rfc822-headers\r\n");
	has(text, "Subject: s\r\n\r\n--mailroot=_");
	lacks(text, "body\r\n");
	lacks(text, "bob@far.test");
	free(text);
	message_free(m);
}

/* ---- who gets one ---------------------------------------------------- */

static void test_notify(void)
{
	static const struct {
		const char *notify;
		bool failure, delay;
	} table[] = {
		{ NULL, true, true },
		{ "NEVER", false, false },
		{ "never", false, false },
		{ "SUCCESS", false, false },
		{ "FAILURE", true, false },
		{ "failure", true, false },
		{ "DELAY", false, true },
		{ "SUCCESS,DELAY,FAILURE", true, true },
		{ "FAILURES,XDELAY", false, false },
	};
	struct recipient rcpt = { .addr = "bob@far.test" };
	struct envelope env = from("alice@client.test");
	struct message *m;
	size_t i;
	int r;

	mailroot_begin("");
	env.rcpt = &rcpt;
	env.nrcpt = 1;
	say_all();
	for (i = 0; i < sizeof table / sizeof table[0]; i++) {
		const char *name = table[i].notify ? table[i].notify : "absent";

		rcpt.notify = table[i].notify;
		m = mail(NULL, &env, TEXT, strlen(TEXT), false);
		queue_commit(m, NOW);
		r = bounce_report(m, BOUNCE_FAILED, said, 1, NOW);
		check(r == 0 && files("Queue", true, NULL) ==
		      1 + (size_t)table[i].failure, name);
		r = bounce_report(m, BOUNCE_DELAYED, said, 1, NOW);
		check(r == 0 && files("Queue", true, NULL) == 1u +
		      table[i].failure + table[i].delay, name);
		message_free(m);
		mailroot_begin("");
	}
}

static void test_null_sender(void)
{
	struct envelope env = from("");
	struct message *m;

	mailroot_begin("");
	say_all();
	m = committed(&env, TEXT);
	errno = 0;
	check_int("null sender", bounce_report(m, BOUNCE_FAILED, said, 3, NOW),
		  -1);
	check_int("EDESTADDRREQ", errno, EDESTADDRREQ);
	check_int("nothing was made", (int)files("Queue", true, NULL), 1);
	message_free(m);

	/* Who wants to know nothing need not be told. */
	mailroot_begin("");
	three[1].notify = "NEVER";
	m = committed(&env, TEXT);
	check_int("null sender, NEVER",
		  bounce_report(m, BOUNCE_FAILED, said + 1, 1, NOW), 0);
	three[1].notify = "SUCCESS,FAILURE,DELAY";
	message_free(m);
}

/* ---- where it goes --------------------------------------------------- */

static void test_local(void)
{
	struct envelope env = from("alice@local.test");
	char name[256], want[64], id[QUEUE_ID_LEN + 1], *text;
	struct message *m;
	size_t n;

	mailroot_begin("");
	say_all();
	m = committed(&env, TEXT);
	queueid_derive(id, ID, 0, 'F');
	snprintf(want, sizeof want, "%s.eml", id);
	check_int("local", bounce_report(m, BOUNCE_FAILED, said, 3, NOW), 0);
	check_int("in Drop", (int)files("Drop", true, name), 1);
	check_str("its name", name, want);
	text = text_of("Drop", name, &n);
	has(text, "x-sender: <>\r\nx-receiver: alice@local.test\r\n"
	    "Return-Path: <>\r\nFrom: Mail Delivery System");
	free(text);
	check_int("nothing else in Queue", (int)files("Queue", true, NULL), 1);
	check_int("again", bounce_report(m, BOUNCE_FAILED, said, 3, NOW), 0);
	check_int("made once", (int)files("Drop", true, NULL), 1);
	message_free(m);

	mailroot_begin("DropDirectoryQuota = 1\n");
	m = committed(&env, TEXT);
	check_int("Drop is full", bounce_report(m, BOUNCE_FAILED, said, 3,
						NOW), 0);
	check_int("in Queue", (int)files("Queue", true, NULL), 2);
	check_int("not in Drop", (int)files("Drop", true, NULL), 0);
	message_free(m);
}

static void test_copy(void)
{
	struct envelope env = from("alice@client.test"), got;
	char name[256];
	struct message *m;
	char id[QUEUE_ID_LEN + 1];

	mailroot_begin("SendNdrTo = boss@far.test\n");
	say_all();
	m = committed(&env, TEXT);
	check_int("copy", bounce_report(m, BOUNCE_FAILED, said, 3, NOW), 0);
	check_int("two reports", (int)files("Queue", true, NULL), 3);
	message_free(m);
	queueid_derive(id, ID, 0, 'C');
	snprintf(name, sizeof name, "20261122T010000Z-%s.eml", id);
	m = queue_claim(&queue, name, NOW);
	if (check(m != NULL, "the copy")) {
		got = m->env;
		check_str("to", got.rcpt[0].addr, "boss@far.test");
		check_str("marked", got.rcpt[0].notify, "NEVER");
		said[0].i = 0;
		check_int("no report of a copy",
			  bounce_report(m, BOUNCE_FAILED, said, 1, NOW), 0);
		check_int("none", (int)files("Queue", true, NULL), 3);
	}
	message_free(m);

	mailroot_begin("SendNdrTo = alice@client.test\n");
	m = committed(&env, TEXT);
	bounce_report(m, BOUNCE_FAILED, said, 3, NOW);
	check_int("no copy to the sender", (int)files("Queue", true, NULL), 2);
	message_free(m);
}

/* A message before its commit, and one kept nowhere. */
static void test_uncommitted(void)
{
	struct envelope env = from("alice@client.test");
	struct message *m;

	mailroot_begin("");
	say_all();
	m = mail(ID, &env, TEXT, strlen(TEXT), false);
	check_int("uncommitted", bounce_report(m, BOUNCE_FAILED, said, 3, NOW),
		  0);
	check_int("one report", (int)files("Queue", false, NULL), 1);
	queue_remove(m);
	message_free(m);

	mailroot_begin("");
	m = queue_new_memory();
	queue_put_envelope(m, &env);
	queue_put_text(m, TEXT, strlen(TEXT));
	queue_complete(m, false);
	check_int("in memory", bounce_report(m, BOUNCE_FAILED, said, 3, NOW),
		  0);
	check_int("one report", (int)files("Queue", true, NULL), 1);
	message_free(m);
}

/* ---- hostile and large ----------------------------------------------- */

static void test_hostile(void)
{
	static const char words[] = "5.7.1 \x1b]0;x\x07 a\nContent-Type: text/"
		"html\n\n--mailroot=_\n.\n\xe2\x80\xae" "abc \x9b";
	struct recipient rcpt = {
		.addr = "\"--x\xe2\x80\xae\xff\"@far.test",
		.orcpt = "rfc822;a+0D+0AAction:+20delivered+0D+0A+E4" };
	struct envelope env = from("alice@client.test"), got;
	struct message *m;
	char *text;
	size_t n;

	mailroot_begin("");
	memset(said, 0, sizeof said);
	env.rcpt = &rcpt;
	env.nrcpt = 1;
	env.envid = "a+0D+0A+0D+0Ab";
	reply_remote(&said[0].reply, REPLY_TO_RCPT, 550, words,
		     sizeof words - 1, true);
	strlcpy(said[0].host, "mx\r\nAction: delivered\x1b",
		sizeof said[0].host);
	m = committed(&env, TEXT);
	check_int("hostile", bounce_report(m, BOUNCE_FAILED, said, 1, NOW), 0);
	text = report_text(&n, NULL);
	check_lines("hostile lines", text, n, 78);
	lacks(text, "\nContent-Type: text/html");
	lacks(text, "\nAction: delivered");
	has(text, "Original-Envelope-Id: a b\r\n");
	has(text, "Original-Recipient: rfc822; a Action: delivered ?\r\n");
	free(text);
	message_free(m);

	/* Words in another alphabet: shown, and the report says so. */
	mailroot_begin("");
	rcpt.addr = "bob@far.test";
	reply_remote(&said[0].reply, REPLY_TO_RCPT, 550,
		     "5.1.1 Empf\xc3\xa4nger?", 17, true);
	m = committed(&env, TEXT);
	bounce_report(m, BOUNCE_FAILED, said, 1, NOW);
	text = report_text(&n, &got);
	check(got.eight_bit, "marked 8bit");
	has(text, "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n");
	has(text, "Empf\xc3\xa4nger");
	has(text, "Diagnostic-Code: smtp; 550 5.1.1 Empf??nger?\r\n");
	envelope_free(&got);
	free(text);
	message_free(m);
}

/* The words of a thousand letters, the address of a thousand. */
static void test_long(void)
{
	char addr[ADDRESS_MAX], sender[400], words[REPLY_TEXT * 2];
	struct recipient rcpt = { .addr = addr };
	struct envelope env = from(sender);
	struct message *m;
	char *text;
	size_t n;

	mailroot_begin("");
	memset(addr, 'a', sizeof addr);
	memcpy(addr + sizeof addr - 10, "@far.test", 10);
	memset(sender, 'b', sizeof sender);
	memcpy(sender + sizeof sender - 10, "@far.test", 10);
	memset(words, 'c', sizeof words);
	memset(said, 0, sizeof said);
	reply_remote(&said[0].reply, REPLY_TO_RCPT, 550, words, sizeof words,
		     true);
	env.rcpt = &rcpt;
	env.nrcpt = 1;
	m = committed(&env, TEXT);
	check_int("long", bounce_report(m, BOUNCE_FAILED, said, 1, NOW), 0);
	text = report_text(&n, NULL);
	check_lines("long lines", text, n, 998);
	free(text);
	message_free(m);
}

/* How much of the original is returned. */
static void test_returned(void)
{
	static const struct {
		const char *name, *ret;
		size_t body;
		bool whole;
	} table[] = {
		{ "small", NULL, 100, true },
		{ "64 KiB", NULL, 65536, true },
		{ "more", NULL, 65537, false },
		{ "HDRS", "HDRS", 100, false },
		{ "FULL", "FULL", 300000, true },
		{ "full", "full", 65537, true },
	};
	static const char header[] = "Subject: s\r\n\r\n";
	char *big = xcalloc(400000, 1), *text, *at;
	struct envelope env = from("alice@client.test");
	struct message *m;
	size_t i, n, size;

	say_all();
	for (i = 0; i < sizeof table / sizeof table[0]; i++) {
		mailroot_begin("");
		size = table[i].body;
		memcpy(big, header, sizeof header - 1);
		for (n = sizeof header - 1; n < size; n++)
			big[n] = n % 50 == 0 ? '\r' : n % 50 == 1 ? '\n' : 'x';
		memcpy(big + size, "\r\n", 3);
		big[size - 10] = (char)0xe4;	/* Latin-1 */
		env.ret = table[i].ret;
		m = mail(ID, &env, big, size, true);
		queue_commit(m, NOW);
		bounce_report(m, BOUNCE_FAILED, said, 3, NOW);
		text = report_text(&n, NULL);
		at = strstr(text, "Subject: s\r\n");
		check(at && strstr(text, table[i].whole ?
		      "Content-Type: message/rfc822" :
		      "Content-Type: text/rfc822-headers"), table[i].name);
		if (table[i].whole)
			check(at && memcmp(at, big, size) == 0 &&
			      strstr(text, "Encoding: 8bit\r\n\r\nSubject:"),
			      table[i].name);
		if (!table[i].whole)
			check(at && strncmp(at, "Subject: s\r\n\r\n--", 16) ==
			      0 && !strstr(text, "8bit"), table[i].name);
		free(text);
		message_free(m);
	}
	free(big);
}

/* An original that knows the boundary, at every place around a chunk's seam. */
static void test_boundary(void)
{
	char id[QUEUE_ID_LEN + 1], bound[QUEUE_ID_LEN + 1], guess[64];
	size_t at, n, size = 2 * IO_CHUNK;
	struct envelope env = from("alice@client.test");
	char *big = xcalloc(size + 1, 1), *text, *found;
	struct message *m;

	say_all();
	queueid_derive(id, ID, 0, 'F');
	queueid_derive(bound, id, 0, '=');
	snprintf(guess, sizeof guess, "\r\n--mailroot=_%s\r\n", bound);
	env.ret = "FULL";
	for (at = IO_CHUNK - 40; at < IO_CHUNK + 2; at++) {
		mailroot_begin("");
		memset(big, 'x', size);
		memcpy(big, "\r\n", 2);
		memcpy(big + at, guess, strlen(guess));
		m = mail(ID, &env, big, size, false);
		queue_commit(m, NOW);
		bounce_report(m, BOUNCE_FAILED, said, 3, NOW);
		text = report_text(&n, NULL);
		found = memmem(text, n, bound, QUEUE_ID_LEN);
		check(found && !memmem(found + 1, n - 1 -
				       (size_t)(found - text), bound,
				       QUEUE_ID_LEN), "another boundary");
		free(text);
		message_free(m);
	}
	free(big);
}

/* Originals whose header does not end as it should. */
static void test_odd_originals(void)
{
	static const char *const texts[] = {
		"", "\r\n", "\r\nbody only\r\n", "Subject: no end\r\n",
		"no header at all", "x", "\r", "Message-ID: <not ended\r\n\r\n",
		"Message-ID: <two words@x>\r\n\r\n", "Message-ID:\r\n\r\n",
	};
	struct envelope env = from("alice@client.test");
	struct message *m;
	char *text;
	size_t i, n;

	say_all();
	for (i = 0; i < 2 * sizeof texts / sizeof texts[0]; i++) {
		mailroot_begin("");
		env.ret = i % 2 ? "HDRS" : "FULL";
		m = committed(&env, texts[i / 2]);
		check_int(texts[i / 2], bounce_report(m, BOUNCE_FAILED, said,
						      3, NOW), 0);
		text = report_text(&n, NULL);
		lacks(text, "In-Reply-To");
		check(n > 4 && strcmp(text + n - 4, "--\r\n") == 0, "its end");
		free(text);
		message_free(m);
	}
}

static void test_many(void)
{
	enum { RCPTS = 10000 };
	struct recipient *rcpt = xcalloc(RCPTS, sizeof *rcpt);
	struct bounce_rcpt *list = xcalloc(RCPTS, sizeof *list);
	struct envelope env = from("alice@client.test");
	struct message *m;
	char *text, *at;
	size_t i, n, found = 0;

	mailroot_begin("");
	say_all();
	for (i = 0; i < RCPTS; i++) {
		char addr[40];

		snprintf(addr, sizeof addr, "user%zu@far.test", i);
		rcpt[i].addr = xstrdup(addr);
		list[i] = said[0];
		list[i].i = i;
	}
	env.rcpt = rcpt;
	env.nrcpt = RCPTS;
	m = committed(&env, TEXT);
	check_int("10,000 recipients",
		  bounce_report(m, BOUNCE_FAILED, list, RCPTS, NOW), 0);
	text = report_text(&n, NULL);
	for (at = text; (at = strstr(at, "\r\nAction: failed\r\n")); at++)
		found++;
	check_int("all in one report", (int)found, RCPTS);
	for (i = 0; i < RCPTS; i++)
		free((char *)rcpt[i].addr);
	free(rcpt);
	free(list);
	free(text);
	message_free(m);
}

int main(void)
{
	test_failure();
	test_delay();
	test_notify();
	test_null_sender();
	test_local();
	test_copy();
	test_uncommitted();
	test_hostile();
	test_long();
	test_returned();
	test_boundary();
	test_odd_originals();
	test_many();
	mailroot_end();
	return check_done("bounce");
}
