/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * out/bounce, the half about Badmail: the move, room for it, and the copy
 * for SendBadTo.
 */
#include "out/bounce.h"
#include "tests/mailroot.h"

#define ID "000000001abcdefghjkm"
#define TEXT "Subject: s\r\n\r\nbody\r\n.\r\n"

static struct recipient two[] = {
	{ .addr = "bob@far.test" }, { .addr = "carol@far.test" },
};
static const struct envelope env = {
	.uid = 33, .created = CREATED, .sender = "", .nrcpt = 2, .rcpt = two,
};

static struct message *aged(time_t due, size_t size)
{
	char *text = xcalloc(size, 1);
	struct message *m;

	memset(text, 'x', size);
	m = mail(NULL, &env, text, size, false);
	queue_commit(m, due);
	free(text);
	return m;
}

static void test_badmail(void)
{
	struct message *m;
	struct stat st;
	char name[256], path[600];

	mailroot_begin("");
	m = aged(NOW, 100);
	check_int("badmail", bounce_badmail(m, "expired", NOW), 0);
	check_int("in Badmail", (int)files("Badmail", true, name), 1);
	check_int("not in Queue", (int)files("Queue", true, NULL), 0);
	check_str("under its name", name, m->name);
	snprintf(path, sizeof path, "Badmail/%s", name);
	check(stat(in_root(path), &st) == 0 && (st.st_mode & 07777) == 0660,
	      "its mode");
	check(stat(in_root("Badmail"), &st) == 0 &&
	      (st.st_mode & 07777) == 02770, "the directory's");
	check(logged("badmail") && logged("why=expired"), "logged");
	/* What is marked later is marked there. */
	check_int("mark", queue_mark(m, 0, RCPT_RETURNED, "550 no"), 0);
	check_int("sync", queue_sync(m), 0);
	message_free(m);

	mailroot_begin("BadMailDirectory = /dev/null/Badmail\n");
	m = aged(NOW, 100);
	check_int("no Badmail", bounce_badmail(m, "expired", NOW), -1);
	check_int("still in Queue", (int)files("Queue", true, NULL), 1);
	message_free(m);
}

static void test_badmail_room(void)
{
	char third[256], name[256];
	struct message *m;
	unsigned i;

	/* Four of 4 KB and an envelope each into 18 KB: three remain. */
	mailroot_begin("MaxBadMailFolderSize = 18\n");
	mkdir(in_root("Badmail"), 0770);
	write_text(in_root("Badmail/readme"), "not ours", 8);
	for (i = 0; i < 4; i++) {
		m = aged(NOW + (i + 2) % 4, 4096);	/* 2 3 0 1 */
		check_int("room", bounce_badmail(m, "expired", NOW), 0);
		if (i == 1)
			snprintf(third, sizeof third, "%.250s", m->name);
		message_free(m);
	}
	check_int("the oldest went", (int)files("Badmail", true, name), 4);
	check_str("what is not ours stays", name, "readme");
	check(logged("badmail-removed"), "with a log line");
	unlink(in_root("Badmail/readme"));
	files("Badmail", true, name);
	check_str("the youngest stays", name, third);

	m = aged(NOW, 20000);
	check_int("too large", bounce_badmail(m, "expired", NOW), 0);
	check_int("drives nobody out", (int)files("Badmail", true, NULL), 3);
	check_int("and is gone", (int)files("Queue", true, NULL), 0);
	message_free(m);

	mailroot_begin("MaxBadMailFolderSize = 0\n");
	m = aged(NOW, 10);
	check_int("keep nothing", bounce_badmail(m, "expired", NOW), 0);
	check_int("not even the directory", access(in_root("Badmail"), F_OK),
		  -1);
	check_int("gone", (int)files("Queue", true, NULL), 0);
	check(logged("not kept"), "with a log line");
	message_free(m);

	mailroot_begin("MaxBadMailFolderSize = -1\n");
	m = aged(NOW, 100000);
	check_int("no limit", bounce_badmail(m, "expired", NOW), 0);
	check_int("kept", (int)files("Badmail", true, NULL), 1);
	message_free(m);
}

static void test_send_bad_to(void)
{
	struct message *m;
	char *text, name[256];
	size_t n;

	mailroot_begin("SendBadTo = boss@far.test\n");
	m = mail(ID, &env, TEXT, strlen(TEXT), false);
	queue_commit(m, CREATED + 100);
	queue_mark(m, 0, RCPT_RETURNED, "550 5.1.1 no \xc3\xa4");
	check_int("SendBadTo", bounce_badmail(m, "unreturnable", NOW), 0);
	message_free(m);
	check_int("a copy", (int)files("Queue", true, name), 1);
	text = report_text(&n, NULL);
	has(text, "To: boss@far.test\r\nSubject: Message put into Badmail\r\n");
	has(text, "  Reason: unreturnable\r\n");
	has(text, "  Recipient: <bob@far.test>, returned\r\n"
	    "    550 5.1.1 no \xc3\xa4\r\n");
	has(text, "\r\n\r\nbody\r\n.\r\n\r\n--");
	free(text);

	/* The copy's own end makes no other. */
	m = queue_claim(&queue, name, NOW);
	check_int("a copy goes to Badmail too",
		  bounce_badmail(m, "expired", NOW), 0);
	message_free(m);
	check_int("and makes no other", (int)files("Queue", true, NULL), 0);

	/* Torn: words alone. */
	m = mail(ID, &env, TEXT, strlen(TEXT), false);
	queue_commit(m, CREATED + 100);
	snprintf(name, sizeof name, "Queue/%s", m->name);
	check_int("torn", truncate(in_root(name), 700), 0);
	snprintf(name, sizeof name, "%s", m->name);
	message_free(m);
	m = queue_claim_torn(&queue, name);
	if (check(m != NULL, "claimed"))
		check_int("goes", bounce_badmail(m, "torn", NOW), 0);
	message_free(m);
	text = report_text(&n, NULL);
	has(text, "  Reason: torn\r\n");
	lacks(text, "message/rfc822");
	free(text);
}

int main(void)
{
	test_badmail();
	test_badmail_room();
	test_send_bad_to();
	mailroot_end();
	return check_done("badmail");
}
