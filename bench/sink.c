/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * An SMTP server that keeps nothing and counts, for the measurements in this
 * directory.  One process, one epoll loop, TCP_NODELAY.  It has no opinion
 * about its client: tests/tools/smtpd is the one that judges.
 *
 *	sink [-n PORTS] [-l ADDR:PORT]... [-d MS] [-e LIST] [-w SECONDS]
 *
 * -n N      listen on N ports of 127.0.0.1, any that are free
 * -l A:P    listen there (loopback and documentation addresses only)
 * -d MS     what is answered in one turn leaves that much later: to the client
 *           it is a round trip, and commands that came together cost one
 * -e LIST   what EHLO offers, separated by commas
 * -w S      end after that (300)
 *
 * It prints "ports P P ...".  On standard input, a line each:
 *
 *	expect N	counters to zero; a report after the Nth message
 *	report		one now
 *	delay MS	as -d, from now on
 *
 * and it ends with its input.  A report is one line: messages, connections,
 * most at once, turns (reads that led to an answer), and when the first
 * connection came and the answer to the last message left, in seconds of
 * CLOCK_MONOTONIC.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { IN_MAX = 256 * 1024, OUT_MAX = 16 * 1024, LINE_MAX_ = 4096 };

struct conn {
	int fd;
	unsigned waiting;		/* answers in the line */
	bool gone;			/* freed with the last of them */
	bool quit;
	enum { COMMAND, TEXT, CHUNK } state;
	bool last;			/* this chunk ends the message */
	unsigned long long chunk;	/* octets of it to come */
	unsigned done;			/* messages ended by this turn */
	size_t kept, nout;
	char in[LINE_MAX_];
	char out[OUT_MAX];
};

/* Answers that wait; the delay is the same for all, so this is a queue. */
struct answer {
	struct answer *next;
	struct conn *c;
	double due;
	unsigned done;
	bool quit;
	size_t n;
	char text[];
};

static struct answer *first, **end = &first;
static struct { unsigned long messages, connections, turns; double begin, end; }
	count;
static unsigned long open_now, most, wanted;
static double delay;
static int poll_fd;
static char ehlo[1024];
static char in[IN_MAX + LINE_MAX_];

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void die(const char *what)
{
	perror(what);
	exit(71);
}

static void report(void)
{
	printf("messages %lu connections %lu most %lu turns %lu first %.6f "
	       "last %.6f\n", count.messages, count.connections, most,
	       count.turns, count.begin, count.end);
	fflush(stdout);
}

/* ---- answers ------------------------------------------------------------- */

static void hang_up(struct conn *c)
{
	if (!c->gone) {
		close(c->fd);
		open_now--;
		c->gone = true;
	}
	if (c->waiting == 0)
		free(c);
}

static void send_answer(struct conn *c, const char *text, size_t n,
			unsigned done)
{
	/* Small and rare beside the socket's buffer: never cut. */
	if (!c->gone && send(c->fd, text, n, MSG_NOSIGNAL) != (ssize_t)n &&
	    errno != EPIPE && errno != ECONNRESET)
		die("send");
	if (done == 0)
		return;
	count.end = now();
	for (; done > 0; done--)
		if (++count.messages == wanted)
			report();
}

/* What this turn said leaves now, or later. */
static void answer(struct conn *c)
{
	struct answer *a;

	if (c->nout == 0)
		return;
	count.turns++;
	if (delay <= 0) {
		send_answer(c, c->out, c->nout, c->done);
	} else {
		a = malloc(sizeof *a + c->nout);
		if (!a)
			die("malloc");
		*a = (struct answer){ .c = c, .due = now() + delay,
				      .done = c->done, .n = c->nout };
		memcpy(a->text, c->out, c->nout);
		c->waiting++;
		*end = a;
		end = &a->next;
	}
	c->nout = 0;
	c->done = 0;
}

static void leave_due(void)
{
	struct answer *a;

	while ((a = first) != NULL && a->due <= now()) {
		first = a->next;
		if (!first)
			end = &first;
		a->c->waiting--;
		send_answer(a->c, a->text, a->n, a->done);
		if (a->c->gone)
			hang_up(a->c);
		free(a);
	}
}

static void say(struct conn *c, const char *text)
{
	size_t n = strlen(text);

	if (c->nout + n > OUT_MAX)
		answer(c);
	memcpy(c->out + c->nout, text, n);
	c->nout += n;
}

/* ---- the dialogue -------------------------------------------------------- */

static void message_ends(struct conn *c)
{
	say(c, "250 2.0.0 taken\r\n");
	c->done++;
	c->state = COMMAND;
}

static void command(struct conn *c, char *line)
{
	char *s;

	if (strncasecmp(line, "EHLO", 4) == 0) {
		say(c, ehlo);
	} else if (strncasecmp(line, "DATA", 4) == 0) {
		say(c, "354 go on\r\n");
		c->state = TEXT;
	} else if (strncasecmp(line, "BDAT ", 5) == 0) {
		c->chunk = strtoull(line + 5, &s, 10);
		c->last = strncasecmp(s, " LAST", 5) == 0;
		c->state = CHUNK;
	} else if (strncasecmp(line, "QUIT", 4) == 0) {
		say(c, "221 2.0.0 bye\r\n");
		c->quit = true;
	} else {
		say(c, "250 2.0.0 ok\r\n");
	}
}

/* Takes what it can; what it cannot yet is kept for the next time. */
static bool take(struct conn *c, char *at, size_t n)
{
	char *e;
	size_t m;

	while (n > 0 || (c->state == CHUNK && c->chunk == 0)) {
		if (c->state == CHUNK) {
			m = n < c->chunk ? n : (size_t)c->chunk;
			c->chunk -= m;
			if (c->chunk == 0 && c->last) {
				message_ends(c);
			} else if (c->chunk == 0) {
				say(c, "250 2.0.0 go on\r\n");
				c->state = COMMAND;
			}
		} else if (c->state == COMMAND) {
			e = memchr(at, '\n', n);
			if (!e)
				break;
			*e = '\0';
			m = (size_t)(e + 1 - at);
			command(c, at);
		} else {
			e = memmem(at, n, "\r\n.\r\n", 5);
			if (e) {
				m = (size_t)(e + 5 - at);
				message_ends(c);
			} else if (n > 4) {
				m = n - 4;
			} else {
				break;
			}
		}
		at += m;
		n -= m;
	}
	if (n > LINE_MAX_)
		return false;
	memcpy(c->in, at, n);
	c->kept = n;
	return true;
}

static void readable(struct conn *c)
{
	ssize_t n;

	memcpy(in, c->in, c->kept);
	n = recv(c->fd, in + c->kept, IN_MAX, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || !take(c, in, c->kept + (size_t)n))
		hang_up(c);
	else
		answer(c);
}

/* ---- the loop ------------------------------------------------------------ */

static struct conn *accept_one(int listener)
{
	int one = 1, fd = accept4(listener, NULL, NULL,
				  SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct conn *c;

	if (fd < 0)
		return NULL;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c = malloc(sizeof *c);
	if (!c)
		die("malloc");
	memset(c, 0, offsetof(struct conn, in));
	c->fd = fd;
	if (count.connections++ == 0)
		count.begin = now();
	if (++open_now > most)
		most = open_now;
	say(c, "220 sink.test ESMTP\r\n");
	answer(c);
	return c;
}

static void watch(int fd, void *p)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = p };

	if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &e) != 0)
		die("epoll_ctl");
}

/* A listener's place in this table is its mark in the events. */
static int listeners[1024];
static int nlisteners;

static void listen_at(const char *address, unsigned port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port) };
	socklen_t n = sizeof sa;
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC |
				 SOCK_NONBLOCK, 0);
	unsigned long a;

	if (inet_pton(AF_INET, address, &sa.sin_addr) != 1)
		die(address);
	a = ntohl(sa.sin_addr.s_addr);
	if (a >> 24 != 127 && a >> 8 != 0xc00002 && a >> 8 != 0xcb0071) {
		fprintf(stderr, "sink: not on %s\n", address);
		exit(64);
	}
	if (nlisteners == 1024 || fd < 0)
		die("too many ports");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0 ||
	    listen(fd, 1024) != 0)
		die("bind");
	getsockname(fd, (struct sockaddr *)&sa, &n);
	printf(" %u", ntohs(sa.sin_port));
	watch(fd, &listeners[nlisteners]);
	listeners[nlisteners++] = fd;
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
	while ((e = strchr(buf, '\n')) != NULL) {
		if (strncmp(buf, "expect ", 7) == 0) {
			memset(&count, 0, sizeof count);
			most = open_now;
			wanted = strtoul(buf + 7, NULL, 10);
		} else if (strncmp(buf, "delay ", 6) == 0) {
			delay = (double)strtoul(buf + 6, NULL, 10) / 1000;
		} else {
			report();
		}
		n -= (size_t)(e + 1 - buf);
		memmove(buf, e + 1, n + 1);
	}
}

static void offer(char *list)
{
	char *word;
	size_t n = (size_t)snprintf(ehlo, sizeof ehlo, "250-sink.test\r\n");

	while ((word = strsep(&list, ",")) != NULL)
		n += (size_t)snprintf(ehlo + n, sizeof ehlo - n, "250%c%s\r\n",
				      list ? '-' : ' ', word);
}

static int turn_ms(double until)
{
	double left = until - now();

	if (first && first->due - now() < left)
		left = first->due - now();
	return left <= 0 ? 0 : (int)(left * 1000) + 1;
}

int main(int argc, char **argv)
{
	static char all[] = "PIPELINING,SIZE,8BITMIME,ENHANCEDSTATUSCODES,"
			    "DSN,CHUNKING";
	struct rlimit files;
	struct epoll_event events[256];
	struct conn *c;
	double until = now() + 300;
	char *colon;
	int i, n, option, *l;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	poll_fd = epoll_create1(EPOLL_CLOEXEC);
	offer(all);
	watch(0, NULL);
	printf("ports");
	while ((option = getopt(argc, argv, "n:l:d:e:w:")) != -1)
		switch (option) {
		case 'n':
			for (i = atoi(optarg); i > 0; i--)
				listen_at("127.0.0.1", 0);
			break;
		case 'l':
			colon = strchr(optarg, ':');
			if (!colon)
				return 64;
			*colon = '\0';
			listen_at(optarg, (unsigned)atoi(colon + 1));
			break;
		case 'd': delay = atoi(optarg) / 1000.0; break;
		case 'e': offer(optarg); break;
		case 'w': until = now() + atoi(optarg); break;
		default: return 64;
		}
	printf("\n");
	fflush(stdout);
	while (now() < until) {
		n = epoll_wait(poll_fd, events, 256, turn_ms(until));
		for (i = 0; i < n; i++) {
			l = events[i].data.ptr;
			if (!l) {
				order();
			} else if (l >= listeners &&
				   l < listeners + nlisteners) {
				while ((c = accept_one(*l)) != NULL)
					watch(c->fd, c);
			} else {
				readable(events[i].data.ptr);
			}
		}
		leave_due();
	}
	fprintf(stderr, "sink: time is up\n");
	return 1;
}
