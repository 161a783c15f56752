/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The event loop: descriptors (epoll) and timers, nothing else.  One thread;
 * a callback may add, change and stop any watch or timer, its own too: what
 * was stopped is not called again and is freed at the end of the turn.
 */
#ifndef LIB_LOOP_H
#define LIB_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct watch;
struct timer;

enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_ERROR = 4 };

/* NULL with errno if the system gives no epoll descriptor. */
struct loop *loop_new(void);
/* Stops and frees every watch and timer too; closes no watched descriptor. */
void loop_free(struct loop *l);

/* Calls fn when fd is ready for one of events (level triggered); LOOP_ERROR
 * is always reported, as READ|WRITE|ERROR (where events is 0: once).  NULL
 * with errno (EPERM: a file that is always ready). */
struct watch *loop_watch(struct loop *l, int fd, unsigned events,
			 void (*fn)(void *ctx, unsigned events), void *ctx);
void watch_events(struct watch *w, unsigned events);
/* Stop; to be called before the descriptor is closed.  NULL is allowed. */
void watch_stop(struct watch *w);

/* Calls fn once, at or after the given now_mono() time; then the timer rests
 * until timer_set.  Never NULL. */
struct timer *loop_timer(struct loop *l, int64_t at,
			 void (*fn)(void *ctx), void *ctx);
/* New time; INT64_MAX: rests. */
void timer_set(struct timer *t, int64_t at);
void timer_stop(struct timer *t);

/* One turn: waits until something is ready, a timer is due, or until (a
 * now_mono() time; INT64_MAX: no limit) has come, and calls what is due.
 * Returns early on EINTR, so that the caller sees its signal flags. */
void loop_turn(struct loop *l, int64_t until);

/* In a forked child: the loop's descriptor of its own, same watches; so that
 * parent and child do not share one epoll set.  -1 with errno. */
int loop_after_fork(struct loop *l);

#endif
