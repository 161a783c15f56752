/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The runner that stays.  The one idea: inotify only says "look", and what is
 * looked at is the same schedule that a run reads anyway; so an event that is
 * lost costs a minute and never a message.
 *
 * In reading order: what there is to watch, what an event means, the log of
 * others, the wait, the loop.
 */
#include "out/watch.h"
#include "conf.h"
#include "config.h"
#include "lib/log.h"
#include "lib/util.h"
#include "out/run.h"
#include "queue.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

struct watching {
	int fd;				/* inotify; -1: there is none */
	int queue, pickup, state;	/* watches; -1: no such directory yet */
	bool appeared;			/* something to be looked at */
	int64_t next;			/* now_mono: the next run */
	int64_t pause;			/* and before when no event counts */
	/* the log of others, where ours is stderr */
	bool forward;
	char log[4096];
	int log_fd;
	off_t log_at;
};

/* ---- what there is to watch ---------------------------------------------------- */

/* Again before each wait: a directory may be made, or made anew, later; for
 * one that is watched already this changes nothing. */
static void watch_folders(struct watching *w)
{
	if (w->fd < 0)
		return;
	/* A message appears in Queue by a rename, whatever is written before. */
	w->queue = inotify_add_watch(w->fd, conf()->queue_dir, IN_MOVED_TO |
				     IN_ONLYDIR);
	w->pickup = inotify_add_watch(w->fd, conf()->pickup_dir, IN_MOVED_TO |
				      IN_CLOSE_WRITE | IN_ONLYDIR);
	if (w->forward)
		w->state = inotify_add_watch(w->fd, conf()->state_dir,
					     IN_MODIFY | IN_CREATE |
					     IN_ONLYDIR);
}

/* An empty volume gets its folders from root; without him --setup made them.
 * Pickup is for everybody, so nobody else makes one. */
static void make_folders(void)
{
	const struct { const char *path; mode_t mode; } list[] = {
		{ conf()->queue_dir, QUEUE_MODE },
		{ conf()->pickup_dir, QUEUE_MODE_PICKUP },
		{ conf()->state_dir, QUEUE_MODE_GROUP },
	};
	struct queue q;
	size_t i;

	for (i = 0; getuid() == 0 && i < sizeof list / sizeof *list; i++)
		if (queue_open(&q, list[i].path, list[i].mode) == 0)
			queue_close(&q);
}

/* ---- what an event means ---------------------------------------------------------- */

/* Is what appeared in Queue due?  Our own renames to a later due are not. */
static bool is_due(const char *name)
{
	time_t due;

	return stamp_parse(name, &due) && due <= now_real();
}

static void take_event(struct watching *w, const struct inotify_event *e)
{
	if (e->mask & IN_Q_OVERFLOW)
		w->appeared = true;
	else if (e->len == 0)
		return;
	else if (e->wd == w->queue)
		w->appeared |= is_due(e->name);
	else if (e->wd == w->pickup)
		w->appeared |= e->name[0] != '.';
}

static void take_events(struct watching *w)
{
	char buf[4096] __attribute__((aligned(8)));
	const struct inotify_event *e;
	ssize_t n, at;

	while ((n = w->fd < 0 ? 0 : read(w->fd, buf, sizeof buf)) > 0)
		for (at = 0; at < n; at += (ssize_t)(sizeof *e + e->len)) {
			e = (const struct inotify_event *)(buf + at);
			take_event(w, e);
		}
}

/* ---- the log of others ---------------------------------------------------------------- */

/* State/log is the log of last resort, of every process that has no other.
 * What was there before us is not repeated. */
static void forward_begin(struct watching *w)
{
	struct stat st;

	snprintf(w->log, sizeof w->log, "%s/log", conf()->state_dir);
	w->log_fd = -1;
	w->forward = strcmp(conf()->log_file, "stderr") == 0;
	if (w->forward && stat(w->log, &st) == 0)
		w->log_at = st.st_size;
}

/* The file of that name may be another one by now. */
static bool same_file(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 &&
		a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static void copy_log(struct watching *w)
{
	char chunk[4096];
	struct stat st;
	ssize_t n;

	/* Somebody has emptied it. */
	if (w->log_fd >= 0 && fstat(w->log_fd, &st) == 0 &&
	    st.st_size < w->log_at)
		w->log_at = 0;
	while (w->log_fd >= 0 &&
	       (n = pread(w->log_fd, chunk, sizeof chunk, w->log_at)) > 0) {
		w->log_at += n;
		if (write_full(STDERR_FILENO, chunk, (size_t)n) != 0)
			return;
	}
}

static void forward(struct watching *w)
{
	if (!w->forward)
		return;
	copy_log(w);
	if (w->log_fd >= 0 && same_file(w->log_fd, w->log))
		return;
	if (w->log_fd >= 0) {
		close(w->log_fd);
		w->log_at = 0;
	}
	w->log_fd = open(w->log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
			 O_NONBLOCK);
	copy_log(w);
}

/* ---- the wait ----------------------------------------------------------------------------- */

static void woken(int number)
{
	(void)number;		/* it only ends the wait */
}

/* Until something is to be done, an event, a child's end, or a signal.
 * Signals are blocked except in the wait itself: one that comes just before
 * it is not slept over. */
static void wait_until(struct watching *w, int64_t until, const sigset_t *open)
{
	struct pollfd p = { .fd = w->fd, .events = POLLIN };
	int64_t left = until - now_mono();
	struct timespec ts = { .tv_sec = left / 1000,
			       .tv_nsec = left % 1000 * 1000000 };

	if (left > 0 && !run_signal)
		ppoll(&p, 1, &ts, open);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	take_events(w);
	forward(w);
}

/* Until the next run.  What appeared is looked at as soon as its writer has
 * most likely let go of it, and once more when it has rested: a file in Pickup
 * might have been growing, one in Queue might have been locked still. */
static void rest(struct watching *w, const sigset_t *open)
{
	int64_t again = w->appeared ? now_mono() + PICKUP_REST_MS : INT64_MAX;
	int64_t soon;

	w->appeared = false;
	while (!run_signal && now_mono() < w->next && now_mono() < again) {
		wait_until(w, again < w->next ? again : w->next, open);
		soon = now_mono() + WATCH_GRACE_MS;
		if (soon < w->pause)
			soon = w->pause;
		if (w->appeared && soon < again)
			again = soon;
	}
}

static void run(struct watching *w, bool flush)
{
	int64_t began = now_mono(), pause;

	run_once(flush, NULL);		/* it complains by itself */
	pause = 4 * (now_mono() - began);
	pause = pause < WATCH_PAUSE_MS ? WATCH_PAUSE_MS :
		pause > WATCH_PAUSE_MOST_MS ? WATCH_PAUSE_MOST_MS : pause;
	w->pause = now_mono() + pause;
}

/* What a run needed, waiting does not. */
static void shrink(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

/* ---- the loop --------------------------------------------------------------------------------- */

int watch_repeat(unsigned interval, bool flush)
{
	struct sigaction child = { .sa_handler = woken };
	struct watching w = { 0 };
	sigset_t ours, open;

	/* As process 1 we inherit children that are not ours. */
	sigaction(SIGCHLD, &child, NULL);
	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGHUP);
	sigaddset(&ours, SIGCHLD);
	w.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w.fd < 0)
		log_note(LOG_WARNING, "no inotify (%s): new mail waits for the "
			 "next run", strerror(errno));
	forward_begin(&w);
	make_folders();
	while (!run_signal) {
		if (now_mono() >= w.next)
			w.next = now_mono() + 1000 * (int64_t)interval;
		watch_folders(&w);
		run(&w, flush);
		flush = false;
		shrink();
		sigprocmask(SIG_BLOCK, &ours, &open);
		rest(&w, &open);
		sigprocmask(SIG_SETMASK, &open, NULL);
	}
	forward(&w);
	return EXIT_OK;
}
