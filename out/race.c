/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* Connecting to one host, all its addresses in a staggered race: race.h. */
#include "out/race.h"
#include "lib/stream.h"
#include "lib/util.h"

#include <bsd/string.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct runner {
	struct race *race;
	struct dns_address to;
	int fd;			/* -1: not started, or out */
	struct watch *watch;
	int64_t until;
};

struct race {
	struct loop *loop;
	struct timer *timer;
	race_done *done;
	void *ctx;
	unsigned timeout;
	const char *bind_to;
	char why[160];
	int err;
	size_t last;		/* index of the last that failed */
	size_t started, running, n;
	int64_t next_start;
	struct runner runner[];
};

static void stop(struct runner *r)
{
	if (r->fd < 0)
		return;
	watch_stop(r->watch);
	r->watch = NULL;
	close(r->fd);
	r->fd = -1;
	r->race->running--;
}

void race_cancel(struct race *race)
{
	size_t i;

	if (!race)
		return;
	for (i = 0; i < race->n; i++)
		stop(&race->runner[i]);
	timer_stop(race->timer);
	free(race);
}

/* The end: the callback last, because it may do anything. */
static void finish(struct race *race, int fd, size_t i)
{
	struct dns_address winner = race->runner[i].to;
	race_done *done = race->done;
	void *ctx = race->ctx;
	char why[sizeof race->why];
	int err = race->err;

	strlcpy(why, race->why, sizeof why);
	race_cancel(race);
	done(ctx, fd, &winner, err, fd < 0 ? why : NULL);
}

static void failed(struct runner *r, int err)
{
	struct race *race = r->race;
	char text[64];

	stop(r);
	address_print(text, sizeof text, (struct sockaddr *)&r->to.sa);
	snprintf(race->why, sizeof race->why, "cannot connect to %s: %s", text,
		 strerror(err));
	race->err = err;
	race->last = (size_t)(r - race->runner);
	/* A refusal need not be waited for: the next one starts now. */
	race->next_start = now_mono();
}

static void decided(void *ctx, unsigned events)
{
	struct runner *r = ctx;
	struct race *race = r->race;
	int fd = r->fd, err = stream_connected(fd);

	(void)events;
	if (err) {
		failed(r, err);
		timer_set(race->timer, 0);
		return;
	}
	watch_stop(r->watch);
	r->fd = -1;		/* it is the caller's now */
	race->running--;
	finish(race, fd, (size_t)(r - race->runner));
}

static void start(struct runner *r)
{
	struct race *race = r->race;
	struct sockaddr_storage local;
	socklen_t len = 0;

	race->started++;
	race->next_start = now_mono() + RACE_STAGGER_MS;
	r->until = now_mono() + 1000 * (int64_t)race->timeout;
	if (*race->bind_to)
		len = address_parse(race->bind_to, 0, &local);
	if (len && local.ss_family != r->to.sa.ss_family)
		len = 0;
	r->fd = stream_connect((struct sockaddr *)&r->to.sa, r->to.len,
			       len ? (struct sockaddr *)&local : NULL, len);
	if (r->fd < 0) {
		failed(r, errno);
		return;
	}
	race->running++;
	r->watch = loop_watch(race->loop, r->fd, LOOP_WRITE, decided, r);
	if (!r->watch)
		failed(r, errno);
}

/* Starts whom it is time to start, ends whom it is time to end. */
static void tick(void *ctx)
{
	struct race *race = ctx;
	int64_t now = now_mono(), next = INT64_MAX;
	size_t i;

	for (i = 0; i < race->started; i++)
		if (race->runner[i].fd >= 0 && race->runner[i].until <= now)
			failed(&race->runner[i], ETIMEDOUT);
	while (race->started < race->n && race->next_start <= now)
		start(&race->runner[race->started]);
	if (race->running == 0 && race->started == race->n) {
		finish(race, -1, race->last);
		return;
	}
	if (race->started < race->n)
		next = race->next_start;
	for (i = 0; i < race->started; i++)
		if (race->runner[i].fd >= 0 && race->runner[i].until < next)
			next = race->runner[i].until;
	timer_set(race->timer, next);
}

struct race *race_start(struct loop *l, const struct dns_address *a, size_t n,
			unsigned port, unsigned timeout, const char *bind_to,
			race_done *done, void *ctx)
{
	struct race *race = xcalloc(1, sizeof *race +
				    n * sizeof race->runner[0]);
	size_t i;

	race->loop = l;
	race->done = done;
	race->ctx = ctx;
	race->timeout = timeout;
	race->bind_to = bind_to;
	race->n = n;
	for (i = 0; i < n; i++) {
		struct runner *r = &race->runner[i];

		r->race = race;
		r->fd = -1;
		r->to = a[i];
		if (r->to.sa.ss_family == AF_INET6)
			((struct sockaddr_in6 *)&r->to.sa)->sin6_port =
				htons((uint16_t)port);
		else
			((struct sockaddr_in *)&r->to.sa)->sin_port =
				htons((uint16_t)port);
	}
	race->timer = loop_timer(l, 0, tick, race);
	return race;
}
