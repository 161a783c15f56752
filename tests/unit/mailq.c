/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * out/mailq: the listing as sendmail's readers parse it, and as JSON; hostile
 * words; what cannot be read; a long queue.
 */
#include "out/mailq.h"
#include "tests/mailroot.h"

#include <time.h>

static struct recipient two[] = {
	{ .addr = "bob@far.test" }, { .addr = "carol@local.test" },
};

/* What mailq_list prints, as a string: the caller frees. */
static char *listing(bool json, int *status)
{
	int keep = dup(STDOUT_FILENO), fd;
	char *text;

	fflush(stdout);
	fd = open(in_root("out"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	dup2(fd, STDOUT_FILENO);
	*status = mailq_list(json, false);
	fflush(stdout);
	dup2(keep, STDOUT_FILENO);
	close(keep);
	close(fd);
	text = read_file(in_root("out"), 256 << 20, NULL);
	if (!text)
		exit(1);
	return text;
}

static void check_listing(const char *name, bool json, const char *want)
{
	int status;
	char *text = listing(json, &status);

	check_int(name, status, 0);
	check_str(name, text, want);
	free(text);
}

static void put(const char *id, time_t due, time_t created, const char *sender,
		const char *reason)
{
	struct envelope env = { .uid = 33, .created = created, .attempts = 3,
		.sender = sender, .nrcpt = 2, .rcpt = two };
	struct message *m = mail(id, &env, "Subject: x\r\n\r\n", 14, true);

	queue_commit(m, due);
	queue_mark(m, 0, RCPT_WAITING, reason);
	queue_mark(m, 1, RCPT_DELIVERED, "250 2.1.5 delivered to Drop");
	message_free(m);
}

static void test_empty(void)
{
	char want[256];

	mailroot_begin("");
	snprintf(want, sizeof want, "%s/Queue is empty\n"
		 "\t\tTotal requests: 0\n", root);
	check_listing("empty", false, want);
	check_listing("empty, JSON", true, "");
	rmdir(in_root("Queue"));
	check_listing("no directory", false, want);
	check_listing("no directory, JSON", true, "");
}

static void test_failure(void)
{
	int status;
	char *text;

	mailroot_begin("");
	rmdir(in_root("Queue"));
	write_text(in_root("Queue"), "", 0);
	die_quiet = true;
	text = listing(false, &status);
	die_quiet = false;
	check_int("no directory", status, 71);
	check_str("nothing", text, "");
	free(text);
}

static void test_text(void)
{
	const time_t now = now_real();
	char want[2048], when[2][32], next[32];
	char *text, *first, *rest;
	struct tm tm;
	int status;
	time_t t;

	mailroot_begin("");
	t = now - 2 * 86400 - 3 * 3600 - 60;
	localtime_r(&t, &tm);
	strftime(when[0], sizeof when[0], "%a %b %e %H:%M", &tm);
	put("000000002abcdefghjkm", now + 600, t, "alice@client.test",
	    "451 4.7.1 greylisted (mx1.far.test)");
	t = now - 90;
	localtime_r(&t, &tm);
	strftime(when[1], sizeof when[1], "%a %b %e %H:%M", &tm);
	put("000000001abcdefghjkm", now - 5, t, "", "");
	t = now + 600;
	localtime_r(&t, &tm);
	strftime(next, sizeof next, "%a %b %e %H:%M", &tm);
	write_text(in_root("Queue/notes \x1b[0m.txt"), "", 0);
	write_text(in_root("Queue/20991122T010000Z-000000001abcdefghjkm.eml"),
		   "x", 1);
	snprintf(want, sizeof want,
"\t\t%s/Queue (3 requests)\n"
"--------Q-ID-------- --Size-- -----Q-Time----- --Age-- --Sender/Recipient--\n"
"000000002abcdefghjkm       14 %s   2d 3h <alice@client.test>\n"
"                     8BITMIME\n"
"                     next attempt %s, in 10m 0s (3 so far)\n"
"                                                      <bob@far.test>\n"
"                     (Deferred: 451 4.7.1 greylisted by mx1.far.test.)\n"
"*** 20991122T010000Z-000000001abcdefghjkm.eml (not a whole message)\n"
"*** notes ?[0m.txt (not ours)\n"
"\t\tTotal requests: 2\n", root, when[0], next);
	/* The due one stands first; its age may turn while we look. */
	text = listing(false, &status);
	first = strstr(text, "000000001abcdefghjkm       14 ");
	rest = strstr(text, "000000002abcdefghjkm       14 ");
	if (check(first && rest && first < rest, "sorted by due")) {
		check(strstr(first, "next attempt: due (3 so far)\n"), "due");
		check(strstr(first, " <>\n") < rest, "null sender");
		check(strstr(first, when[1]) == first + 30, "Q-Time");
		check(!strstr(text, "carol"), "who is done is not shown");
		memmove(first, rest, strlen(rest) + 1);
		/* Nine minutes and 59 seconds will do. */
		rest = strstr(text, "in 9m 59s");
		if (rest)
			memcpy(rest, "in 10m 0s", 9);
		check_str("text", text, want);
	}
	free(text);
}

static void test_json(void)
{
	char *text;
	int status;

	mailroot_begin("SmartHost = relay.test\n");
	put("000000002abcdefghjkm", CREATED + 60, CREATED,
	    "\"a\\\"b\"@client.test", "451 \"why\\not\"");
	check_listing("JSON", true,
"{\"id\":\"000000002abcdefghjkm\","
"\"name\":\"20261122T010100Z-000000002abcdefghjkm.eml\",\"size\":14,"
"\"created\":\"2026-11-22T01:00:00Z\",\"due\":\"2026-11-22T01:01:00Z\","
"\"attempts\":3,\"uid\":33,\"sender\":\"\\\"a\\\\\\\"b\\\"@client.test\","
"\"recipients\":[{\"address\":\"bob@far.test\",\"state\":\"waiting\","
"\"reason\":\"451 \\\"why\\\\not\\\"\",\"hop\":\"smart host relay.test\"},"
"{\"address\":\"carol@local.test\",\"state\":\"delivered\","
"\"reason\":\"250 2.1.5 delivered to Drop\",\"hop\":\"Drop\"}]}\n");
	write_text(in_root("Queue/x\"y\n"), "", 0);
	text = listing(true, &status);
	check(strstr(text, "\n{\"name\":\"x\\\"y\",\"error\":\"not ours\"}\n"),
	      "JSON of what is not ours");
	free(text);
}

/* Words that would draw on the terminal, or count themselves. */
static void test_hostile(void)
{
	char *text, *s;
	int status, bad = 0;

	mailroot_begin("");
	two[0].addr = "\"\x1b]0;x\x07 \xe2\x80\xae\"@far.test";
	put(NULL, CREATED, CREATED, "\"\x9b" "31m\"@x.test",
	    "451 \n\t\tTotal requests: 99 (99 requests) \xff\x1b[2J");
	two[0].addr = "bob@far.test";
	for (int json = 0; json < 2; json++) {
		text = listing(json, &status);
		for (s = text; *s; s++)
			bad += (*s < ' ' && *s != '\n' && *s != '\t') ||
				*s == 127;
		check_int("nothing but text", bad, 0);
		check(json || strstr(text, "\n\t\tTotal requests: 1\n"),
		      "the total is ours");
		check(!strstr(text, "\n\t\tTotal requests: 99"),
		      "and not theirs");
		free(text);
	}
}

static void test_long(void)
{
	enum { MESSAGES = 2000 };
	char *text, *last;
	int status, i;

	mailroot_begin("");
	for (i = 0; i < MESSAGES; i++) {
		char name[64], path[128];
		static char *file;
		static size_t n;

		if (i == 0) {
			put("000000001abcdefghjkm", CREATED, CREATED, "a", "b");
			file = text_of("Queue", "20261122T010000Z-"
				       "000000001abcdefghjkm.eml", &n);
			continue;
		}
		snprintf(name, sizeof name, "20261122T01%02d%02dZ-%020d.eml",
			 i / 60 % 60, i % 60, i);
		snprintf(path, sizeof path, "Queue/%s", name);
		write_text(in_root(path), file, n);
		if (i == MESSAGES - 1)
			free(file);
	}
	text = listing(false, &status);
	last = strstr(text, "\t\tTotal requests:");
	check_str("all", last, "\t\tTotal requests: 2000\n");
	check(strstr(text, "/Queue (2000 requests)\n") != NULL, "the count");
	free(text);
}

int main(void)
{
	test_empty();
	test_failure();
	test_text();
	test_json();
	test_hostile();
	test_long();
	mailroot_end();
	return check_done("mailq");
}
