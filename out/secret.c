/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The password: see secret.h.  The command is the only program mailroot ever
 * starts; it is the operator's own, from a file that only the operator may
 * write, and with borrowed rights no caller can set it.  It gets nothing of the
 * caller's: no environment, no standard input.
 *
 * While it runs the event loop stands still.  So what it said is kept for
 * KEEP_MS, its failure too: many connections, or a silent command, cost one
 * wait, and a long queue run still gets a new token in time.
 */
#include "out/secret.h"
#include "lib/log.h"
#include "lib/reply.h"
#include "lib/util.h"

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Access tokens are long; passwords are not. */
#define SECRET_MAX 16384
/* Less than the 15 s for which a caller may be kept waiting. */
#define COMMAND_MS (10 * 1000)
/* Less than the shortest time until a message is tried again. */
#define KEEP_MS (60 * 1000)

/* What a command said last. */
struct kept {
	struct kept *next;
	char *command, *secret;		/* secret: NULL, and why */
	char why[REPLY_TEXT];
	int64_t until;
};

/* The first line of text, without its end; the rest is wiped. */
static char *first_line(char *text, size_t n)
{
	size_t len = strcspn(text, "\r\n");

	explicit_bzero(text + len, n - len);
	return text;
}

/* Into memory of its last size: what grows leaves copies behind.  NULL with
 * errno. */
static char *read_secret(int fd)
{
	char *text = xcalloc(SECRET_MAX + 1, 1);
	ssize_t n = 1;
	size_t len = 0;

	while (n > 0 && len < SECRET_MAX) {
		n = read_some(fd, text + len, SECRET_MAX - len, NULL);
		len += n > 0 ? (size_t)n : 0;
	}
	if (n >= 0)
		return first_line(text, len);
	explicit_bzero(text, len);
	free(text);
	return NULL;
}

static char *from_file(const char *path, char *why, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char *text = fd < 0 ? NULL : read_secret(fd);
	struct stat st;

	if (!text)
		snprintf(why, size, "cannot read RoutePasswordFile %s: %s",
			 path, strerror(errno));
	else if (fstat(fd, &st) == 0 && (st.st_mode & S_IROTH))
		log_note(LOG_ALERT, "RoutePasswordFile %s can be read by "
			 "everybody: chmod o-r", path);
	if (text && !*text) {
		snprintf(why, size, "RoutePasswordFile %s has no password in "
			 "its first line", path);
		secret_free(text);
		text = NULL;
	}
	if (fd >= 0)
		close(fd);
	return text;
}

/* Reads what the command prints, until it ends or time is up. */
static size_t listen_to(int fd, char *text, int64_t until)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t len = 0;
	ssize_t n;

	while (len < SECRET_MAX && now_mono() < until) {
		if (poll(&p, 1, (int)(until - now_mono())) <= 0)
			continue;
		n = read(fd, text + len, SECRET_MAX - len);
		if (n == 0 || (n < 0 && errno != EINTR))
			break;
		if (n > 0)
			len += (size_t)n;
	}
	text[len] = '\0';
	return len;
}

/* With borrowed rights the command gets the group for good: a shell gives up
 * what is only borrowed, and then it could not read what is the group's, while
 * the caller could look into it. */
static int spawn(pid_t *pid, const posix_spawn_file_actions_t *act,
		 const posix_spawnattr_t *attr, char *const *argv,
		 char *const *env)
{
	gid_t ours = getgid(), lent = getegid();
	int err;

	if (ours != lent && setresgid(lent, lent, ours) != 0)
		return errno;
	err = posix_spawn(pid, "/bin/sh", act, attr, argv, env);
	if (ours != lent && setresgid(ours, lent, lent) != 0)
		bug("a group that cannot be given back");
	return err;
}

static pid_t start(const char *command, int out)
{
	char *argv[] = { (char *)(uintptr_t)"sh", (char *)(uintptr_t)"-c",
			 (char *)(uintptr_t)command, NULL };
	char *env[] = { (char *)(uintptr_t)"PATH=/usr/bin:/bin", NULL };
	posix_spawn_file_actions_t act;
	posix_spawnattr_t attr;
	sigset_t pipe_only, none;
	pid_t pid = -1;

	posix_spawn_file_actions_init(&act);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_adddup2(&act, out, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&act, STDIN_FILENO, "/dev/null",
					 O_RDONLY, 0);
	/* What it complains of is not for one who only borrows our rights. */
	if (getgid() != getegid())
		posix_spawn_file_actions_addopen(&act, STDERR_FILENO,
						 "/dev/null", O_WRONLY, 0);
	/* We ignore SIGPIPE, and may have been started with others blocked:
	 * its tools expect neither. */
	sigemptyset(&none);
	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	posix_spawnattr_setsigdefault(&attr, &pipe_only);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF |
				 POSIX_SPAWN_SETSIGMASK);
	errno = spawn(&pid, &act, &attr, argv, env);
	posix_spawn_file_actions_destroy(&act);
	posix_spawnattr_destroy(&attr);
	return errno ? -1 : pid;
}

/* Its status.  Who is not done when time is up is not waited for. */
static int end_of(pid_t pid, int64_t until)
{
	int status = -1;
	pid_t got;

	while ((got = waitpid(pid, &status, WNOHANG)) != pid) {
		if (got < 0 && errno != EINTR)
			return -1;
		if (now_mono() >= until)
			kill(pid, SIGKILL);
		poll(NULL, 0, 5);
	}
	return status;
}

static char *run(const char *command, char *why, size_t size)
{
	char *text = xcalloc(SECRET_MAX + 1, 1);
	int64_t until = now_mono() + COMMAND_MS;
	int fd[2], status = -1;
	size_t n = 0;
	pid_t pid = -1;

	if (pipe2(fd, O_CLOEXEC) == 0) {
		pid = start(command, fd[1]);
		close(fd[1]);
		if (pid > 0)
			n = listen_to(fd[0], text, until);
		close(fd[0]);
	}
	if (pid > 0)
		status = end_of(pid, until);
	/* A line that came counts also where we ended the command. */
	if (n > 0 && (WIFSIGNALED(status) || WEXITSTATUS(status) == 0) &&
	    *first_line(text, n))
		return text;
	explicit_bzero(text, n);
	free(text);
	snprintf(why, size, "RoutePasswordCommand gave no password (%s)",
		 pid < 0 ? strerror(errno) : WIFSIGNALED(status) ?
		 "ended by a signal, or by us after 10 s" :
		 WEXITSTATUS(status) ? "its status is not 0" : "silence");
	return NULL;
}

static char *from_command(const char *command, char *why, size_t size)
{
	static struct kept *all;
	struct kept *k = all;

	while (k && strcmp(k->command, command) != 0)
		k = k->next;
	if (!k) {
		k = xcalloc(1, sizeof *k);
		k->command = xstrdup(command);
		k->next = all;
		all = k;
	}
	if (now_mono() >= k->until) {
		secret_free(k->secret);
		k->secret = run(command, k->why, sizeof k->why);
		k->until = now_mono() + KEEP_MS;
	}
	if (!k->secret)
		strlcpy(why, k->why, size);
	return k->secret ? xstrdup(k->secret) : NULL;
}

char *secret_get(const struct conf *c, char *why, size_t size)
{
	if (*c->route_password)
		return xstrdup(c->route_password);
	if (*c->route_password_file)
		return from_file(c->route_password_file, why, size);
	if (*c->route_password_command)
		return from_command(c->route_password_command, why, size);
	return xstrdup("");
}

void secret_free(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}
