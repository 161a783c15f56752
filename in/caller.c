/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* The process we were given: see caller.h. */
#include "in/caller.h"
#include "conf.h"
#include "config.h"
#include "in/message.h"
#include "lib/log.h"
#include "lib/util.h"
#include "out/run.h"

#include <bsd/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

/* Enough for one message and one connection. */
#define ENOUGH_FILES 64
#define ENOUGH_STACK (1024 * 1024)

extern char **environ;
static char *fixed_environment[] = { (char *)"PATH=/usr/bin:/bin",
				     (char *)"LC_ALL=C", NULL };
static char *const *given_environment;
static char directory[1024];

bool caller_borrows(void)
{
	return getuid() != 0 &&
		(getegid() != getgid() || geteuid() != getuid());
}

char *const *caller_environ(void)
{
	return given_environment;
}

const char *caller_directory(void)
{
	return directory;
}

/* ---- the first act ---------------------------------------------------------- */

static void on_signal(int number)
{
	run_signal = number;
}

/* What the caller ignores (nohup, a mailer that ignores ^C) stays ignored. */
static void catch(int number)
{
	struct sigaction sa = { .sa_handler = on_signal }, old;

	if (sigaction(number, NULL, &old) == 0 && old.sa_handler == SIG_IGN)
		return;
	sigaction(number, &sa, NULL);	/* no SA_RESTART: reads must end */
}

/* A socket-activated connection (sd_listen_fds(3)) is standard input and
 * output, as inetd would have given it. */
static void take_activated(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t n;

	if (caller_borrows() || !pid || !fds ||
	    !parse_number(pid, INT32_MAX, &n) || (pid_t)n != getpid() ||
	    !parse_number(fds, 1, &n) || n != 1)
		return;
	dup2(3, 0);
	dup2(3, 1);
}

/* A limit that is set for other programs is not meant to stop mail: as far as
 * we may, up to enough. */
static void widen(int what, rlim_t enough)
{
	struct rlimit r;

	if (getrlimit(what, &r) != 0 || r.rlim_cur >= enough)
		return;
	r.rlim_cur = r.rlim_max < enough ? r.rlim_max : enough;
	setrlimit(what, &r);
}

/* A file must never open as descriptor 2, or an error line ends up in it. */
static void fill_descriptors(void)
{
	int fd;

	closefrom(3);
	do
		fd = open_nowhere();
	while (fd >= 0 && fd < 3);
	if (fd < 0) {
		complain("no file descriptor is left (%s); raise the limit of "
			 "open files (ulimit -n)", strerror(errno));
		message_drain(STDIN_FILENO);
		_exit(EXIT_OSERR);
	}
	close(fd);
}

/* Timers outlive exec, and their signals kill. */
static void stop_timers(void)
{
	static const struct itimerval off;

	setitimer(ITIMER_REAL, &off, NULL);
	setitimer(ITIMER_VIRTUAL, &off, NULL);
	setitimer(ITIMER_PROF, &off, NULL);
}

void caller_settle(void)
{
	static const struct rlimit no_core;
	sigset_t none;

	take_activated();
	widen(RLIMIT_NOFILE, ENOUGH_FILES);
	widen(RLIMIT_STACK, ENOUGH_STACK);
	widen(RLIMIT_FSIZE, RLIM_INFINITY);
	fill_descriptors();
	given_environment = environ;
	environ = fixed_environment;
	umask(007);
	/* A core dump would hold passwords and other people's mail. */
	setrlimit(RLIMIT_CORE, &no_core);
	/* Nor may the caller look into a process that has more rights than
	 * he; the kernel sees to it, unless it was told otherwise. */
	if (caller_borrows())
		prctl(PR_SET_DUMPABLE, 0);
	stop_timers();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	catch(SIGTERM);
	catch(SIGINT);
	catch(SIGHUP);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!getcwd(directory, sizeof directory))
		directory[0] = '\0';
}

/* ---- rights ------------------------------------------------------------------- */

bool caller_is_operator(void)
{
	const struct group *g;
	gid_t list[256];
	int n, i;

	if (!caller_borrows())
		return true;
	if (!*conf()->operators)
		return false;
	g = getgrnam(conf()->operators);
	n = getgroups(sizeof list / sizeof *list, list);
	for (i = 0; g && i < n; i++)
		if (list[i] == g->gr_gid)
			return true;
	return g && getgid() == g->gr_gid;
}

/* uid's and gid's rights and no others; checked, because a process that only
 * believes to have given up root is worse than one that has not. */
static int become(uid_t uid, gid_t gid, const char *name)
{
	if ((name ? initgroups(name, gid) : setgroups(0, NULL)) != 0 ||
	    setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
		return -1;
	if (getuid() == uid && geteuid() == uid && getgid() == gid &&
	    getegid() == gid && setuid(0) != 0)
		return 0;
	errno = EPERM;
	return -1;
}

int caller_become_runner(void)
{
	const struct passwd *pw;
	struct stat st;

	if (getuid() != 0)
		return 0;
	if (stat(conf()->queue_dir, &st) == 0) {
		if (st.st_uid == 0)
			return 0;
		pw = getpwuid(st.st_uid);
		return become(st.st_uid, pw ? pw->pw_gid : st.st_gid,
			      pw ? pw->pw_name : NULL);
	}
	pw = getpwnam(MAILROOT_USER);
	return pw ? become(pw->pw_uid, pw->pw_gid, pw->pw_name) : 0;
}
