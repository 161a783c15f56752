/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * lib/loop: the order of timers, and what callbacks may do to the watches
 * and timers of the same turn, themselves included.
 */
#include "lib/loop.h"
#include "lib/util.h"
#include "tests/check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static struct loop *loop;

/* ---- timers --------------------------------------------------------- */

struct ring {
	struct timer *timer;
	struct ring *stops;	/* its callback stops that one */
	int64_t again;		/* its callback sets it to that, unless 0 */
	unsigned id, rung;
};

static unsigned rung[2000], nrung;

static void on_ring(void *ctx)
{
	struct ring *r = ctx;

	if (nrung < sizeof(rung) / sizeof(rung[0]))
		rung[nrung++] = r->id;
	r->rung++;
	if (r->stops) {
		timer_stop(r->stops->timer);
		r->stops->timer = NULL;
	}
	if (r->again)
		timer_set(r->timer, r->again);
}

static void start(struct ring *r, unsigned id, int64_t at)
{
	*r = (struct ring){ .id = id };
	r->timer = loop_timer(loop, at, on_ring, r);
}

static void test_order(void)
{
	int64_t now = now_mono();
	struct ring r[5];

	nrung = 0;
	start(&r[0], 0, now + 20);
	start(&r[1], 1, now + 10);
	start(&r[2], 2, now + 10);	/* equal: first in, first out */
	start(&r[3], 3, 0);
	start(&r[4], 4, INT64_MAX);
	timer_set(r[1].timer, now + 10);	/* set anew: behind its equal */
	while (nrung < 4)
		loop_turn(loop, INT64_MAX);
	check(rung[0] == 3 && rung[1] == 2 && rung[2] == 1 && rung[3] == 0,
	      "timers ring in the order of their times");
	check(now_mono() >= now + 20, "not before their time");
	loop_turn(loop, now_mono() + 5);
	check_int("each rings once", nrung, 4);
	timer_set(r[0].timer, 0);
	loop_turn(loop, INT64_MAX);
	check_int("a rested one rings again when set", r[0].rung, 2);
	for (int i = 0; i < 5; i++)
		timer_stop(r[i].timer);
}

static void test_stop(void)
{
	struct ring r[4];

	nrung = 0;
	start(&r[0], 0, 0);
	start(&r[1], 1, 1);
	start(&r[2], 2, 2);
	start(&r[3], 3, 3);
	r[0].stops = &r[0];		/* itself */
	r[1].stops = &r[2];		/* the one behind, due in this turn */
	r[3].again = 1;			/* itself, to a time long past */
	loop_turn(loop, 0);
	check_int("three of four rang", nrung, 3);
	check_int("the stopped one did not", r[2].rung, 0);
	check_int("one set to the past waits for the next turn", r[3].rung, 1);
	loop_turn(loop, INT64_MAX);
	check_int("and then rings", r[3].rung, 2);
	timer_stop(r[1].timer);
	timer_stop(r[3].timer);
	timer_stop(NULL);
}

/* Many, at random times, a third of them stopped again: rises and sinks. */
static void test_many(void)
{
	enum { N = 1000 };
	static struct ring r[N];
	static int64_t at[N];
	int64_t base = now_mono() - 10000;
	bool sorted = true, right = true;
	unsigned i;

	nrung = 0;
	for (i = 0; i < N; i++) {
		unsigned char x;

		random_bytes(&x, 1);
		at[i] = base + x;
		start(&r[i], i, INT64_MAX);
		timer_set(r[i].timer, base + 5 * x);
		timer_set(r[i].timer, at[i]);
	}
	for (i = 0; i < N; i += 3)
		timer_stop(r[i].timer);
	loop_turn(loop, 0);
	for (i = 0; i < nrung; i++) {
		if (i && at[rung[i - 1]] > at[rung[i]])
			sorted = false;
		if (rung[i] % 3 == 0)
			right = false;
	}
	check_int("1000 timers: those not stopped rang", nrung,
		  N - (N + 2) / 3);
	check(sorted, "1000 timers: in order");
	check(right, "1000 timers: no stopped one");
	for (i = 0; i < N; i++)
		if (i % 3)
			timer_stop(r[i].timer);
}

/* ---- watches -------------------------------------------------------- */

struct eye {
	struct watch *watch;
	struct eye *stops;
	int fd[2];		/* a socketpair: 0 is watched */
	unsigned seen, events;
};

static void on_eye(void *ctx, unsigned events)
{
	struct eye *e = ctx;

	e->seen++;
	e->events = events;
	if (e->stops && e->stops->watch) {
		watch_stop(e->stops->watch);
		e->stops->watch = NULL;
		e->stops = NULL;
	}
}

static void open_eye(struct eye *e, unsigned events)
{
	*e = (struct eye){ .seen = 0 };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, e->fd) == -1)
		die(71, "socketpair");
	e->watch = loop_watch(loop, e->fd[0], events, on_eye, e);
}

static void close_eye(struct eye *e)
{
	watch_stop(e->watch);
	close(e->fd[0]);
	if (e->fd[1] != -1)
		close(e->fd[1]);
}

static void poke(struct eye *e)
{
	if (write(e->fd[1], "x", 1) != 1)
		check(false, "poke");
}

static void test_watch(void)
{
	struct eye e;

	open_eye(&e, LOOP_READ);
	loop_turn(loop, now_mono() + 5);
	check_int("nothing to read: not called", e.seen, 0);
	poke(&e);
	loop_turn(loop, INT64_MAX);
	check_int("called", e.seen, 1);
	check_int("with READ", e.events, LOOP_READ);
	watch_events(e.watch, LOOP_READ | LOOP_WRITE);
	loop_turn(loop, INT64_MAX);
	check_int("with both", e.events, LOOP_READ | LOOP_WRITE);
	watch_events(e.watch, 0);
	loop_turn(loop, now_mono() + 5);
	check_int("with no events: rests", e.seen, 2);
	close(e.fd[1]);
	e.fd[1] = -1;
	loop_turn(loop, now_mono() + 5);
	loop_turn(loop, now_mono() + 5);
	loop_turn(loop, now_mono() + 5);
	check_int("but is told of a hang-up, once", e.seen, 3);
	check_int("as everything", e.events,
		  LOOP_READ | LOOP_WRITE | LOOP_ERROR);
	watch_events(e.watch, LOOP_WRITE);
	loop_turn(loop, now_mono() + 5);
	check_int("and again when it asks", e.seen, 4);
	close_eye(&e);
}

static void test_watch_stop(void)
{
	struct eye a, b;
	int fd, null;

	open_eye(&a, LOOP_READ);
	open_eye(&b, LOOP_READ);
	a.stops = &b;			/* the first stops the other */
	b.stops = &a;
	poke(&a);
	poke(&b);
	loop_turn(loop, INT64_MAX);
	check_int("an event already fetched is not delivered", a.seen + b.seen,
		  1);
	close_eye(&a);
	close_eye(&b);

	open_eye(&a, LOOP_READ);
	a.stops = &a;
	poke(&a);
	loop_turn(loop, INT64_MAX);
	loop_turn(loop, now_mono() + 5);
	check_int("stopped in its own callback", a.seen, 1);
	close_eye(&a);

	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	errno = 0;
	check(!loop_watch(loop, fd, LOOP_READ, on_eye, &a) && errno == EPERM,
	      "a regular file: EPERM");
	close(fd);
	close(null);
	watch_stop(NULL);
}

/* A descriptor number that is used again in the turn of its old event. */
static struct eye old_eye, new_eye;

static void on_swap(void *ctx)
{
	(void)ctx;
	close_eye(&old_eye);
	open_eye(&new_eye, LOOP_READ);
}

static void on_swap_event(void *ctx, unsigned events)
{
	struct eye *other = ctx;

	(void)events;
	if (other->watch) {
		on_swap(NULL);
		other->watch = NULL;
	}
}

static void test_reuse(void)
{
	struct eye killer;

	/* added first is fetched first, as epoll keeps them */
	open_eye(&killer, LOOP_READ);
	watch_stop(killer.watch);
	killer.watch = loop_watch(loop, killer.fd[0], LOOP_READ, on_swap_event,
				  &old_eye);
	open_eye(&old_eye, LOOP_READ);
	poke(&killer);
	poke(&old_eye);
	loop_turn(loop, INT64_MAX);
	check_int("the new owner of a number is not called for the old one",
		  new_eye.seen, 0);
	close_eye(&killer);
	close_eye(&new_eye);
}

/* ---- turns, signals, fork ------------------------------------------- */

static void on_signal(int sig)
{
	(void)sig;
}

static void test_turn(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct itimerval it = { .it_value = { .tv_usec = 20000 } };
	int64_t from = now_mono();

	loop_turn(loop, from + 20);
	check(now_mono() >= from + 19, "until is waited for");
	loop_turn(loop, 0);
	check(now_mono() < from + 2000, "until in the past: no wait");
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	loop_turn(loop, from + 8000);
	check(now_mono() < from + 4000, "a signal ends the turn");
}

static void test_fork(void)
{
	struct eye e;
	int status;
	pid_t pid;

	open_eye(&e, LOOP_READ);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		/* what the child stops must not be stopped in the parent */
		if (loop_after_fork(loop) == -1)
			_exit(1);
		poke(&e);
		loop_turn(loop, now_mono() + 1000);
		watch_stop(e.watch);
		_exit(e.seen == 1 ? 0 : 2);
	}
	waitpid(pid, &status, 0);
	check_int("the child's loop works", status, 0);
	loop_turn(loop, now_mono() + 1000);
	check_int("and the parent's still watches", e.seen, 1);
	close_eye(&e);
}

int main(void)
{
	struct ring left;
	struct eye eye;

	alarm(30);
	loop = loop_new();
	if (!loop)
		return 1;
	test_order();
	test_stop();
	test_many();
	test_watch();
	test_watch_stop();
	test_reuse();
	alarm(0);
	test_turn();
	alarm(30);
	test_fork();
	/* loop_free takes what is left; the sanitizer would tell */
	start(&left, 0, 0);
	open_eye(&eye, LOOP_READ);
	loop_free(loop);
	loop_free(NULL);
	close(eye.fd[0]);
	close(eye.fd[1]);
	return check_done("loop");
}
