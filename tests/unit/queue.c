/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * queue.c and lib/envelope.c: what is written is read again; what is torn,
 * flipped, foreign, linked or held by another is not taken; marks; the other
 * file system.  The argument about crashes is tests/crash's.
 */
#include "tests/mailroot.h"

#include <bsd/string.h>
#include <sys/file.h>
#include <sys/wait.h>

#define ID "000000001abcdefghjkm"
#define NAME "20261122T010000Z-" ID ".eml"
#define TEXT "Subject: x\r\n\r\nX-Receiver: <not@one.test>\r\n"

static struct recipient three[] = {
	{ .addr = "bob@far.test", .notify = "SUCCESS,FAILURE",
	  .orcpt = "rfc822;b+2Bb@x.test" },
	{ .addr = "\"a > b\\\"<\"@far.test" },
	{ .addr = "carol", .notify = "NEVER" },
};
static const struct envelope full = {
	.uid = 4294967294u, .created = CREATED, .last = CREATED + 60,
	.attempts = 7, .warned = true, .sender = "\"x y\"@client.test",
	.ret = "HDRS", .envid = "a+20b", .nrcpt = 3, .rcpt = three,
};

static void check_str0(const char *name, const char *got, const char *want)
{
	if (got && want)
		check_str(name, got, want);
	else
		check(!got && !want, name);
}

static void same_envelope(const char *name, const struct envelope *a,
			  const struct envelope *b)
{
	size_t i;

	check(a->uid == b->uid && a->created == b->created &&
	      a->last == b->last && a->attempts == b->attempts &&
	      a->warned == b->warned && a->nrcpt == b->nrcpt, name);
	check_str(name, a->sender, b->sender);
	check_str0(name, a->ret, b->ret);
	check_str0(name, a->envid, b->envid);
	for (i = 0; i < a->nrcpt && i < b->nrcpt; i++) {
		check_str(name, a->rcpt[i].addr, b->rcpt[i].addr);
		check_str0(name, a->rcpt[i].notify, b->rcpt[i].notify);
		check_str0(name, a->rcpt[i].orcpt, b->rcpt[i].orcpt);
	}
}

static void check_text(const char *name, const struct message *m,
		       const char *want)
{
	char *text = xcalloc(m->text_size + 1, 1);

	check_int(name, pread_full(m->fd, text, m->text_size, m->text_at), 0);
	check_str(name, text, want);
	free(text);
}

static struct message *full_mail(void)
{
	return mail(ID, &full, TEXT, strlen(TEXT), true);
}

/* The committed file as bytes. */
static char *full_file(size_t *n)
{
	struct message *m = full_mail();

	check_int("commit", queue_commit(m, CREATED), 0);
	message_free(m);
	return text_of("Queue", NAME, n);
}

/* ---- round trip ------------------------------------------------------ */

static void test_round_trip(void)
{
	struct message *m, *peek;
	struct stat st;

	mailroot_begin("");
	m = full_mail();
	same_envelope("complete", &m->env, &full);
	check_text("complete", m, TEXT);
	check_int("hidden", (int)files("Queue", false, NULL), 0);
	check_int("commit", queue_commit(m, CREATED), 0);
	check_str("name", m->name, NAME);
	check(stat(in_root("Queue/" NAME), &st) == 0 &&
	      (st.st_mode & 07777) == 0660, "mode");
	check(stat(in_root("Queue"), &st) == 0 &&
	      (st.st_mode & 07777) == 03770, "mode of the directory");
	check_int("twice", queue_commit(m, CREATED), -1);
	check(!queue_claim(&queue, NAME, NOW) && errno == EWOULDBLOCK,
	      "locked while it is held");
	peek = queue_peek(&queue, NAME);
	if (check(peek != NULL, "peek takes no lock")) {
		same_envelope("peek", &peek->env, &full);
		check(peek->env.eight_bit, "8bit");
	}
	message_free(peek);
	message_free(m);

	m = queue_claim(&queue, NAME, NOW);
	if (!check(m != NULL, "claim"))
		return;
	same_envelope("claim", &m->env, &full);
	check_text("claim", m, TEXT);
	check_str("id", m->id, ID);
	check_int("due", m->due, CREATED);
	check_int("waiting", (int)message_waiting(m), 3);
	check_int("remove", queue_remove(m), 0);
	check_int("gone", (int)files("Queue", true, NULL), 0);
	message_free(m);
}

static void test_wrong_clock(void)
{
	struct envelope env = full;
	struct message *m;
	size_t i;
	static const time_t times[] = { NOW + 1, (time_t)4102444800, 0,
					BUILD_EPOCH - 1 };

	for (i = 0; i < sizeof times / sizeof times[0]; i++) {
		mailroot_begin("");
		env.created = times[i];
		m = mail(ID, &env, TEXT, strlen(TEXT), false);
		queue_commit(m, CREATED);
		message_free(m);
		m = queue_claim(&queue, NAME, NOW);
		check_int("a wrong clock: created now",
			  m ? m->env.created : -1, NOW);
		message_free(m);
	}
}

static void test_many(void)
{
	enum { RCPTS = 10000 };
	struct recipient *rcpt = xcalloc(RCPTS, sizeof *rcpt);
	struct envelope env = full;
	struct message *m;
	char addr[64];
	size_t i, wrong = 0;

	mailroot_begin("");
	for (i = 0; i < RCPTS; i++) {
		snprintf(addr, sizeof addr, "user%zu@far.test", i);
		rcpt[i].addr = xstrdup(addr);
	}
	env.rcpt = rcpt;
	env.nrcpt = RCPTS;
	m = mail(ID, &env, TEXT, strlen(TEXT), false);
	queue_commit(m, CREATED);
	message_free(m);
	m = queue_claim(&queue, NAME, NOW);
	check_int("10,000 recipients", (int)m->env.nrcpt, RCPTS);
	for (i = 0; i < RCPTS; i += 2)
		wrong += queue_mark(m, i, RCPT_DELIVERED, "250 ok") != 0;
	check_int("marks", (int)wrong + queue_sync(m), 0);
	message_free(m);
	m = queue_claim(&queue, NAME, NOW);
	check_int("half of them wait", (int)message_waiting(m), RCPTS / 2);
	for (i = 0; i < RCPTS; i++)
		wrong += strcmp(m->env.rcpt[i].addr, rcpt[i].addr) != 0 ||
			strcmp(m->env.rcpt[i].status, i % 2 ? "" : "250 ok");
	check_int("each as it was", (int)wrong, 0);
	message_free(m);
	for (i = 0; i < RCPTS; i++)
		free((char *)rcpt[i].addr);
	free(rcpt);
}

static void test_memory(void)
{
	struct message *m = queue_new_memory();

	check(m && queue_put_envelope(m, &full) == 0 &&
	      queue_put_text(m, TEXT, strlen(TEXT)) == 0 &&
	      queue_complete(m, false) == 0, "in memory");
	same_envelope("in memory", &m->env, &full);
	check_text("in memory", m, TEXT);
	check(queue_commit(m, NOW) == -1 && errno == EROFS, "no commit");
	check_int("mark", queue_mark(m, 0, RCPT_DELIVERED, "250 ok"), 0);
	check_int("reschedule", queue_reschedule(m, NOW), 0);
	check_int("remove", queue_remove(m), 0);
	message_free(m);
}

/* No recipient, or one that would end its line: never written whole. */
static void test_bad_envelopes(void)
{
	static const char *const bad[] = { "a\r\nx-receiver: <b", "a\n", "a>",
					   "\"a", NULL };
	struct recipient rcpt = { .addr = "a" };
	struct envelope env = full;
	struct message *m;
	size_t i;

	mailroot_begin("");
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		rcpt.addr = bad[i];
		env.rcpt = &rcpt;
		env.nrcpt = bad[i] != NULL;
		m = queue_new(&queue, NULL);
		if (queue_put_envelope(m, &env) == 0) {
			check(m->env.nrcpt == 1 && bad[i] &&
			      strcmp(bad[i], "a>") == 0,
			      bad[i] ? bad[i] : "none");
		} else {
			check_int("broken: text", queue_put_text(m, "x", 1),
				  -1);
			check_int("broken: complete", queue_complete(m, false),
				  -1);
			check_int("broken: commit", queue_commit(m, NOW), -1);
		}
		queue_remove(m);
		message_free(m);
	}
	check_int("nothing is left", (int)files("Queue", true, NULL), 0);
}

/* ---- torn and flipped ------------------------------------------------ */

static void test_torn(void)
{
	size_t n, i, wrong = 0;
	struct message *m;
	char *file;

	mailroot_begin("");
	file = full_file(&n);
	for (i = 0; i < n; i++) {
		write_text(in_root("Queue/" NAME), file, i);
		m = queue_claim(&queue, NAME, NOW);
		wrong += m || errno != EBADMSG;
		message_free(m);
		m = queue_peek(&queue, NAME);
		wrong += m || errno != EBADMSG;
		message_free(m);
	}
	check_int("torn at every offset", (int)wrong, 0);
	m = queue_claim_torn(&queue, NAME);
	check(m && m->env.nrcpt == 0 && m->text_size == n - 1, "claim_torn");
	message_free(m);

	write_text(in_root("Queue/" NAME), file, n);
	m = queue_claim_torn(&queue, NAME);
	check(!m, "whole: not torn");
	message_free(m);

	/* Longer than it says. */
	file = xreallocarray(file, n + 1, 1);
	file[n] = 'x';
	write_text(in_root("Queue/" NAME), file, n + 1);
	m = queue_claim(&queue, NAME, NOW);
	check(!m && errno == EBADMSG, "an octet more");
	free(file);
}

/* A flip may change what is said, but never make a recipient done. */
static void test_flipped(void)
{
	static const char flips[] = { 1, 2, 0x20, 0x7f, (char)0x80,
				      (char)0xff };
	size_t n, i, f, done = 0, lost = 0;
	struct message *m;
	char *file, old;

	mailroot_begin("");
	file = full_file(&n);
	for (i = 0; i < n; i++)
		for (f = 0; f < sizeof flips + 1; f++) {
			old = file[i];
			file[i] = f == sizeof flips ? 0 : old ^ flips[f];
			write_text(in_root("Queue/" NAME), file, n);
			file[i] = old;
			m = queue_claim(&queue, NAME, NOW);
			if (m) {
				done += message_waiting(m) != m->env.nrcpt;
				lost += m->env.nrcpt != 3;
			}
			message_free(m);
		}
	check_int("a flip delivers nobody", (int)done, 0);
	check_int("a flip removes nobody", (int)lost, 0);
	free(file);
}

/* A prefix or suffix of one word over the other, as a torn write leaves it. */
static void test_mark_spelling(void)
{
	static const struct {
		const char *mark;
		enum rcpt_state state;
	} table[] = {
		{ "x-receiver", RCPT_WAITING },
		{ "x-received", RCPT_DELIVERED },
		{ "x-returned", RCPT_RETURNED }, { "x-returver", RCPT_WAITING },
		{ "x-reteiver", RCPT_WAITING }, { "x-receined", RCPT_WAITING },
		{ "x-receivned", RCPT_WAITING }, { "X-Received", RCPT_WAITING },
		{ "x-retu\0ned", RCPT_WAITING }, { "x-        ", RCPT_WAITING },
	};
	size_t n, i;
	char *file, *at;
	struct message *m;

	mailroot_begin("");
	file = full_file(&n);
	at = memmem(file, n, "x-receiver", 10);
	for (i = 0; i < sizeof table / sizeof table[0]; i++) {
		memcpy(at, table[i].mark, 10);
		write_text(in_root("Queue/" NAME), file, n);
		m = queue_claim(&queue, NAME, NOW);
		if (memchr(table[i].mark, 0, 10))
			check(!m && errno == EBADMSG, "a NUL");
		else
			check_int(table[i].mark, m ? (int)m->env.rcpt[0].state :
				  -1, table[i].state);
		message_free(m);
	}
	free(file);
}

/* ---- marks and schedule ---------------------------------------------- */

static void test_marks(void)
{
	char longest[STATUS_OCTETS * 2];
	struct message *m;
	size_t before, after;

	mailroot_begin("");
	memset(longest, 'z', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	free(full_file(&before));
	m = queue_claim(&queue, NAME, NOW);
	check_int("waiting", queue_mark(m, 0, RCPT_WAITING, longest), 0);
	check_int("delivered", queue_mark(m, 1, RCPT_DELIVERED,
					  "250 \r\nx-receiver: <e@x>\x1b"), 0);
	check_int("returned", queue_mark(m, 2, RCPT_RETURNED, NULL), 0);
	check_int("sync", queue_sync(m), 0);
	m->env.attempts = 8;
	m->env.warned = false;
	m->env.last = NOW;
	check_int("reschedule", queue_reschedule(m, CREATED + 1), 0);
	message_free(m);

	check(!queue_claim(&queue, NAME, NOW) && errno == ENOENT, "moved on");
	m = queue_claim(&queue, "20261122T010001Z-" ID ".eml", NOW);
	if (!check(m != NULL, "its new name"))
		return;
	longest[STATUS_OCTETS] = '\0';
	check_str("status is cut", m->env.rcpt[0].status, longest);
	check_str("and printable", m->env.rcpt[1].status,
		  "250 x-receiver: <e@x>?");
	check_str("or kept", m->env.rcpt[2].status, "");
	check_int("one waits", (int)message_waiting(m), 1);
	check(m->env.rcpt[0].state == RCPT_WAITING &&
	      m->env.rcpt[1].state == RCPT_DELIVERED &&
	      m->env.rcpt[2].state == RCPT_RETURNED, "states");
	check(m->env.attempts == 8 && !m->env.warned && m->env.last == NOW &&
	      m->env.created == CREATED, "attempts, warned, last");
	check_str("addresses stay", m->env.rcpt[1].addr, three[1].addr);
	check_text("text stays", m, TEXT);
	message_free(m);
	free(text_of("Queue", "20261122T010001Z-" ID ".eml", &after));
	check_int("the file never grows", (int)after, (int)before);
}

static void test_uncommitted(void)
{
	struct message *m;

	mailroot_begin("");
	m = full_mail();
	m->env.attempts = 9;
	check_int("reschedule", queue_reschedule(m, CREATED + 5), 0);
	check_int("is not a commit", (int)files("Queue", false, NULL), 0);
	check_int("mark", queue_mark(m, 0, RCPT_DELIVERED, "250 ok"), 0);
	check_int("sync", queue_sync(m), 0);
	check_int("commit", queue_commit(m, CREATED), 0);
	message_free(m);
	m = queue_claim(&queue, NAME, NOW);
	check(m && m->env.attempts == 9 && message_waiting(m) == 2,
	      "what was told before the commit");
	message_free(m);
}

/* ---- names and foreign things ---------------------------------------- */

struct sweep {
	size_t names, foreign, stop;
};

static bool seen(void *ctx, const char *name, time_t due, const char *id)
{
	struct sweep *s = ctx;

	if (id) {
		s->names++;
		check(due == CREATED && strcmp(id, ID) == 0 &&
		      strcmp(name, NAME) == 0, "swept");
	} else {
		s->foreign++;
	}
	return s->names + s->foreign != s->stop;
}

static void test_foreign(void)
{
	static const char *const names[] = {
		"a", "README", NAME ".bak", "20261122T010000Z-" ID,
		"20261122T010000Z-" ID ".EML", "20261322T010000Z-" ID ".eml",
		"20261122T010000Z_" ID ".eml", "2026112 T010000Z-" ID ".eml",
		"20261122T010000Z-000000001abcdefghjki.eml",
		"20261122T010000Z-000000001abcdefghjk\xff.eml", ".hidden",
	};
	const size_t count = sizeof names / sizeof names[0];
	struct sweep s = { .stop = 0 };
	struct queue none = { .dir = -1 };
	char path[600], *file;
	size_t i, n;

	mailroot_begin("");
	file = full_file(&n);
	for (i = 0; i < count; i++) {
		snprintf(path, sizeof path, "Queue/%s", names[i]);
		write_text(in_root(path), file, n);
		check(!queue_claim(&queue, names[i], NOW) && errno == EINVAL,
		      names[i]);
	}
	write_text(in_root("Queue/.tmp-x"), file, n);
	check_int("sweep", queue_sweep(&queue, seen, &s), 0);
	check_int("names", (int)s.names, 1);
	check_int("foreign", (int)s.foreign, (int)count);
	s = (struct sweep){ .stop = 3 };
	check_int("sweep, stopped", queue_sweep(&queue, seen, &s), 0);
	check_int("there", (int)(s.names + s.foreign), 3);
	check(queue_octets(&queue) == (count + 2) * n, "octets");
	check(!queue_claim(&queue, "../conf", NOW), "a path");
	check_int("no directory", queue_open(&none, in_root("None"), 0), -1);
	check_int("ENOENT", errno, ENOENT);
	check_int("a file", queue_open(&none, in_root("conf"), 0700), -1);
	check_int("ENOTDIR", errno, ENOTDIR);
	free(file);
}

static void refused(const char *name, int want)
{
	struct message *m = queue_claim(&queue, NAME, NOW);

	check(!m, name);
	check_int(name, errno, want);
	m = queue_claim_torn(&queue, NAME);
	check(!m, name);
	m = queue_peek(&queue, NAME);
	check(!m, name);
	check(unlink(in_root("Queue/" NAME)) == 0 ||
	      rmdir(in_root("Queue/" NAME)) == 0, "it stays");
}

static void test_links(void)
{
	const char *path;
	size_t n;
	char *file;

	mailroot_begin("");
	file = full_file(&n);
	path = in_root("Queue/" NAME);
	check_int("link", link(path, in_root("second")), 0);
	refused("a second name", EMLINK);
	path = in_root("Queue/" NAME);
	check_int("symlink", symlink(in_root("second"), path), 0);
	refused("a symbolic link", ELOOP);
	path = in_root("Queue/" NAME);
	check_int("mkfifo", mkfifo(path, 0660), 0);
	refused("a FIFO", EINVAL);
	path = in_root("Queue/" NAME);
	check_int("mkdir", mkdir(path, 0770), 0);
	refused("a directory", EISDIR);
	free(file);
}

/* ---- two processes --------------------------------------------------- */

/* A child that does what fn says and tells by its exit status. */
static int child(int (*fn)(void))
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0)
		_exit(fn());
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int try_claim(void)
{
	struct message *m = queue_claim(&queue, NAME, NOW);

	return m ? 0 : errno;
}

static int try_new(void)
{
	return queue_new(&queue, ID) ? 0 : errno;
}

static int try_recover(void)
{
	return (int)queue_recover(&queue, now_real() + 2 * TMP_ORPHAN_SECONDS);
}

/* Waits at the lock's door: opened under the old name, which then moves. */
static int raced(void)
{
	struct message *m = queue_claim(&queue, NAME, NOW);

	queue_reschedule(m, CREATED + 1);
	return 0;
}

static void test_locks(void)
{
	struct message *m;
	size_t n;

	mailroot_begin("");
	free(full_file(&n));
	m = queue_claim(&queue, NAME, NOW);
	check_int("held by another", child(try_claim), EWOULDBLOCK);
	message_free(m);
	check_int("free again", child(try_claim), 0);
	check_int("the dead hold nothing", child(try_claim), 0);
	check_int("moved on by another", child(raced), 0);
	check_int("is gone here", try_claim(), ENOENT);
}

static void test_recover(void)
{
	struct message *m;
	struct stat st;

	mailroot_begin("");
	m = full_mail();
	check_int("held: not recovered", child(try_recover), 0);
	check_int("held: not begun anew", child(try_new), EEXIST);
	message_free(m);
	check_int("young: stays", (int)queue_recover(&queue, now_real()), 0);
	check_int("begun anew", child(try_new), 0);
	check(stat(in_root("Queue/.tmp-" ID), &st) == 0 && st.st_size == 0,
	      "from its start");
	check_int("an orphan", try_recover(), 1);
	check_int("is gone", (int)files("Queue", true, NULL), 0);
	check_int("symlink", symlink("/etc/passwd", in_root("Queue/.tmp-x")),
		  0);
	check_int("a link is left alone", try_recover(), 0);
}

/* ---- made once ------------------------------------------------------- */

static void test_ids(void)
{
	char a[QUEUE_ID_LEN + 1], b[QUEUE_ID_LEN + 1], c[QUEUE_ID_LEN + 1];
	struct message *m;

	queueid_new(a);
	queueid_new(b);
	check(strlen(a) == QUEUE_ID_LEN && strcmp(a, b) != 0, "ids differ");
	queueid_derive(b, a, 1, 'F');
	queueid_derive(c, a, 1, 'F');
	check_str("derived twice", b, c);
	check(strncmp(a, b, 9) == 0, "and sorts with its origin");
	queueid_derive(c, a, 2, 'F');
	check(strcmp(b, c) != 0, "another number");
	queueid_derive(c, a, 1, 'D');
	check(strcmp(b, c) != 0, "another purpose");
	queueid_derive(c, b, 1, 'F');
	check(strcmp(b, c) != 0, "another origin");

	mailroot_begin("");
	m = full_mail();
	check_int("commit", queue_commit(m, CREATED), 0);
	message_free(m);
	m = full_mail();
	check(queue_commit(m, CREATED) == -1 && errno == EEXIST, "EEXIST");
	check(!m->broken && strncmp(m->name, ".tmp-", 5) == 0, "still new");
	check_int("removed", queue_remove(m), 0);
	message_free(m);
	check_int("the first stays", (int)files("Queue", true, NULL), 1);
	m = full_mail();
	check_int("any name", queue_commit_as(m, "x.eml"), 0);
	check_int("two", (int)files("Queue", true, NULL), 2);
	message_free(m);
}

/* ---- moving ---------------------------------------------------------- */

static void test_move(const char *dir, bool copied)
{
	struct queue to = { .dir = -1 };
	struct message *m;
	size_t n, after;
	char *file, *copy, path[1200];

	mailroot_begin("");
	if (!dir)
		dir = in_root("Badmail");
	file = full_file(&n);
	check_int("target", queue_open(&to, dir, 02770), 0);
	m = queue_claim(&queue, NAME, NOW);
	check_int("move", queue_move(m, &to), 0);
	check(m->q == &to, "its directory");
	check_int("gone here", (int)files("Queue", true, NULL), 0);
	check_int("mark", queue_mark(m, 0, RCPT_RETURNED, NULL), 0);
	check_int("sync", queue_sync(m), 0);
	message_free(m);
	snprintf(path, sizeof path, "%s/" NAME, dir);
	copy = read_file(path, 1 << 20, &after);
	check(copy && after == n, "there");
	if (copy) {
		check(strstr(copy, "x-returned") != NULL, "marked there");
		memcpy(strstr(copy, "x-returned"), "x-receiver", 10);
		check_bytes("the same", copy, after, file, n);
	}

	/* Once more, as after a crash between the two steps. */
	write_text(in_root("Queue/" NAME), file, n);
	m = queue_claim(&queue, NAME, NOW);
	check_int("again", queue_move(m, &to), 0);
	check_int("gone here too", (int)files("Queue", true, NULL), 0);
	message_free(m);
	if (copied) {
		unlink(path);
		write_text(in_root("Queue/" NAME), file, n);
		m = queue_claim(&queue, NAME, NOW);
		queue_close(&to);
		check_int("no target", queue_move(m, &to), -1);
		check_int("still here", (int)files("Queue", true, NULL), 1);
		message_free(m);
	}
	queue_close(&to);
	free(copy);
	free(file);
}

static void test_moves(void)
{
	char dir[] = "/dev/shm/mailroot-XXXXXX";
	struct stat here, there;

	test_move(NULL, false);
	if (stat(root, &here) != 0 || stat("/dev/shm", &there) != 0 ||
	    here.st_dev == there.st_dev || !mkdtemp(dir)) {
		printf("SKIPPED no other file system at /dev/shm\n");
		return;
	}
	test_move(dir, true);
	rmdir(dir);
}

int main(void)
{
	test_round_trip();
	test_wrong_clock();
	test_many();
	test_memory();
	test_bad_envelopes();
	test_torn();
	test_flipped();
	test_mark_spelling();
	test_marks();
	test_uncommitted();
	test_foreign();
	test_links();
	test_locks();
	test_recover();
	test_ids();
	test_moves();
	mailroot_end();
	return check_done("queue");
}
