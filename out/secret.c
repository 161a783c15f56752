/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The password: see secret.h.  The command is the only program mailroot ever
 * starts; it is the operator's own, from a file that only the operator may
 * write, and with borrowed rights no caller can set it.
 */
#include "out/secret.h"
#include "lib/log.h"
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
#define COMMAND_MS (20 * 1000)

/* The first line of text, without its end; the rest is wiped. */
static char *first_line(char *text, size_t n)
{
	size_t len = strcspn(text, "\r\n");

	explicit_bzero(text + len, n - len);
	return text;
}

static char *from_file(const char *path, char *why, size_t size)
{
	struct stat st;
	size_t n = 0;
	char *text = read_file(path, SECRET_MAX, &n);

	if (!text) {
		snprintf(why, size, "cannot read RoutePasswordFile %s: %s",
			 path, strerror(errno));
		return NULL;
	}
	if (stat(path, &st) == 0 && (st.st_mode & S_IROTH))
		log_note(LOG_ALERT, "RoutePasswordFile %s can be read by "
			 "everybody: chmod o-r", path);
	return first_line(text, n);
}

/* Reads what the command prints, until it ends or time is up. */
static size_t listen_to(int fd, char *text)
{
	int64_t until = now_mono() + COMMAND_MS;
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

static pid_t start(const char *command, int out)
{
	char *argv[] = { (char *)(uintptr_t)"sh", (char *)(uintptr_t)"-c",
			 (char *)(uintptr_t)command, NULL };
	char *env[] = { (char *)(uintptr_t)"PATH=/usr/bin:/bin", NULL };
	posix_spawn_file_actions_t act;
	posix_spawnattr_t attr;
	sigset_t pipe_only;
	pid_t pid = -1;

	posix_spawn_file_actions_init(&act);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_adddup2(&act, out, STDOUT_FILENO);
	/* We ignore SIGPIPE; its tools expect not to. */
	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	posix_spawnattr_setsigdefault(&attr, &pipe_only);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	errno = posix_spawn(&pid, "/bin/sh", &act, &attr, argv, env);
	posix_spawn_file_actions_destroy(&act);
	posix_spawnattr_destroy(&attr);
	return errno ? -1 : pid;
}

static char *from_command(const char *command, char *why, size_t size)
{
	char *text = xcalloc(SECRET_MAX + 1, 1);
	int fd[2], status = -1;
	size_t n = 0;
	pid_t pid = -1;

	if (pipe2(fd, O_CLOEXEC) == 0) {
		pid = start(command, fd[1]);
		close(fd[1]);
		if (pid > 0)
			n = listen_to(fd[0], text);
		close(fd[0]);
	}
	if (pid > 0) {
		if (n == 0)
			kill(pid, SIGTERM);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	/* A line that came counts, whatever became of the command then. */
	if (n > 0 && (WIFSIGNALED(status) || WEXITSTATUS(status) == 0) &&
	    *first_line(text, n))
		return text;
	secret_free(text);
	snprintf(why, size, "RoutePasswordCommand gave no password (%s)",
		 pid < 0 ? strerror(errno) : "its status or its silence");
	return NULL;
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
