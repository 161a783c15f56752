/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Runs a program again and again, its standard input a file, and prints for
 * each time: wall and processor time in microseconds, peak resident memory in
 * KiB, exit status, and when it began (microseconds of CLOCK_MONOTONIC).
 *
 *	timed TIMES FILE COMMAND...
 *
 * It is this small because the kernel counts what the process had before its
 * exec into ru_maxrss: a child of Python never has less than Python.  What it
 * starts dies with it, and it ends after two minutes.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long microseconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

static long long of(struct timeval tv)
{
	return tv.tv_sec * 1000000LL + tv.tv_usec;
}

static int nowhere;

/* Its output is thrown away.  127: it could not be started. */
static pid_t start(int in, char **command)
{
	pid_t pid = vfork();

	if (pid != 0)
		return pid;
	dup2(in, 0);
	close(in);
	dup2(nowhere, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execvp(command[0], command);
	_exit(127);
}

int main(int argc, char **argv)
{
	struct rusage use;
	long long begin, wall;
	int i, status, in;
	pid_t pid;

	if (argc < 4)
		return 64;
	nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	alarm(120);
	for (i = atoi(argv[1]); i > 0; i--) {
		in = open(argv[2], O_RDONLY);
		if (in < 0)
			return 66;
		begin = microseconds();
		pid = start(in, argv + 3);
		if (pid < 0 || wait4(pid, &status, 0, &use) != pid)
			return 71;
		wall = microseconds() - begin;
		close(in);
		printf("%lld %lld %ld %d %lld\n", wall,
		       of(use.ru_utime) + of(use.ru_stime), use.ru_maxrss,
		       WIFEXITED(status) ? WEXITSTATUS(status) : 255, begin);
	}
	return 0;
}
