/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * A connected, non-blocking socket in a loop.  The one idea: the end of a
 * connection is always learned by reading, also when it was a write that
 * failed.  A server that refuses us says "421 ..." and closes; its words wait
 * in the socket behind our EPIPE, and the caller must get them before it is
 * told that the connection is gone.
 *
 * In reading order: connect, reading, writing, what the loop calls, open and
 * close, addresses as text.
 */
#include "lib/stream.h"
#include "config.h"
#include "lib/util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reads in a row before the others get their turn. */
#define READS_PER_TURN 4

struct stream {
	struct watch *watch;
	struct timer *wake;	/* brings a failed write into the loop */
	const struct stream_ops *ops;
	void *ctx;
	int fd;
	int broken;		/* errno of what failed; nothing is written */
	bool reading, writing;	/* what the loop is asked for */
	bool down;		/* ops->down was called */
	bool busy, closed;	/* in a callback; closed within it */
};

/* ---- connect -------------------------------------------------------- */

int stream_connect(const struct sockaddr *to, socklen_t len,
		   const struct sockaddr *bind_to, socklen_t bind_len)
{
	int one = 1, e;
	int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK |
			SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	/* commands are grouped above; holding them back only costs time */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind_to && bind(fd, bind_to, bind_len) == -1)
		goto fail;
	if (connect(fd, to, len) == -1 && errno != EINPROGRESS &&
	    errno != EINTR)
		goto fail;
	return fd;
fail:
	e = errno;
	close(fd);
	errno = e;
	return -1;
}

int stream_connected(int fd)
{
	int e = 0;
	socklen_t n = sizeof(e);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &n) == -1)
		return errno;
	return e;
}

/* ---- reading -------------------------------------------------------- */

static void interest(struct stream *s)
{
	if (s->watch)
		watch_events(s->watch, (s->reading ? LOOP_READ : 0) |
			     (s->writing ? LOOP_WRITE : 0));
}

static void go_down(struct stream *s, const char *why)
{
	s->down = true;
	watch_stop(s->watch);
	s->watch = NULL;
	timer_set(s->wake, INT64_MAX);
	s->ops->down(s->ctx, why);
}

/* One read, its octets delivered.  False when there is no use in another:
 * nothing is left, the end was met, or the callback wants no more. */
static bool read_once(struct stream *s)
{
	/* One for all: what is in it is valid only during the callback, and
	 * a callback cannot get here again. */
	static char chunk[IO_CHUNK];
	ssize_t n;

	do
		n = recv(s->fd, chunk, sizeof(chunk), 0);
	while (n == -1 && errno == EINTR);
	if (n > 0) {
		s->ops->input(s->ctx, chunk, (size_t)n);
		return !s->closed && s->reading;
	}
	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return false;
	/* Linux tells a reset only once: if the write has heard it, the read
	 * sees a plain end.  EPIPE is but the echo of that end. */
	if (n == 0 && (s->broken == 0 || s->broken == EPIPE))
		go_down(s, "lost connection");
	else
		go_down(s, strerror(n == 0 ? s->broken : errno));
	return false;
}

static void read_on(struct stream *s)
{
	int i;

	for (i = 0; i < READS_PER_TURN; i++)
		if (!read_once(s))
			break;
}

void stream_reading(struct stream *s, bool on)
{
	s->reading = on;
	interest(s);
}

/* ---- writing -------------------------------------------------------- */

/* A broken stream has no more use for the loop's events, only for its time. */
static void broke(struct stream *s, int e)
{
	s->broken = e;
	watch_stop(s->watch);
	s->watch = NULL;
	timer_set(s->wake, 0);
}

size_t stream_write(struct stream *s, struct buf *out)
{
	ssize_t n;

	if (s->broken || s->down || s->closed || buf_len(out) == 0)
		return 0;
	do
		n = send(s->fd, buf_data(out), buf_len(out), MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	if (n == -1 && errno != EAGAIN && errno != EWOULDBLOCK) {
		broke(s, errno);
		return 0;
	}
	if (n > 0)
		buf_drop(out, (size_t)n);
	s->writing = buf_len(out) > 0;
	interest(s);
	return n > 0 ? (size_t)n : 0;
}

size_t stream_pending(const struct stream *s)
{
	(void)s;	/* a plain socket keeps nothing back */
	return 0;
}

/* ---- what the loop calls -------------------------------------------- */

/* Frees a stream that was closed in the callback that is over now. */
static void leave(struct stream *s)
{
	s->busy = false;
	if (s->closed)
		free(s);
}

static void on_event(void *ctx, unsigned events)
{
	struct stream *s = ctx;

	s->busy = true;
	/* Reading first: what the server said may end all writing. */
	if ((events & LOOP_READ) && s->reading)
		read_on(s);
	if ((events & LOOP_WRITE) && s->writing && !s->closed && !s->down &&
	    !s->broken) {
		/* asked for anew by the write that needs it; the kernel is
		 * told only if that changes anything */
		s->writing = false;
		s->ops->writable(s->ctx);
	}
	if (!s->closed)
		interest(s);
	leave(s);
}

/* After a failed write: the last words, then the end.  One turn's worth is
 * enough; a peer that talks on is not waited for. */
static void on_wake(void *ctx)
{
	struct stream *s = ctx;

	s->busy = true;
	if (s->reading)
		read_on(s);
	if (!s->closed && !s->down)
		go_down(s, s->broken == EPIPE ? "lost connection" :
			strerror(s->broken));
	leave(s);
}

/* ---- open and close ------------------------------------------------- */

struct stream *stream_open(struct loop *l, int fd, const struct stream_ops *ops,
			   void *ctx)
{
	struct stream *s = xcalloc(1, sizeof(*s));
	int flags = fcntl(fd, F_GETFL);

	s->fd = fd;
	s->ops = ops;
	s->ctx = ctx;
	s->reading = true;
	s->wake = loop_timer(l, INT64_MAX, on_wake, s);
	if (flags != -1 && !(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	s->watch = loop_watch(l, fd, LOOP_READ, on_event, s);
	if (!s->watch)
		broke(s, errno);	/* heard as any other end is */
	return s;
}

void stream_close(struct stream *s)
{
	if (!s || s->closed)
		return;
	watch_stop(s->watch);
	s->watch = NULL;
	timer_stop(s->wake);
	close(s->fd);
	s->fd = -1;
	s->closed = true;
	if (!s->busy)
		free(s);
}

int stream_fd(const struct stream *s)
{
	return s->fd;
}

/* ---- addresses as text ---------------------------------------------- */

void address_print(char *dst, size_t size, const struct sockaddr *sa)
{
	const void *p = NULL;

	if (size == 0)
		return;
	dst[0] = '\0';
	if (sa->sa_family == AF_INET)
		p = &((const struct sockaddr_in *)(const void *)sa)->sin_addr;
	else if (sa->sa_family == AF_INET6)
		p = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
	if (!p || !inet_ntop(sa->sa_family, p, dst, (socklen_t)size))
		dst[0] = '\0';
}

socklen_t address_parse(const char *text, unsigned port,
			struct sockaddr_storage *sa)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	memset(sa, 0, sizeof(*sa));
	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
		v4.sin_port = htons((uint16_t)port);
		memcpy(sa, &v4, sizeof(v4));
		return sizeof(v4);
	}
	if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
		v6.sin6_port = htons((uint16_t)port);
		memcpy(sa, &v6, sizeof(v6));
		return sizeof(v6);
	}
	return 0;
}
