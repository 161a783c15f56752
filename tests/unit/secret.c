/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Where a password comes from, what is said when there is none, how often the
 * command runs, and that nothing of it stays in memory.
 */
#include "out/auth.h"
#include "out/secret.h"
#include "lib/codec.h"
#include "lib/util.h"
#include "tests/check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Of the test's own: what is made of it below stands nowhere else. */
static char folder[] = "/tmp/secret.XXXXXX";
static char path[sizeof folder + 8];

static void put(const char *text, size_t n, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	check(fd >= 0 && write_full(fd, text, n) == 0 &&
	      fchmod(fd, mode) == 0, "a file of our own");
	close(fd);
}

/* As conf.c leaves it: no string is NULL. */
static struct conf settings(const char *password, const char *file,
			    const char *command)
{
	struct conf c = { .route_password = password,
			  .route_password_file = file,
			  .route_password_command = command };

	return c;
}

static void expect(const char *name, struct conf c, const char *want,
		   const char *reason)
{
	char why[400] = "";
	char *got = secret_get(&c, why, sizeof why);

	check_str(name, got, want ? want : "(null)");
	if (reason && !check(strstr(why, reason) != NULL, name))
		printf("  want: ...%s...\n  got:  %s\n", reason, why);
	if (!reason)
		check_str(name, why, "");
	secret_free(got);
}

/* ---- where it is -------------------------------------------------------- */

static void files(void)
{
	static const struct {
		const char *name, *text, *want, *reason;
	} table[] = {
		{ "a line", "geheim\n", "geheim", NULL },
		{ "no end", "geheim", "geheim", NULL },
		{ "CRLF, more lines", "ge heim \r\nnot this\n", "ge heim ",
		  NULL },
		{ "an empty file", "", NULL, "has no password in its first" },
		{ "an empty line", "\ngeheim\n", NULL, "has no password in" },
	};
	size_t i;

	for (i = 0; i < COUNT(table); i++) {
		put(table[i].text, strlen(table[i].text), 0600);
		expect(table[i].name, settings("", path, ""), table[i].want,
		       table[i].reason);
	}
	expect("a directory", settings("", folder, ""), NULL,
	       "cannot read RoutePasswordFile /tmp/secret.");
	unlink(path);
	expect("no file", settings("", path, ""), NULL, "No such file");
	check(mkfifo(path, 0600) == 0, "a FIFO");
	expect("a FIFO that nobody writes", settings("", path, ""), NULL,
	       "has no password");
	unlink(path);
	expect("the setting is first", settings("set", path, "echo no"), "set",
	       NULL);
	expect("nothing is set", settings("", "", ""), "", NULL);
}

/* ---- the command -------------------------------------------------------- */

static long size_of(const char *name)
{
	struct stat st;

	return stat(name, &st) == 0 ? (long)st.st_size : 0;
}

static void commands(void)
{
	static const struct {
		const char *command, *want, *reason;
	} table[] = {
		{ "echo geheim; echo no", "geheim", NULL },
		{ "printf geheim", "geheim", NULL },
		{ "echo geheim; kill $$", "geheim", NULL },
		{ "echo geheim; exit 3", NULL, "gave no password (its status" },
		{ "true", NULL, "gave no password (silence)" },
		{ "echo", NULL, "gave no password (silence)" },
		{ "no-such-program 2>&-", NULL, "gave no password (its status" },
		{ "kill $$", NULL, "gave no password (ended by a signal" },
		/* nothing of who called us */
		{ "echo x${SECRET_TEST-}", "x", NULL },
		{ "read line; echo x$line", "x", NULL },
	};
	int fd[2];
	size_t i;

	check(setenv("SECRET_TEST", "from-outside", 1) == 0, "setenv");
	check(pipe(fd) == 0 && dup2(fd[0], 0) == 0 &&
	      write_full(fd[1], "from-outside\n", 13) == 0, "a standard input");
	for (i = 0; i < COUNT(table); i++)
		expect(table[i].command, settings("", "", table[i].command),
		       table[i].want, table[i].reason);
}

/* Each adds an octet to the file when it runs. */
static void once(const char *name, const char *rest, const char *want,
		 const char *reason)
{
	char command[200];
	int i;

	put("", 0, 0600);
	snprintf(command, sizeof command, "printf x >>%s; %s", path, rest);
	for (i = 0; i < 3; i++)
		expect(name, settings("", "", command), want, reason);
	check_int(name, size_of(path), 1);
	unlink(path);
}

/* It is not waited for who does not end. */
static void slow(void)
{
	int64_t began = now_mono(), took;

	expect("a line, and no end", settings("", "", "trap '' TERM; echo "
	       "geheim; sleep 60; sleep 60"), "geheim", NULL);
	took = now_mono() - began;
	check(took >= 9000 && took < 20000, "ended after 10 s");
}

/* ---- memory ------------------------------------------------------------- */

#if defined(__SANITIZE_ADDRESS__)
#define HEAP_ELSEWHERE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEAP_ELSEWHERE 1
#endif
#endif

/* How often n octets stand in the heap. */
static int in_heap(const char *word, size_t n)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long from = 0, to = 0;
	char line[512];
	const char *p;
	int found = 0;

	while (f && fgets(line, sizeof line, f))
		if (strstr(line, "[heap]"))
			check(sscanf(line, "%lx-%lx", &from, &to) == 2,
			      "the heap");
	if (f)
		fclose(f);
	for (p = (const char *)from; from && p; found += p != NULL)
		p = memmem(p + (found > 0), to - (unsigned long)p - (found > 0),
			   word, n);
	return found;
}

#ifndef HEAP_ELSEWHERE
/* Twenty octets out of the middle of what is looked for: free() writes into the
 * head of what it gets. */
enum { AT = 44, NEEDLE = 20 };

static void needle(char dst[NEEDLE], const char *p, size_t n)
{
	struct buf b;

	buf_init(&b, 1024);
	buf_room(&b, 1024);
	base64_encode(&b, p, n);
	check(buf_len(&b) > AT + NEEDLE, "long enough");
	memcpy(dst, buf_data(&b) + AT, NEEDLE);
	explicit_bzero(b.mem, b.cap);
	buf_free(&b);
}

/* One exchange, as esmtp.c and out/command have it. */
static void exchange(const char *way, unsigned challenges, const char *secret)
{
	struct sasl_identity who = { .user = "alice", .password = secret,
				     .host = "h", .nonce = "n" };
	struct buf out;
	struct auth a;

	auth_init(&a);
	buf_init(&out, 65536);
	auth_command(&a, way, &who, &out);
	while (challenges--) {
		check(!auth_challenge(&a, "YQ==", 4), way);
		auth_response(&a, &out);
	}
	auth_wipe(&out);
	buf_free(&out);
	auth_free(&a);
}
#endif

static void wiped(void)
{
#ifdef HEAP_ELSEWHERE
	check(true, "the sanitizer has a heap of its own");
#else
	static const struct { const char *name; unsigned challenges; } ways[] = {
		{ "PLAIN", 0 }, { "LOGIN", 2 }, { "CRAM-MD5", 1 },
	};
	char both[7 + 100] = "\0alice", *word = both + 7, why[400];
	char plain[NEEDLE], login[NEEDLE];
	size_t i, n = sizeof both - 7;
	struct conf c = settings("", path, "");
	char *secret;

	/* made here, so that no other copy of it is in the heap */
	for (i = 0; i < n; i++)
		word[i] = (char)('!' + (i * i * 7 + i) % 90);
	put(word, n, 0600);
	needle(plain, both, sizeof both);
	needle(login, word, n);
	for (i = 0; i < COUNT(ways); i++) {
		secret = secret_get(&c, why, sizeof why);
		check(secret && in_heap(word + AT, NEEDLE) == 1, "one copy");
		exchange(ways[i].name, ways[i].challenges, secret);
		secret_free(secret);
		check_int(ways[i].name, in_heap(word + AT, NEEDLE), 0);
		check_int(ways[i].name, in_heap(plain, NEEDLE), 0);
		check_int(ways[i].name, in_heap(login, NEEDLE), 0);
	}
	unlink(path);
#endif
}

int main(void)
{
	if (!check(mkdtemp(folder) != NULL, "a directory of our own"))
		return check_done("secret");
	snprintf(path, sizeof path, "%s/file", folder);
	wiped();
	files();
	commands();
	once("runs once", "echo geheim", "geheim", NULL);
	once("fails once", "exit 1", NULL, "its status");
	slow();
	rmdir(folder);
	return check_done("secret");
}
