/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* Lines in, replies out: see wire.h. */
#include "in/wire.h"
#include "lib/reply.h"
#include "lib/util.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void wire_open(struct wire *w, int in, int out,
	       const volatile sig_atomic_t *stop)
{
	w->in = in;
	w->out = out;
	w->stop = stop;
	w->at = w->end = w->before = 0;
	w->saw_cr = w->broken = false;
	buf_init(&w->replies, 2 * IO_CHUNK);
}

/* ---- waiting ------------------------------------------------------------------- */

/* Signals are blocked except in the wait itself: one that comes just before it
 * is not slept over. */
static int await(const struct wire *w, int fd, short events, unsigned seconds)
{
	int64_t until = now_mono() + 1000 * (int64_t)seconds, left;
	struct pollfd p = { .fd = fd, .events = events };
	sigset_t ours, before;
	struct timespec ts;
	int r = -1;

	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGHUP);
	sigprocmask(SIG_BLOCK, &ours, &before);
	errno = EINTR;
	while (r < 0 && errno == EINTR) {
		if (events == POLLIN && *w->stop)
			break;
		left = until - now_mono();
		left = left < 0 ? 0 : left;
		ts.tv_sec = left / 1000;
		ts.tv_nsec = left % 1000 * 1000000;
		r = ppoll(&p, 1, &ts, &before);
		if (r == 0) {
			errno = ETIMEDOUT;
			r = -1;
		}
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

/* ---- in -------------------------------------------------------------------------- */

/* More octets behind those that are there. */
static int fill(struct wire *w, unsigned seconds)
{
	ssize_t n;

	wire_flush(w);
	memmove(w->octets, w->octets + w->at, w->end - w->at);
	w->end -= w->at;
	w->at = 0;
	do {
		if (await(w, w->in, POLLIN, seconds) < 0)
			return -1;
		n = read(w->in, w->octets + w->end, sizeof w->octets - w->end);
	} while (n < 0 && (errno == EAGAIN || errno == EINTR));
	if (n <= 0)
		return (int)n;
	w->end += (size_t)n;
	return 1;
}

/* The line is too long: what is there of it goes, but for its begin. */
static void shorten(struct wire *w, uint64_t *gone)
{
	*gone += w->end - w->at - SMTPD_LINE_MAX - 1;
	w->end = w->at + SMTPD_LINE_MAX + 1;
}

int wire_line(struct wire *w, unsigned seconds, const char **line, size_t *n)
{
	size_t seen = 0, len;
	uint64_t gone = 0;
	char *p, *lf;
	int r;

	for (;;) {
		p = w->octets + w->at;
		len = w->end - w->at;
		lf = memchr(p + seen, '\n', len - seen);
		if (lf)
			break;
		if (len > SMTPD_LINE_MAX + 1) {
			shorten(w, &gone);
			len = SMTPD_LINE_MAX + 1;
		}
		if (gone > SMTPD_DISCARD_MAX) {
			errno = EMSGSIZE;
			return -1;
		}
		seen = len;
		r = fill(w, seconds);
		if (r <= 0)
			return r;
	}
	len = (size_t)(lf - p);
	w->before = w->at;
	w->at += len + 1;
	w->saw_cr = w->saw_cr || memchr(p, '\r', len);
	if (len > 0 && p[len - 1] == '\r')
		len--;
	*line = p;
	*n = len > SMTPD_LINE_MAX || gone ? SMTPD_LINE_MAX + 1 : len;
	return 1;
}

void wire_unread(struct wire *w)
{
	w->at = w->before;
}

int wire_octets(struct wire *w, unsigned seconds, const char **p, size_t *n)
{
	int r = w->at < w->end ? 1 : fill(w, seconds);

	*p = w->octets + w->at;
	*n = w->end - w->at;
	return r;
}

void wire_take(struct wire *w, size_t n)
{
	w->at += n;
}

/* ---- out --------------------------------------------------------------------------- */

void wire_say(struct wire *w, bool more, int code, const char *status,
	      const char *text)
{
	char clean[SMTPD_LINE_MAX];

	printable(clean, sizeof clean, text, strlen(text));
	buf_printf(&w->replies, "%03d%c%s%s%s\r\n", code, more ? '-' : ' ',
		   status ? status : "", status ? " " : "", clean);
	if (buf_len(&w->replies) > IO_CHUNK)
		wire_flush(w);
}

/* In pieces that a pipe or socket that is ready takes whole: we never hang in
 * a write. */
void wire_flush(struct wire *w)
{
	enum { PIECE = 1024 };
	size_t n;
	ssize_t did;

	while (!w->broken && buf_len(&w->replies) > 0) {
		n = buf_len(&w->replies);
		if (await(w, w->out, POLLOUT, *w->stop ? TIMEOUT_SIGNAL :
			  SMTPD_TRANSACTION_SECONDS) < 0) {
			w->broken = true;
			break;
		}
		did = write(w->out, buf_data(&w->replies), n < PIECE ? n :
			    PIECE);
		if (did > 0)
			buf_drop(&w->replies, (size_t)did);
		else if (errno != EAGAIN && errno != EINTR)
			w->broken = true;
	}
	buf_clear(&w->replies);
}
