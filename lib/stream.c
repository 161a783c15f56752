/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * A connected, non-blocking socket in a loop.  The one idea: the end of a
 * connection is always learned by reading, also when it was a write that
 * failed.  A server that refuses us says "421 ..." and closes; its words wait
 * in the socket behind our EPIPE, and the caller must get them before it is
 * told that the connection is gone.
 *
 * TLS changes where octets are taken from and given to, and one thing more:
 * the socket's silence no longer means that there is nothing to read, nor its
 * readiness that there is.  What waits inside TLS is read from the timer.
 *
 * In reading order: connect, reading, writing, the handshake, what the loop
 * calls, open and close, addresses as text.
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
	struct timer *wake;	/* what no event will tell: a failed write,
				 * octets inside TLS, a handshake to begin */
	const struct stream_ops *ops;
	void *ctx;
	int fd;
	int broken;		/* errno of what failed; nothing is written */
	bool reading, writing;	/* what our caller waits for */
	struct tls *tls;	/* NULL: plain */
	bool shaking;		/* the handshake is not over */
	unsigned shake_wants;	/* the event its next step needs */
	bool crossed_read;	/* a read needs the socket writable, */
	bool crossed_write;	/* a write needs it readable: TLS answers
				 * messages of its own */
	size_t held;		/* see stream_pending */
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
	bool in = s->reading, out = s->writing;

	if (!s->watch)
		return;
	if (s->shaking) {
		watch_events(s->watch, s->shake_wants);
		return;
	}
	/* crossed: the event that would be asked for is of no use now, and
	 * level triggered it would keep the loop spinning */
	if (s->crossed_read && s->reading)
		in = false, out = true;
	if (s->crossed_write && s->writing)
		in = true, out = s->crossed_read && s->reading;
	watch_events(s->watch, (in ? LOOP_READ : 0) | (out ? LOOP_WRITE : 0));
}

static void go_down(struct stream *s, const char *why)
{
	bool shaking = s->shaking;

	s->shaking = false;
	s->down = true;
	watch_stop(s->watch);
	s->watch = NULL;
	timer_set(s->wake, INT64_MAX);
	if (shaking && s->ops->secured)
		s->ops->secured(s->ctx, false, why);
	else
		s->ops->down(s->ctx, why);
}

/* Octets read; 0: none now; -1: there will be none, and why. */
static ssize_t take_plain(struct stream *s, char *p, size_t n,
			  const char **why)
{
	ssize_t got;

	do
		got = recv(s->fd, p, n, 0);
	while (got == -1 && errno == EINTR);
	if (got > 0)
		return got;
	if (got == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	/* Linux tells a reset only once: if the write has heard it, the read
	 * sees a plain end.  EPIPE is but the echo of that end. */
	if (got == 0 && (s->broken == 0 || s->broken == EPIPE))
		*why = "lost connection";
	else
		*why = strerror(got == 0 ? s->broken : errno);
	return -1;
}

static ssize_t take_tls(struct stream *s, char *p, size_t n, const char **why)
{
	enum tls_step step;
	size_t got = tls_read(s->tls, p, n, &step);

	s->crossed_read = got == 0 && step == TLS_WANT_WRITE;
	if (got > 0)
		return (ssize_t)got;
	if (step == TLS_WANT_READ || step == TLS_WANT_WRITE)
		return 0;
	*why = step == TLS_DONE ? "lost connection" : tls_why(s->tls);
	return -1;
}

/* A server that answers a group in two segments holds the second back until
 * the first is acknowledged (Nagle), which we would do 40 ms later.  The
 * option does not last: it is asked for at each read. */
static void quick_ack(int fd)
{
#ifdef TCP_QUICKACK
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
#else
	(void)fd;
#endif
}

/* One read, its octets delivered.  False when there is no use in another:
 * nothing is left, the end was met, or the callback wants no more (or wants
 * TLS: the rest is not for it any more). */
static bool read_once(struct stream *s)
{
	/* One for all: what is in it is valid only during the callback, and
	 * a callback cannot get here again. */
	static char chunk[IO_CHUNK];
	const char *why = NULL;
	ssize_t n = s->tls ? take_tls(s, chunk, sizeof(chunk), &why) :
		take_plain(s, chunk, sizeof(chunk), &why);

	if (n > 0) {
		quick_ack(s->fd);
		s->ops->input(s->ctx, chunk, (size_t)n);
		return !s->closed && s->reading && !s->shaking;
	}
	if (n < 0)
		go_down(s, why);
	return false;
}

/* What waits inside TLS makes no event. */
static void look_inside(struct stream *s)
{
	if (s->tls && !s->shaking && s->reading && !s->down &&
	    tls_pending(s->tls))
		timer_set(s->wake, 0);
}

static void read_on(struct stream *s)
{
	int i;

	for (i = 0; i < READS_PER_TURN; i++)
		if (!read_once(s))
			return;
	look_inside(s);
}

void stream_reading(struct stream *s, bool on)
{
	s->reading = on;
	look_inside(s);
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

static size_t write_plain(struct stream *s, struct buf *out)
{
	ssize_t n;

	do
		n = send(s->fd, buf_data(out), buf_len(out), MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	if (n > 0) {
		buf_drop(out, (size_t)n);
		return (size_t)n;
	}
	if (n == -1 && errno != EAGAIN && errno != EWOULDBLOCK)
		broke(s, errno);
	return 0;
}

/* Record by record, until the socket is full. */
static size_t write_tls(struct stream *s, struct buf *out)
{
	enum tls_step step = TLS_DONE;
	size_t all = 0, n;

	while (step == TLS_DONE && buf_len(out) > 0) {
		n = tls_write(s->tls, buf_data(out), buf_len(out), &step);
		buf_drop(out, n);
		all += n;
	}
	s->held = step == TLS_WANT_WRITE ? tls_held(s->tls) : 0;
	s->crossed_write = step == TLS_WANT_READ;
	/* tls_why knows the rest; this keeps later writes away */
	if (step == TLS_FAILED)
		broke(s, EPIPE);
	return all;
}

size_t stream_write(struct stream *s, struct buf *out)
{
	size_t n;

	if (s->broken || s->down || s->closed || s->shaking ||
	    buf_len(out) == 0)
		return 0;
	n = s->tls ? write_tls(s, out) : write_plain(s, out);
	s->writing = !s->broken && buf_len(out) > 0;
	interest(s);
	return n;
}

size_t stream_pending(const struct stream *s)
{
	return s->held;
}

/* ---- the handshake ------------------------------------------------------ */

void stream_secure(struct stream *s, struct tls_context *c, const char *host)
{
	if (s->down || s->closed || s->tls)
		return;
	s->tls = tls_new(c, s->fd, host);
	s->shaking = true;
	s->shake_wants = 0;
	s->writing = false;
	interest(s);
	timer_set(s->wake, 0);
}

const struct tls *stream_tls(const struct stream *s)
{
	return s->tls;
}

static void shake(struct stream *s)
{
	switch (tls_handshake(s->tls)) {
	case TLS_WANT_READ:
		s->shake_wants = LOOP_READ;
		break;
	case TLS_WANT_WRITE:
		s->shake_wants = LOOP_WRITE;
		break;
	case TLS_FAILED:
		go_down(s, tls_why(s->tls));
		return;
	case TLS_DONE:
		s->shaking = false;
		if (s->ops->secured)
			s->ops->secured(s->ctx, true, "");
		/* the greeting may have come with its last octets */
		if (!s->closed)
			look_inside(s);
	}
	if (!s->closed)
		interest(s);
}

/* ---- what the loop calls -------------------------------------------- */

static void discard(struct stream *s)
{
	tls_free(s->tls);
	free(s);
}

/* Frees a stream that was closed in the callback that is over now. */
static void leave(struct stream *s)
{
	s->busy = false;
	if (s->closed)
		discard(s);
}

static void on_event(void *ctx, unsigned events)
{
	struct stream *s = ctx;
	unsigned to_read = s->crossed_read ? LOOP_WRITE : LOOP_READ;
	unsigned to_write = s->crossed_write ? LOOP_READ : LOOP_WRITE;

	s->busy = true;
	if (s->shaking) {
		shake(s);
		leave(s);
		return;
	}
	/* Reading first: what the server said may end all writing. */
	if ((events & to_read) && s->reading)
		read_on(s);
	if ((events & to_write) && s->writing && !s->closed && !s->down &&
	    !s->broken && !s->shaking) {
		/* asked for anew by the write that needs it; the kernel is
		 * told only if that changes anything */
		s->writing = false;
		s->ops->writable(s->ctx);
	}
	if (!s->closed)
		interest(s);
	leave(s);
}

/* What makes no event.  After a failed write: the last words, then the end.
 * One turn's worth is enough; a peer that talks on is not waited for. */
static void on_wake(void *ctx)
{
	struct stream *s = ctx;

	s->busy = true;
	if (s->shaking && !s->broken)
		shake(s);
	else if (s->reading && !s->shaking)
		read_on(s);
	if (s->broken && !s->closed && !s->down)
		go_down(s, s->tls && !s->shaking ? tls_why(s->tls) :
			s->broken == EPIPE ? "lost connection" :
			strerror(s->broken));
	if (!s->closed && !s->down)
		interest(s);
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
	if (s->tls && !s->broken && !s->down)
		tls_goodbye(s->tls);
	close(s->fd);
	s->fd = -1;
	s->closed = true;
	if (!s->busy)
		discard(s);
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
