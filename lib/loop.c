/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The event loop.  The one idea: nothing is freed while a turn runs.  What a
 * callback stops is only marked dead, and buried at the end of the turn; so
 * an event fetched for it before still points to memory and is skipped, and
 * no callback has to care who else is in the same turn.
 *
 * In reading order: the two lists, the heap of timers, watches, timers, a
 * turn, fork.
 */
#include "lib/loop.h"
#include "lib/util.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Events fetched at a time: epoll hands out the rest next time, fairly. */
#define BATCH 64
/* The slot of a timer that is not in the heap. */
#define RESTS SIZE_MAX

struct watch {
	struct loop *loop;
	struct watch *next, **prev;
	void (*fn)(void *ctx, unsigned events);
	void *ctx;
	int fd;
	unsigned events;
	bool dead;
};

struct timer {
	struct loop *loop;
	struct timer *next, **prev;
	void (*fn)(void *ctx);
	void *ctx;
	int64_t at;
	uint64_t order;		/* of setting: equal times go first in first */
	size_t slot;		/* in the heap, or RESTS */
	bool due;		/* taken out of the heap, to be called now */
	bool dead;
};

struct loop {
	int fd;
	bool turning;
	struct watch *watches, *dead_watches;
	struct timer *timers, *dead_timers;
	struct timer **heap, **due;	/* both hold cap pointers */
	size_t nheap, cap;
	uint64_t order;
};

/* ---- the loop itself ------------------------------------------------ */

struct loop *loop_new(void)
{
	struct loop *l;
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd == -1)
		return NULL;
	l = xcalloc(1, sizeof(*l));
	l->fd = fd;
	return l;
}

/* The dead of this turn: now nobody points to them any more. */
static void bury(struct loop *l)
{
	struct watch *w;
	struct timer *t;

	while ((w = l->dead_watches)) {
		l->dead_watches = w->next;
		free(w);
	}
	while ((t = l->dead_timers)) {
		l->dead_timers = t->next;
		free(t);
	}
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	if (l->turning)
		bug("loop_free within a turn");
	while (l->watches)
		watch_stop(l->watches);
	while (l->timers)
		timer_stop(l->timers);
	close(l->fd);
	free(l->heap);
	free(l->due);
	free(l);
}

/* ---- the heap ------------------------------------------------------- */

static bool before(const struct timer *a, const struct timer *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void put(struct loop *l, size_t i, struct timer *t)
{
	l->heap[i] = t;
	t->slot = i;
}

/* Brings t, for which slot i is free, to where it belongs, upwards. */
static void rise(struct loop *l, size_t i, struct timer *t)
{
	while (i > 0 && before(t, l->heap[(i - 1) / 2])) {
		put(l, i, l->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(l, i, t);
}

static void sink(struct loop *l, size_t i, struct timer *t)
{
	size_t kid;

	while ((kid = 2 * i + 1) < l->nheap) {
		if (kid + 1 < l->nheap &&
		    before(l->heap[kid + 1], l->heap[kid]))
			kid++;
		if (!before(l->heap[kid], t))
			break;
		put(l, i, l->heap[kid]);
		i = kid;
	}
	put(l, i, t);
}

static void heap_add(struct loop *l, struct timer *t)
{
	if (l->nheap == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 16;
		l->heap = xreallocarray(l->heap, l->cap, sizeof(*l->heap));
		l->due = xreallocarray(l->due, l->cap, sizeof(*l->due));
	}
	rise(l, l->nheap++, t);
}

static void heap_remove(struct loop *l, struct timer *t)
{
	struct timer *last = l->heap[--l->nheap];
	size_t i = t->slot;

	t->slot = RESTS;
	if (last == t)
		return;
	/* the last one takes the hole; it may belong above or below it */
	if (i > 0 && before(last, l->heap[(i - 1) / 2]))
		rise(l, i, last);
	else
		sink(l, i, last);
}

/* ---- watches -------------------------------------------------------- */

static int tell(struct loop *l, int op, struct watch *w)
{
	struct epoll_event ev = { .data.ptr = w };

	if (w->events & LOOP_READ)
		ev.events |= EPOLLIN;
	if (w->events & LOOP_WRITE)
		ev.events |= EPOLLOUT;
	/* Errors cannot be switched off.  Who wants nothing else is told
	 * once, on the edge: level triggered, a lost connection whose reader
	 * pauses would keep the loop spinning. */
	if (!ev.events)
		ev.events = EPOLLET;
	return epoll_ctl(l->fd, op, w->fd, &ev);
}

struct watch *loop_watch(struct loop *l, int fd, unsigned events,
			 void (*fn)(void *ctx, unsigned events), void *ctx)
{
	struct watch *w = xcalloc(1, sizeof(*w));

	w->loop = l;
	w->fd = fd;
	w->events = events;
	w->fn = fn;
	w->ctx = ctx;
	if (tell(l, EPOLL_CTL_ADD, w) == -1) {
		int e = errno;

		free(w);
		errno = e;
		return NULL;
	}
	w->next = l->watches;
	if (w->next)
		w->next->prev = &w->next;
	w->prev = &l->watches;
	l->watches = w;
	return w;
}

void watch_events(struct watch *w, unsigned events)
{
	if (w->dead || w->events == events)
		return;
	w->events = events;
	/* MOD allocates nothing: it fails only for a descriptor that was
	 * closed under us, and going on would be a session that hangs */
	if (tell(w->loop, EPOLL_CTL_MOD, w) == -1)
		bug("a watched descriptor was closed");
}

void watch_stop(struct watch *w)
{
	if (!w || w->dead)
		return;
	/* an error means that the descriptor is closed already: then the
	 * kernel has forgotten it (unless it was duplicated) */
	epoll_ctl(w->loop->fd, EPOLL_CTL_DEL, w->fd, NULL);
	*w->prev = w->next;
	if (w->next)
		w->next->prev = w->prev;
	if (!w->loop->turning) {
		free(w);
		return;
	}
	w->dead = true;
	w->next = w->loop->dead_watches;
	w->loop->dead_watches = w;
}

/* ---- timers --------------------------------------------------------- */

struct timer *loop_timer(struct loop *l, int64_t at,
			 void (*fn)(void *ctx), void *ctx)
{
	struct timer *t = xcalloc(1, sizeof(*t));

	t->loop = l;
	t->fn = fn;
	t->ctx = ctx;
	t->slot = RESTS;
	t->next = l->timers;
	if (t->next)
		t->next->prev = &t->next;
	t->prev = &l->timers;
	l->timers = t;
	timer_set(t, at);
	return t;
}

void timer_set(struct timer *t, int64_t at)
{
	if (t->dead)
		return;
	t->due = false;
	if (t->slot != RESTS)
		heap_remove(t->loop, t);
	t->at = at;
	t->order = t->loop->order++;
	if (at != INT64_MAX)
		heap_add(t->loop, t);
}

void timer_stop(struct timer *t)
{
	if (!t || t->dead)
		return;
	timer_set(t, INT64_MAX);
	*t->prev = t->next;
	if (t->next)
		t->next->prev = t->prev;
	if (!t->loop->turning) {
		free(t);
		return;
	}
	t->dead = true;
	t->next = t->loop->dead_timers;
	t->loop->dead_timers = t;
}

/* ---- a turn --------------------------------------------------------- */

/* How long epoll may wait, in its own terms. */
static int patience(const struct loop *l, int64_t until)
{
	int64_t wait;

	if (l->nheap > 0 && l->heap[0]->at < until)
		until = l->heap[0]->at;
	if (until == INT64_MAX)
		return -1;
	wait = until - now_mono();
	return wait < 0 ? 0 : wait > INT_MAX ? INT_MAX : (int)wait;
}

static unsigned events_of(uint32_t got)
{
	unsigned events = 0;

	if (got & EPOLLIN)
		events |= LOOP_READ;
	if (got & EPOLLOUT)
		events |= LOOP_WRITE;
	if (got & (EPOLLERR | EPOLLHUP))
		events |= LOOP_READ | LOOP_WRITE | LOOP_ERROR;
	return events;
}

/* All that is due is taken out first: a timer that is set again to a time
 * already past waits for the next turn, and cannot starve the descriptors. */
static void ring(struct loop *l)
{
	int64_t now = now_mono();
	size_t n = 0, i;

	while (l->nheap > 0 && l->heap[0]->at <= now) {
		struct timer *t = l->heap[0];

		heap_remove(l, t);
		t->due = true;
		l->due[n++] = t;
	}
	for (i = 0; i < n; i++) {
		/* l->due may have moved: look at it anew each time */
		struct timer *t = l->due[i];

		if (!t->due)
			continue;	/* stopped, or set anew, meanwhile */
		t->due = false;
		t->fn(t->ctx);
	}
}

void loop_turn(struct loop *l, int64_t until)
{
	struct epoll_event ev[BATCH];
	int n, i;

	if (l->turning)
		bug("a turn within a turn");
	n = epoll_wait(l->fd, ev, BATCH, patience(l, until));
	if (n == -1) {
		if (errno != EINTR)
			bug("epoll_wait failed");
		return;
	}
	l->turning = true;
	for (i = 0; i < n; i++) {
		struct watch *w = ev[i].data.ptr;

		if (!w->dead)
			w->fn(w->ctx, events_of(ev[i].events));
	}
	/* Timers last: an answer that came in time beats its time-out. */
	ring(l);
	l->turning = false;
	bury(l);
}

/* ---- fork ----------------------------------------------------------- */

int loop_after_fork(struct loop *l)
{
	struct watch *w;
	int fd = epoll_create1(EPOLL_CLOEXEC), old = l->fd;

	if (fd == -1)
		return -1;
	l->fd = fd;
	for (w = l->watches; w; w = w->next)
		if (tell(l, EPOLL_CTL_ADD, w) == -1) {
			int e = errno;

			l->fd = old;
			close(fd);
			errno = e;
			return -1;
		}
	close(old);
	return 0;
}
