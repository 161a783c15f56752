/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * out/drop: the file as IIS's readers parse it, byte for byte; deliveries
 * repeated after a crash; what is in the way.
 */
#include "out/drop.h"
#include "tests/mailroot.h"

#include <sys/file.h>

#define ID "000000001abcdefghjkm"
#define TEXT "Subject: x\r\n\r\nX-Receiver: not one\r\n.\r\n"

static struct recipient three[] = {
	{ .addr = "bob@local.test", .notify = "NEVER" },
	{ .addr = "carol@far.test" },
	{ .addr = "\"d o\"@local.test", .orcpt = "rfc822;d@x.test" },
};
static const struct envelope from_alice = {
	.uid = 33, .created = CREATED, .sender = "alice@client.test",
	.envid = "abc", .nrcpt = 3, .rcpt = three,
};
static const size_t first_and_third[] = { 0, 2 };

static struct reply deliver(struct message *m, size_t n)
{
	struct reply r;

	drop_deliver(m, first_and_third, n, &r);
	return r;
}

static void check_reply(const char *name, struct reply r, const char *want)
{
	char got[REPLY_TEXT + 32];

	check_str(name, reply_print(&r, got, sizeof got), want);
}

static void test_form(void)
{
	const char want[] = "x-sender: alice@client.test\r\n"
		"x-receiver: bob@local.test\r\n"
		"x-receiver: \"d o\"@local.test\r\n"
		"Return-Path: <alice@client.test>\r\n" TEXT;
	struct message *m;
	struct stat st;
	char *text;
	size_t n;

	mailroot_begin("");
	m = mail(ID, &from_alice, TEXT, strlen(TEXT), false);
	check_reply("delivered", deliver(m, 2), "250 2.1.5 delivered to Drop");
	text = text_of("Drop", ID ".eml", &n);
	check_bytes("form", text, n, want, strlen(want));
	check(stat(in_root("Drop/" ID ".eml"), &st) == 0 &&
	      (st.st_mode & 07777) == 0660, "mode of the file");
	check(stat(in_root("Drop"), &st) == 0 &&
	      (st.st_mode & 07777) == 02770, "mode of the directory");

	/* Again, after a crash, with what has meanwhile become of it. */
	write_text(in_root("Drop/" ID ".eml"), "as it was", 9);
	check_reply("again", deliver(m, 2), "250 2.1.5 delivered to Drop");
	free(text);
	text = text_of("Drop", ID ".eml", &n);
	check_bytes("never replaced", text, n, "as it was", 9);
	check_int("nothing else is left", (int)files("Drop", true, NULL), 1);
	free(text);
	queue_remove(m);
	message_free(m);
}

static void test_null_sender(void)
{
	const char want[] = "x-sender: <>\r\nx-receiver: bob@local.test\r\n"
		"Return-Path: <>\r\n" TEXT;
	struct envelope env = from_alice;
	struct message *m;
	char *text;
	size_t n;

	mailroot_begin("");
	env.sender = "";
	m = mail(ID, &env, TEXT, strlen(TEXT), false);
	deliver(m, 1);
	text = text_of("Drop", ID ".eml", &n);
	check_bytes("null sender", text, n, want, strlen(want));
	free(text);
	message_free(m);
}

/* More than one chunk, more than one buffer of recipients. */
static void test_large(void)
{
	enum { SIZE = 3 * IO_CHUNK + 17, RCPTS = 10000 };
	char *big = xcalloc(SIZE, 1), *text, *at;
	struct recipient *rcpt = xcalloc(RCPTS, sizeof *rcpt);
	size_t *index = xcalloc(RCPTS, sizeof *index), n, i, found = 0;
	struct envelope env = from_alice;
	struct message *m;
	struct reply r;

	mailroot_begin("");
	for (i = 0; i < SIZE; i++)
		big[i] = (char)('a' + i % 23);
	for (i = 0; i < RCPTS; i++) {
		char addr[32];

		snprintf(addr, sizeof addr, "user%zu@local.test", i);
		rcpt[i].addr = xstrdup(addr);
		index[i] = i;
	}
	env.rcpt = rcpt;
	env.nrcpt = RCPTS;
	m = mail(ID, &env, big, SIZE, false);
	drop_deliver(m, index, RCPTS, &r);
	check_int("large", r.code, 250);
	text = text_of("Drop", ID ".eml", &n);
	for (at = text; (at = strstr(at, "\r\nx-receiver: user")) != NULL; at++)
		found++;
	check_int("10,000 recipients", (int)found, RCPTS);
	check(n > SIZE && memcmp(text + n - SIZE, big, SIZE) == 0,
	      "a message of several chunks");
	for (i = 0; i < RCPTS; i++)
		free((char *)rcpt[i].addr);
	free(rcpt);
	free(index);
	free(text);
	free(big);
	message_free(m);
}

static void test_quota(void)
{
	struct message *m;

	mailroot_begin("DropDirectoryQuota = 100\n");
	m = mail(ID, &from_alice, TEXT, strlen(TEXT), false);
	mkdir(in_root("Drop"), 0770);
	write_text(in_root("Drop/other"), TEXT TEXT, 2 * strlen(TEXT));
	check_reply("over quota", deliver(m, 2), "452 4.2.2 Drop is full "
		    "(DropDirectoryQuota)");
	check_int("nothing was written", (int)files("Drop", true, NULL), 1);
	write_text(in_root("Drop/" ID ".eml"), TEXT, strlen(TEXT));
	check_reply("delivered before it was full", deliver(m, 2),
		    "250 2.1.5 delivered to Drop");
	message_free(m);

	mailroot_begin("DropDirectoryQuota = 0\n");
	m = mail(ID, &from_alice, TEXT, strlen(TEXT), false);
	check_int("no quota", deliver(m, 2).code, 250);
	message_free(m);
}

static void test_in_the_way(void)
{
	struct message *m;
	size_t n;
	char *text;
	int fd;

	/* What a killed delivery left. */
	mailroot_begin("");
	m = mail(ID, &from_alice, TEXT, strlen(TEXT), false);
	mkdir(in_root("Drop"), 0770);
	write_text(in_root("Drop/.tmp-" ID), "half a fi", 9);
	check_int("left by the dead", deliver(m, 1).code, 250);
	text = text_of("Drop", ID ".eml", &n);
	check(strncmp(text, "x-sender", 8) == 0 && strstr(text, TEXT),
	      "and nothing of it was used");
	free(text);
	check_int("nor kept", (int)files("Drop", true, NULL), 1);
	unlink(in_root("Drop/" ID ".eml"));

	/* What a living one holds. */
	fd = open(in_root("Drop/.tmp-" ID), O_RDWR | O_CREAT, 0660);
	flock(fd, LOCK_EX);
	check_int("held by the living", deliver(m, 1).code, 451);
	check_int("and left alone", (int)files("Drop", true, NULL), 1);
	close(fd);
	unlink(in_root("Drop/.tmp-" ID));

	mkdir(in_root("Drop/" ID ".eml"), 0770);
	check_reply("a directory of that name", deliver(m, 1),
		    "451 4.3.0 Drop: File exists");
	rmdir(in_root("Drop/" ID ".eml"));
	check_int("a link of that name",
		  symlink("/etc/passwd", in_root("Drop/" ID ".eml")), 0);
	check_int("is no delivery", deliver(m, 1).code, 451);
	unlink(in_root("Drop/" ID ".eml"));
	rmdir(in_root("Drop"));
	write_text(in_root("Drop"), "", 0);
	check_reply("no directory", deliver(m, 1),
		    "451 4.3.0 Drop: Not a directory");
	message_free(m);
}

/* A message kept nowhere can still be dropped. */
static void test_memory(void)
{
	struct message *m = queue_new_memory();

	mailroot_begin("");
	queue_put_envelope(m, &from_alice);
	queue_put_text(m, TEXT, strlen(TEXT));
	queue_complete(m, false);
	check_int("from memory", deliver(m, 2).code, 250);
	check_int("one file", (int)files("Drop", true, NULL), 1);
	message_free(m);
}

int main(void)
{
	test_form();
	test_null_sender();
	test_large();
	test_quota();
	test_in_the_way();
	test_memory();
	mailroot_end();
	return check_done("drop");
}
