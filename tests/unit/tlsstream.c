/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * lib/stream with TLS inside: octets that trickle, megabytes both ways, what
 * waits inside, and every way for a handshake and a connection to end.
 */
#include "lib/stream.h"
#include "tests/tlsserver.h"

#include <errno.h>

static struct loop *loop;

/* ---- streams ------------------------------------------------------------ */

struct end {
	struct stream *stream;
	struct buf in, out;
	unsigned secured, downs;
	bool ok;
	char why[300];
	enum { KEEP, IN_SECURED, IN_INPUT } close;
	bool pause;
	struct tls_context *secure_in_input;
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
	buf_put(&e->in, p, n);
	if (e->pause)
		stream_reading(e->stream, false);
	if (e->secure_in_input)
		stream_secure(e->stream, e->secure_in_input, "mx.test");
	e->secure_in_input = NULL;
	maybe_close(e, IN_INPUT);
}

static void on_writable(void *ctx)
{
	struct end *e = ctx;

	stream_write(e->stream, &e->out);
}

static void on_down(void *ctx, const char *why)
{
	struct end *e = ctx;

	e->downs++;
	snprintf(e->why, sizeof(e->why), "%s", why);
}

static void on_secured(void *ctx, bool ok, const char *why)
{
	struct end *e = ctx;

	e->secured++;
	e->ok = ok;
	snprintf(e->why, sizeof(e->why), "%s", why);
	maybe_close(e, IN_SECURED);
}

static const struct stream_ops ops = { on_input, on_writable, on_down,
				       on_secured };

static void open_end(struct end *e, int fd, const struct stream_ops *o)
{
	*e = (struct end){ .close = KEEP };
	buf_init(&e->in, 64 * 1024 * 1024);
	buf_init(&e->out, 64 * 1024 * 1024);
	e->stream = stream_open(loop, fd, o, e);
}

static void close_end(struct end *e)
{
	stream_close(e->stream);
	buf_free(&e->in);
	buf_free(&e->out);
}

static void turns(int ms)
{
	int64_t limit = now_mono() + ms;

	while (now_mono() < limit)
		loop_turn(loop, limit);
}

static void turn_until(const unsigned *count, struct server *v)
{
	int64_t limit = now_mono() + 5000;

	while (*count == 0 && now_mono() < limit) {
		if (v)
			server_step(v);
		loop_turn(loop, now_mono() + 1);
	}
}

/* A secured pair. */
static void secured(struct end *e, struct server *v, int how)
{
	int fd[2], i;

	pair(fd);
	server_open(v, GOOD, fd[1], how);
	open_end(e, fd[0], &ops);
	stream_secure(e->stream, context(TLS_VERIFY), "mx.test");
	check(e->secured == 0, "not from inside");
	buf_puts(&e->out, "early");
	check(stream_write(e->stream, &e->out) == 0, "nothing before");
	buf_clear(&e->out);
	turn_until(&e->secured, v);
	for (i = 0; i < 10 && !v->up; i++)
		server_step(v);
	check(e->secured == 1 && e->ok && v->up, "secured");
}

static void test_echo(void)
{
	struct tls_facts f;
	struct server v;
	struct end e;
	char got[100] = "";
	int how;

	for (how = 0; how <= TLS12; how += TLS12) {
		secured(&e, &v, how);
		tls_describe(stream_tls(e.stream), &f);
		check(f.trusted, "trusted");
		check_str("protocol", f.protocol, how ? "TLSv1.2" : "TLSv1.3");
		buf_puts(&e.out, "EHLO x\r\n");
		check(stream_write(e.stream, &e.out) == 8, "written");
		check(stream_pending(e.stream) == 0, "nothing pending");
		check(SSL_read(v.ssl, got, sizeof(got)) == 8, "arrived");
		server_say(&v, "250 a\r\n");
		if (!how) {
			SSL_key_update(v.ssl, SSL_KEY_UPDATE_REQUESTED);
			server_say(&v, "250 b\r\n");
		}
		turns(10);
		check_str("input", buf_str(&e.in), how ? "250 a\r\n" :
			  "250 a\r\n250 b\r\n");
		check(e.downs == 0, "still there");
		buf_puts(&e.out, "QUIT\r\n");
		check(stream_write(e.stream, &e.out) == 6, "and writes");
		stream_close(e.stream);
		e.stream = NULL;
		check(SSL_read(v.ssl, got, sizeof(got)) == 6, "QUIT");
		check(SSL_read(v.ssl, got, sizeof(got)) <= 0 &&
		      (SSL_get_shutdown(v.ssl) & SSL_RECEIVED_SHUTDOWN),
		      "close_notify");
		close_end(&e);
		server_close(&v);
	}
}

/* A server that wants to negotiate anew gets a no, and that is all. */
static void test_renegotiation(void)
{
	struct server v;
	struct end e;

	secured(&e, &v, TLS12);
	SSL_renegotiate(v.ssl);
	SSL_do_handshake(v.ssl);
	turns(10);
	buf_puts(&e.out, "RSET\r\n");
	check(stream_write(e.stream, &e.out) == 6, "writes on");
	check(e.downs == 0, "still there");
	close_end(&e);
	server_close(&v);
}

/* The greeting comes with the last octets of the handshake; then a pause
 * while octets are inside. */
static void test_inside(void)
{
	static char much[16001];
	struct server v;
	struct end e;
	int64_t limit;
	int n = 0;

	secured(&e, &v, 0);
	memset(much, 'x', sizeof(much) - 1);
	e.pause = true;
	server_say(&v, "220 hello\r\n");
	server_say(&v, "more\r\n");
	turns(20);
	check_str("one record, then a pause", buf_str(&e.in), "220 hello\r\n");
	limit = now_mono() + 30;
	for (; now_mono() < limit; n++)
		loop_turn(loop, limit);
	check(n < 10, "the loop sleeps meanwhile");
	e.pause = false;
	stream_reading(e.stream, true);
	turns(20);
	check_str("then what was inside", buf_str(&e.in),
		  "220 hello\r\nmore\r\n");
	buf_clear(&e.in);
	for (n = 0; n < 6; n++)
		server_say(&v, much);
	turns(20);
	check_int("more than one turn reads", (long long)buf_len(&e.in),
		  6 * ((long long)sizeof(much) - 1));
	e.close = IN_INPUT;
	server_say(&v, "a");
	server_say(&v, "b");
	turns(20);
	check(!e.stream, "closed in input");
	close_end(&e);
	server_close(&v);
}

/* One octet at a time, in both directions. */
static void test_trickle(void)
{
	struct server v;
	struct end e;
	int a[2], b[2], how;
	int64_t limit;
	char c;

	for (how = 0; how <= TLS12; how += TLS12) {
		pair(a);
		pair(b);
		fcntl(a[1], F_SETFL, O_NONBLOCK);
		server_open(&v, GOOD, b[1], how);
		open_end(&e, a[0], &ops);
		stream_secure(e.stream, context(TLS_VERIFY), "mx.test");
		limit = now_mono() + 5000;
		while (buf_len(&e.in) < 5 && now_mono() < limit) {
			bool up = v.up;

			if (read(a[1], &c, 1) == 1)
				check(write(b[0], &c, 1) == 1, "relay");
			if (read(b[0], &c, 1) == 1)
				check(write(a[1], &c, 1) == 1, "relay");
			server_step(&v);
			if (v.up && !up)
				server_say(&v, "hello");
			loop_turn(loop, 0);
		}
		check_str("trickled", buf_str(&e.in), "hello");
		check(e.ok && e.secured == 1, "secured");
		close_end(&e);
		server_close(&v);
		close(a[1]);
		close(b[0]);
	}
}

/* Five megabytes each way at the same time; ours is written by a buffer that
 * moves and grows while a record waits. */
static void test_flow(void)
{
	enum { TOTAL = 5 * 1024 * 1024 };
	static char text[40000], got[30000];
	size_t sent = 0, came = 0, given = 0, wrong = 0, held = 0, i;
	int64_t limit = now_mono() + 8000;
	struct server v;
	struct end e;

	secured(&e, &v, 0);
	for (i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 31 + i / 251);
	while ((came < TOTAL || buf_len(&e.in) < TOTAL) &&
	       now_mono() < limit) {
		size_t put = 0;
		int n;

		if (given < TOTAL && buf_len(&e.out) < 100000) {
			n = (int)(sizeof(text) - given % sizeof(text));
			if (n > TOTAL - (int)given)
				n = TOTAL - (int)given;
			buf_put(&e.out, text + given % sizeof(text),
				(size_t)n);
			given += (size_t)n;
			stream_write(e.stream, &e.out);
		}
		held += stream_pending(e.stream) > 0;
		check(stream_pending(e.stream) <= buf_len(&e.out), "held");
		if (sent < TOTAL && SSL_write_ex(v.ssl, text + sent %
		    sizeof(text), TOTAL - sent < sizeof(text) - sent %
		    sizeof(text) ? TOTAL - sent : sizeof(text) - sent %
		    sizeof(text), &put))
			sent += put;
		if (rand() % 2)
			n = SSL_read(v.ssl, got, sizeof(got));
		else
			n = 0;
		for (i = 0; n > 0 && i < (size_t)n; i++)
			wrong += got[i] != text[(came + i) % sizeof(text)];
		came += n > 0 ? (size_t)n : 0;
		loop_turn(loop, 0);
	}
	check_int("ours came", (long long)came, TOTAL);
	check_int("and is the same", (long long)wrong, 0);
	check_int("its came", (long long)buf_len(&e.in), TOTAL);
	for (wrong = i = 0; i < buf_len(&e.in); i++)
		wrong += buf_data(&e.in)[i] != text[i % sizeof(text)];
	check_int("and is the same", (long long)wrong, 0);
	check(held > 0, "the socket was full at times");
	check(stream_pending(e.stream) == 0, "and is not at the end");
	close_end(&e);
	server_close(&v);
}

/* ---- ends --------------------------------------------------------------- */

/* How a connection ends while it is good, and what we are told. */
static void test_ends(void)
{
	enum { NOTIFY, CUT, ALERT, GARBAGE, WORDS, RESET, NENDS };
	static const char *const whys[] = { "lost connection",
		"lost connection", "mx.test sent the TLS alert",
		"what mx.test sent is not TLS", "lost connection",
		"Connection reset by peer" };
	struct server v;
	struct end e;
	int i, k;

	for (i = 0; i < NENDS; i++) {
		secured(&e, &v, 0);
		if (i == NOTIFY) {
			server_say(&v, "bye");
			SSL_shutdown(v.ssl);
		} else if (i == ALERT) {
			/* what it cannot read makes it send one */
			send(stream_fd(e.stream), "\x17\x03\x03\0\x20xxxxxxxx"
			     "xxxxxxxxxxxxxxxxxxxxxxxx", 37, 0);
			SSL_read(v.ssl, (char[9]){ 0 }, 9);
		} else if (i == GARBAGE) {
			check(write(v.fd, "250 hello\r\n", 11) == 11, "raw");
		} else if (i == WORDS) {
			server_say(&v, "421 go away");
		} else if (i == RESET) {
			/* unread octets make a UNIX socket reset */
			buf_puts(&e.out, "x");
			stream_write(e.stream, &e.out);
		}
		if (i != ALERT)
			server_close(&v);
		for (k = 0; i == WORDS && k < 3; k++) {
			buf_puts(&e.out, "MAIL FROM:<>\r\n");
			stream_write(e.stream, &e.out);
			check(e.downs == 0, "write never calls back");
		}
		turn_until(&e.downs, NULL);
		turns(5);
		check_int("one end", e.downs, 1);
		if (!check(strncmp(e.why, whys[i], strlen(whys[i])) == 0,
			   whys[i]))
			printf("  got: %s\n", e.why);
		check_str("the words before", buf_str(&e.in), i == NOTIFY ?
			  "bye" : i == WORDS ? "421 go away" : "");
		check(stream_write(e.stream, &e.out) == 0, "nothing after");
		close_end(&e);
		if (i == ALERT)
			server_close(&v);
	}
}

/* How a handshake fails.  Each with a secured callback and without. */
static void test_no_handshake(void)
{
	static const struct stream_ops plain = { on_input, on_writable,
						 on_down, NULL };
	static const struct { const char *sent, *why; } table[] = {
		{ "", "lost connection" },
		{ "454 4.7.0 TLS not available\r\n",
		  "what mx.test sent is not TLS" },
		{ "HTTP/1.0 400 Bad Request\r\n\r\n",
		  "what mx.test sent is not TLS" },
		{ "\x15\x03\x03\0\2\2\x50",
		  "mx.test sent the TLS alert \"internal error\"" },
		{ "\x16\x03\x03\0\5\2", "lost connection" },
	};
	static const size_t lengths[] = { 0, 29, 28, 7, 6 };
	struct end e;
	int fd[2];
	size_t i;

	for (i = 0; i < 2 * COUNT(table); i++) {
		size_t k = i / 2;

		pair(fd);
		open_end(&e, fd[0], i & 1 ? &plain : &ops);
		stream_secure(e.stream, context(TLS_VERIFY), "mx.test");
		check(write(fd[1], table[k].sent, lengths[k]) ==
		      (ssize_t)lengths[k], "sent");
		turns(2);
		shutdown(fd[1], SHUT_WR);
		turn_until(i & 1 ? &e.downs : &e.secured, NULL);
		check_int("down", e.downs, i & 1);
		check_int("secured", e.secured, !(i & 1));
		check(!e.ok && buf_len(&e.in) == 0, "no input");
		check_str(table[k].sent, e.why, table[k].why);
		close_end(&e);
		close(fd[1]);
	}
}

/* A refused certificate: told to us and to the server; closed within. */
static void test_refused(void)
{
	struct server v;
	struct end e;
	int fd[2], i;

	for (i = 0; i < 2; i++) {
		pair(fd);
		server_open(&v, EXPIRED, fd[1], TLS12);
		open_end(&e, fd[0], &ops);
		e.close = i ? IN_SECURED : KEEP;
		stream_secure(e.stream, context(TLS_VERIFY), "mx.test");
		turn_until(&e.secured, &v);
		server_step(&v);
		check(!e.ok && strstr(e.why, "has expired"), e.why);
		check(v.failed && !v.up, "the server knows");
		check((e.stream == NULL) == i, "closed within");
		close_end(&e);
		server_close(&v);
	}
	open_end(&e, -1, &ops);		/* the loop refuses it */
	stream_secure(e.stream, context(TLS_VERIFY), "mx.test");
	turns(5);
	check(e.secured == 1 && !e.ok, "refused by the loop");
	check_str("in the system's words", e.why, strerror(EBADF));
	close_end(&e);
}

/* STARTTLS: secured from within input.  What the server has sent behind its
 * reply is not read in clear any more. */
static void test_starttls(void)
{
	struct server v;
	struct end e;
	int fd[2], i;

	for (i = 0; i < 2; i++) {
		pair(fd);
		open_end(&e, fd[0], &ops);
		e.secure_in_input = context(TLS_VERIFY);
		check(write(fd[1], "220 go\r\n", 8) == 8, "reply");
		loop_turn(loop, now_mono() + 100);
		check(stream_tls(e.stream) != NULL, "begun");
		if (i)
			check(write(fd[1], "250 evil\r\n", 10) == 10, "more");
		server_open(&v, GOOD, fd[1], 0);
		turn_until(&e.secured, &v);
		check(e.ok == !i, "secured");
		check_str("in clear", buf_str(&e.in), "220 go\r\n");
		close_end(&e);
		server_close(&v);
	}
}

int main(void)
{
	alarm(60);
	loop = loop_new();
	if (!loop)
		return 1;
	make_all();
	test_echo();
	test_renegotiation();
	test_inside();
	test_trickle();
	test_flow();
	test_ends();
	test_no_handshake();
	test_refused();
	test_starttls();
	cleanup();
	loop_free(loop);
	return check_done("tlsstream");
}
