/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * An SMTP server with STARTTLS that keeps nothing and counts, for bench/tls.
 * A blocking thread for each connection, TCP_NODELAY, any free port of
 * 127.0.0.1.  It takes mail only in TLS.
 *
 *	tlssink CERT-AND-KEY [SECONDS]
 *
 * It prints "ports P", knows the orders "expect N" and "report" of sink.c, and
 * ends with its input or after that time (300).  A report is one line:
 * messages, connections, most at once, handshakes, how many of them resumed a
 * session, and when the answer to the last message left.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { IN_MAX = 64 * 1024, OUT_MAX = 4096 };

struct conn {
	int fd;
	SSL *ssl;			/* NULL: still in clear */
	size_t at, n, nout;
	unsigned done;			/* messages whose answer is in out */
	char in[IN_MAX];
	char out[OUT_MAX];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	unsigned long messages, connections, most, handshakes, resumed;
	double end;
} count;
static unsigned long open_now, wanted;
static SSL_CTX *ctx;

static void die(const char *what)
{
	perror(what);
	exit(71);
}

/* With the lock held. */
static void report(void)
{
	printf("messages %lu connections %lu most %lu handshakes %lu "
	       "resumed %lu last %.6f\n", count.messages, count.connections,
	       count.most, count.handshakes, count.resumed, count.end);
	fflush(stdout);
}

/* ---- octets -------------------------------------------------------------- */

static void say(struct conn *c, const char *text)
{
	size_t n = strlen(text);

	if (c->nout + n > OUT_MAX)
		die("too many commands at once");
	memcpy(c->out + c->nout, text, n);
	c->nout += n;
}

/* What has been said leaves before we wait. */
static bool leave(struct conn *c)
{
	struct timespec ts;
	int n = (int)c->nout;

	if (n == 0)
		return true;
	c->nout = 0;
	if ((c->ssl ? SSL_write(c->ssl, c->out, n) :
	     (int)send(c->fd, c->out, (size_t)n, MSG_NOSIGNAL)) != n)
		return false;
	if (c->done == 0)
		return true;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	pthread_mutex_lock(&lock);
	count.end = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
	for (; c->done > 0; c->done--)
		if (++count.messages == wanted)
			report();
	pthread_mutex_unlock(&lock);
	return true;
}

static bool fill(struct conn *c)
{
	int got, room;

	if (!leave(c))
		return false;
	memmove(c->in, c->in + c->at, c->n - c->at);
	c->n -= c->at;
	c->at = 0;
	room = (int)(IN_MAX - c->n);
	got = room == 0 ? 0 : c->ssl ? SSL_read(c->ssl, c->in + c->n, room) :
		(int)recv(c->fd, c->in + c->n, (size_t)room, 0);
	if (got <= 0)
		return false;
	c->n += (size_t)got;
	return true;
}

/* NULL: the end. */
static char *line(struct conn *c)
{
	char *s, *e;

	while (!(e = memchr(c->in + c->at, '\n', c->n - c->at)))
		if (!fill(c))
			return NULL;
	s = c->in + c->at;
	*e = '\0';
	c->at = (size_t)(e + 1 - c->in);
	return s;
}

/* ---- the dialogue -------------------------------------------------------- */

static bool text(struct conn *c)
{
	char *s;

	do
		s = line(c);
	while (s && strcmp(s, ".\r") != 0);
	return s;
}

static bool chunk(struct conn *c, unsigned long n)
{
	size_t some;

	while (n > 0) {
		if (c->at == c->n && !fill(c))
			return false;
		some = c->n - c->at < n ? c->n - c->at : n;
		c->at += some;
		n -= some;
	}
	return true;
}

static bool secure(struct conn *c)
{
	SSL *ssl = SSL_new(ctx);

	say(c, "220 2.0.0 go ahead\r\n");
	if (!ssl || !leave(c))
		return false;
	c->at = c->n = 0;
	c->ssl = ssl;
	if (!SSL_set_fd(ssl, c->fd) || SSL_accept(ssl) != 1)
		return false;
	pthread_mutex_lock(&lock);
	count.handshakes++;
	count.resumed += SSL_session_reused(ssl) ? 1 : 0;
	pthread_mutex_unlock(&lock);
	return true;
}

static void taken(struct conn *c)
{
	say(c, "250 2.0.0 taken\r\n");
	c->done++;
}

static bool command(struct conn *c, char *s)
{
	unsigned long n;
	bool last;

	if (strncasecmp(s, "EHLO", 4) == 0) {
		say(c, "250-sink.test\r\n250-PIPELINING\r\n250-SIZE\r\n"
		       "250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n");
		say(c, c->ssl ? "250 CHUNKING\r\n" :
		       "250-CHUNKING\r\n250 STARTTLS\r\n");
	} else if (strncasecmp(s, "STARTTLS", 8) == 0 && !c->ssl) {
		return secure(c);
	} else if (strncasecmp(s, "QUIT", 4) == 0) {
		say(c, "221 2.0.0 bye\r\n");
		leave(c);
		return false;
	} else if (!c->ssl) {
		say(c, "530 5.7.0 STARTTLS first\r\n");
	} else if (strncasecmp(s, "DATA", 4) == 0) {
		say(c, "354 go on\r\n");
		if (!text(c))
			return false;
		taken(c);
	} else if (strncasecmp(s, "BDAT ", 5) == 0) {
		n = strtoul(s + 5, &s, 10);
		last = strncasecmp(s, " LAST", 5) == 0;
		if (!chunk(c, n))
			return false;
		if (last)
			taken(c);
		else
			say(c, "250 2.0.0 go on\r\n");
	} else {
		say(c, "250 2.0.0 ok\r\n");
	}
	return true;
}

static void *talk(void *p)
{
	struct conn *c = p;
	char *s;

	say(c, "220 sink.test ESMTP\r\n");
	do
		s = line(c);
	while (s && command(c, s));
	if (c->ssl && SSL_is_init_finished(c->ssl))
		SSL_shutdown(c->ssl);
	SSL_free(c->ssl);
	close(c->fd);
	free(c);
	pthread_mutex_lock(&lock);
	open_now--;
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* ---- the loop ------------------------------------------------------------ */

static void accept_one(int listener)
{
	int one = 1, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct conn *c = malloc(sizeof *c);
	pthread_t thread;

	if (fd < 0 || !c)
		die("accept");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c->fd = fd;
	c->ssl = NULL;
	c->at = c->n = c->nout = 0;
	c->done = 0;
	pthread_mutex_lock(&lock);
	count.connections++;
	if (++open_now > count.most)
		count.most = open_now;
	pthread_mutex_unlock(&lock);
	if (pthread_create(&thread, NULL, talk, c) != 0)
		die("thread");
	pthread_detach(thread);
}

static void order(void)
{
	static char buf[256];
	static size_t n;
	ssize_t r = read(0, buf + n, sizeof buf - 1 - n);
	char *e;

	if (r <= 0)
		exit(0);
	n += (size_t)r;
	buf[n] = '\0';
	pthread_mutex_lock(&lock);
	while ((e = strchr(buf, '\n')) != NULL) {
		if (strncmp(buf, "expect ", 7) == 0) {
			memset(&count, 0, sizeof count);
			count.most = open_now;
			wanted = strtoul(buf + 7, NULL, 10);
		} else {
			report();
		}
		n -= (size_t)(e + 1 - buf);
		memmove(buf, e + 1, n + 1);
	}
	pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t n = sizeof sa;
	struct pollfd p[2] = { { .fd = 0, .events = POLLIN } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (argc < 2)
		return 64;
	alarm(argc > 2 ? (unsigned)atoi(argv[2]) : 300);
	signal(SIGPIPE, SIG_IGN);
	ctx = SSL_CTX_new(TLS_server_method());
	if (!ctx || SSL_CTX_use_certificate_chain_file(ctx, argv[1]) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, argv[1], SSL_FILETYPE_PEM) != 1) {
		fprintf(stderr, "tlssink: %s does not serve\n", argv[1]);
		return 66;
	}
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&sa, n) != 0 || listen(fd, 1024) != 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &n) != 0)
		die("bind");
	printf("ports %u\n", ntohs(sa.sin_port));
	fflush(stdout);
	p[1] = (struct pollfd){ .fd = fd, .events = POLLIN };
	for (;;) {
		if (poll(p, 2, -1) < 0)
			die("poll");
		/* Orders first: what comes after one is counted by it. */
		if (p[0].revents)
			order();
		if (p[1].revents)
			accept_one(fd);
	}
}
