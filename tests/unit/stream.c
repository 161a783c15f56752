/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * lib/stream: connect, echo, the end after the data, a reset, ten megabytes
 * through a reader that dawdles, closing inside callbacks.
 */
#include "lib/stream.h"
#include "config.h"
#include "lib/util.h"
#include "tests/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

static struct loop *loop;

/* One end of a stream and what became of it. */
struct end {
	struct stream *stream;
	struct buf in, out;
	size_t got, sent;
	unsigned downs, writables;
	char why[100];
	enum { KEEP, IN_INPUT, IN_DOWN, IN_WRITABLE } close;
	bool pause;		/* input stops reading */
	bool fill;		/* writable writes on */
};

static void maybe_close(struct end *e, int where)
{
	if ((int)e->close == where) {
		stream_close(e->stream);
		e->stream = NULL;
	}
}

static void on_input(void *ctx, const char *p, size_t n)
{
	struct end *e = ctx;

	check(e->downs == 0, "no input after down");
	e->got += n;
	buf_put(&e->in, p, n);
	if (e->pause)
		stream_reading(e->stream, false);
	maybe_close(e, IN_INPUT);
}

static void on_writable(void *ctx)
{
	struct end *e = ctx;

	e->writables++;
	if (e->fill)
		e->sent += stream_write(e->stream, &e->out);
	maybe_close(e, IN_WRITABLE);
}

static void on_down(void *ctx, const char *why)
{
	struct end *e = ctx;

	e->downs++;
	snprintf(e->why, sizeof(e->why), "%s", why);
	maybe_close(e, IN_DOWN);
}

static const struct stream_ops ops = { on_input, on_writable, on_down, NULL };

static void open_end(struct end *e, int fd)
{
	*e = (struct end){ .close = KEEP };
	buf_init(&e->in, 64 * 1024 * 1024);
	buf_init(&e->out, 64 * 1024 * 1024);
	e->stream = stream_open(loop, fd, &ops, e);
}

static void close_end(struct end *e)
{
	stream_close(e->stream);
	buf_free(&e->in);
	buf_free(&e->out);
}

/* ---- sockets -------------------------------------------------------- */

static int listener(struct sockaddr_in *sin)
{
	socklen_t n = sizeof(*sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*sin = (struct sockaddr_in){ .sin_family = AF_INET };
	sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd == -1 || bind(fd, (struct sockaddr *)sin, n) == -1 ||
	    listen(fd, 8) == -1 ||
	    getsockname(fd, (struct sockaddr *)sin, &n) == -1)
		die(71, "listener");
	return fd;
}

static int wanted;

static void on_ready(void *ctx, unsigned events)
{
	(void)ctx;
	(void)events;
	wanted++;
}

/* Waits until fd can be written: a connect is decided. */
static void decided(int fd)
{
	struct watch *w = loop_watch(loop, fd, LOOP_WRITE, on_ready, NULL);
	int64_t limit = now_mono() + 5000;

	wanted = 0;
	while (!wanted && now_mono() < limit)
		loop_turn(loop, limit);
	watch_stop(w);
}

/* A TCP pair: fd[0] by stream_connect, fd[1] accepted (blocking). */
static void tcp_pair(int fd[2])
{
	struct sockaddr_in sin;
	int lfd = listener(&sin);

	fd[0] = stream_connect((struct sockaddr *)&sin, sizeof(sin), NULL, 0);
	decided(fd[0]);
	check_int("connected", stream_connected(fd[0]), 0);
	fd[1] = accept(lfd, NULL, NULL);
	close(lfd);
}

static void turns(int ms)
{
	int64_t limit = now_mono() + ms;

	while (now_mono() < limit)
		loop_turn(loop, limit);
}

/* Turns until the count is at least n, five seconds at most. */
static void turn_until(const unsigned *count, unsigned n)
{
	int64_t limit = now_mono() + 5000;

	while (*count < n && now_mono() < limit)
		loop_turn(loop, limit);
}

static void say(int fd, const char *s)
{
	if (write(fd, s, strlen(s)) != (ssize_t)strlen(s))
		check(false, "say");
}

/* ---- connect -------------------------------------------------------- */

static void test_connect(void)
{
	struct sockaddr_in sin, from = { .sin_family = AF_INET };
	struct sockaddr_in peer;
	socklen_t n = sizeof(peer);
	int lfd = listener(&sin), fd, fd2;

	from.sin_addr.s_addr = htonl(0x7f000002);
	fd = stream_connect((struct sockaddr *)&sin, sizeof(sin),
			    (struct sockaddr *)&from, sizeof(from));
	check(fd != -1, "connect from a bound address");
	decided(fd);
	check_int("it succeeds", stream_connected(fd), 0);
	fd2 = accept(lfd, (struct sockaddr *)&peer, &n);
	check(peer.sin_addr.s_addr == from.sin_addr.s_addr,
	      "the bound address is seen");
	close(fd);
	close(fd2);
	close(lfd);
	fd = stream_connect((struct sockaddr *)&sin, sizeof(sin), NULL, 0);
	if (fd != -1) {
		decided(fd);
		check_int("nobody listens", stream_connected(fd),
			  ECONNREFUSED);
		close(fd);
	} else {
		check_int("nobody listens", errno, ECONNREFUSED);
	}
	from.sin_addr.s_addr = htonl(0xc0000201);	/* not ours */
	fd = stream_connect((struct sockaddr *)&sin, sizeof(sin),
			    (struct sockaddr *)&from, sizeof(from));
	check(fd == -1 && errno == EADDRNOTAVAIL, "bind fails");
}

/* ---- the end -------------------------------------------------------- */

static void test_echo_and_end(void)
{
	struct end e;
	int fd[2];
	char got[10];

	tcp_pair(fd);
	open_end(&e, fd[0]);
	check_int("its descriptor", stream_fd(e.stream), fd[0]);
	buf_puts(&e.out, "EHLO x\r\n");
	check_int("all is written", (long long)stream_write(e.stream, &e.out),
		  8);
	check_int("and gone from the buffer", (long long)buf_len(&e.out), 0);
	check_int("nothing pending", (long long)stream_pending(e.stream), 0);
	check_int("it arrives", read(fd[1], got, sizeof(got)), 8);
	say(fd[1], "250 hello\r\n");
	say(fd[1], "421 bye\r\n");
	close(fd[1]);
	turn_until(&e.downs, 1);
	check_str("data before the end", buf_str(&e.in),
		  "250 hello\r\n421 bye\r\n");
	check_str("a clean end", e.why, "lost connection");
	turns(10);
	check_int("told once", e.downs, 1);
	buf_puts(&e.out, "QUIT\r\n");
	check_int("no write after it", (long long)stream_write(e.stream,
		  &e.out), 0);
	turns(10);
	check_int("nor another down", e.downs, 1);
	close_end(&e);
}

/* The other side speaks and closes; then we write, and again.  Its words must
 * come before the end, whatever the writes ran into. */
static void test_last_words(bool reset)
{
	struct linger l = { .l_onoff = 1, .l_linger = 0 };
	struct end e;
	int fd[2], i;

	tcp_pair(fd);
	open_end(&e, fd[0]);
	say(fd[1], "421 go away\r\n");
	if (reset)
		setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd[1]);
	for (i = 0; i < 3; i++) {
		buf_puts(&e.out, "MAIL FROM:<>\r\n");
		stream_write(e.stream, &e.out);
		check_int("write never calls back", e.downs, 0);
		usleep(5000);
	}
	turn_until(&e.downs, 1);
	turns(10);
	if (!reset)	/* a reset may rightly throw the data away */
		check_str("last words", buf_str(&e.in), "421 go away\r\n");
	check_int("one end", e.downs, 1);
	if (reset)
		check_str("a reset in the system's words", e.why,
			  strerror(ECONNRESET));
	close_end(&e);
}

static void test_reset(void)
{
	struct linger l = { .l_onoff = 1, .l_linger = 0 };
	struct end e;
	int fd[2];

	tcp_pair(fd);
	open_end(&e, fd[0]);
	turns(5);
	setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd[1]);
	turn_until(&e.downs, 1);
	check_str("reset", e.why, strerror(ECONNRESET));
	close_end(&e);
}

/* ---- flow ----------------------------------------------------------- */

static void test_flow(void)
{
	enum { TOTAL = 10 * 1024 * 1024 };
	static char text[65536];
	struct end from, to;
	int fd[2];
	size_t i, wrong = 0;
	int64_t limit = now_mono() + 10000;

	for (i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 31 + i / 251);
	tcp_pair(fd);
	open_end(&from, fd[0]);
	open_end(&to, fd[1]);	/* a blocking one: made non-blocking */
	for (i = 0; i < TOTAL / sizeof(text); i++)
		buf_put(&from.out, text, sizeof(text));
	from.fill = true;
	to.pause = true;
	from.sent = stream_write(from.stream, &from.out);
	check(from.sent > 0 && from.sent < TOTAL, "the socket takes a part");
	turns(20);
	while (to.got < TOTAL && now_mono() < limit) {
		stream_reading(to.stream, true);	/* until its input */
		loop_turn(loop, now_mono() + 2);
	}
	check_int("all octets sent", (long long)from.sent, TOTAL);
	check_int("all octets came", (long long)to.got, TOTAL);
	for (i = 0; i < buf_len(&to.in); i++)
		wrong += buf_data(&to.in)[i] != text[i % sizeof(text)];
	check_int("and are the same", (long long)wrong, 0);
	check(from.writables > 1, "by writable");
	i = from.writables;
	turns(10);
	check_int("which stops when all is written", from.writables,
		  (long long)i);
	close_end(&from);
	close_end(&to);
}

/* Paused: no input, no end, and no spinning; then both. */
static void test_pause(void)
{
	struct end e;
	int fd[2], n = 0;
	int64_t limit;

	tcp_pair(fd);
	open_end(&e, fd[0]);
	stream_reading(e.stream, false);
	say(fd[1], "hello");
	close(fd[1]);
	limit = now_mono() + 50;
	for (; now_mono() < limit; n++)
		loop_turn(loop, limit);
	check(e.got == 0 && e.downs == 0, "paused: nothing comes");
	check(n < 10, "paused: the loop sleeps");
	stream_reading(e.stream, true);
	turn_until(&e.downs, 1);
	check_str("resumed: the data", buf_str(&e.in), "hello");
	check_int("resumed: the end", e.downs, 1);
	close_end(&e);
}

/* A talker must not keep the others from their turn. */
static void test_fair(void)
{
	struct end e;
	int fd[2];
	char *much = xcalloc(1, 2000000);
	struct buf b;
	struct end far;

	tcp_pair(fd);
	open_end(&e, fd[0]);
	open_end(&far, fd[1]);
	buf_init(&b, 2000000);
	buf_put(&b, much, 2000000);
	stream_write(far.stream, &b);
	usleep(20000);
	loop_turn(loop, 0);
	check(e.got > 0 && e.got <= 4 * IO_CHUNK, "a few reads a turn");
	close_end(&e);
	close_end(&far);
	buf_free(&b);
	free(much);
}

/* ---- closing in callbacks ------------------------------------------- */

static void test_close_within(void)
{
	struct end e;
	int fd[2], i;

	tcp_pair(fd);
	open_end(&e, fd[0]);
	e.close = IN_INPUT;
	say(fd[1], "x");
	close(fd[1]);
	turns(20);
	check(!e.stream && e.got == 1 && e.downs == 0, "closed in input");
	close_end(&e);

	tcp_pair(fd);
	open_end(&e, fd[0]);
	e.close = IN_DOWN;
	close(fd[1]);
	turns(20);
	check(!e.stream && e.downs == 1, "closed in down");
	close_end(&e);

	tcp_pair(fd);
	open_end(&e, fd[0]);
	e.close = IN_DOWN;
	close(fd[1]);
	for (i = 0; i < 3; i++) {
		buf_puts(&e.out, "x");
		stream_write(e.stream, &e.out);
		usleep(2000);
	}
	turns(20);
	check(!e.stream && e.downs == 1, "closed in the down of a write");
	close_end(&e);

	tcp_pair(fd);
	open_end(&e, fd[0]);
	e.close = IN_WRITABLE;
	while (buf_len(&e.out) == 0) {
		static char fill[100000];

		buf_put(&e.out, fill, sizeof(fill));
		stream_write(e.stream, &e.out);
	}
	check_int("the socket is full", e.writables, 0);
	while (e.stream) {
		static char sink[100000];

		if (recv(fd[1], sink, sizeof(sink), MSG_DONTWAIT) == -1 &&
		    errno != EAGAIN)
			break;
		loop_turn(loop, now_mono() + 2);
	}
	check(!e.stream && e.writables == 1, "closed in writable");
	close(fd[1]);
	close_end(&e);
	stream_close(NULL);
}

/* A descriptor the loop refuses ends as any other connection does. */
static void test_refused(void)
{
	struct end e;

	open_end(&e, -1);
	check_int("nothing at once", e.downs, 0);
	turns(5);
	check_str("then the system's words", e.why, strerror(EBADF));
	close_end(&e);
}

/* ---- addresses ------------------------------------------------------ */

static void test_addresses(void)
{
	static const struct {
		const char *text, *printed;	/* NULL: no address */
	} table[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "2001:DB8:0:0::1", "2001:db8::1" },
		{ "::1", "::1" },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1" },
		{ "", NULL },
		{ "localhost", NULL },
		{ "192.0.2", NULL },
		{ "192.0.2.1 ", NULL },
		{ "192.0.2.256", NULL },
		{ "[192.0.2.1]", NULL },
		{ "1::2::3", NULL },
	};
	struct sockaddr_storage sa;
	char text[64];
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		socklen_t n = address_parse(table[i].text, 2525, &sa);

		check((n != 0) == (table[i].printed != NULL), table[i].text);
		if (n == 0)
			continue;
		address_print(text, sizeof(text), (struct sockaddr *)&sa);
		check_str(table[i].text, text, table[i].printed);
		check_int("port", ntohs(((struct sockaddr_in *)&sa)->sin_port),
			  2525);
	}
	sa.ss_family = AF_UNIX;
	address_print(text, sizeof(text), (struct sockaddr *)&sa);
	check_str("no internet address", text, "");
}

int main(void)
{
	alarm(60);
	loop = loop_new();
	if (!loop)
		return 1;
	test_connect();
	test_echo_and_end();
	test_last_words(false);
	test_last_words(true);
	test_reset();
	test_flow();
	test_pause();
	test_fair();
	test_close_within();
	test_refused();
	test_addresses();
	loop_free(loop);
	return check_done("stream");
}
