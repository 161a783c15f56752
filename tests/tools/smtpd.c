/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * An SMTP server for the tests: it takes mail, misbehaves where rules tell it
 * to, and judges the client.  Loopback and documentation addresses only, one
 * process, one poll loop, and it ends by itself.  Nothing of mailroot is used,
 * so that a fault of a library cannot hide itself in the tests of that library.
 *
 *	smtpd -l 127.0.0.1:0 -d sink -t dialogue -r 'RCPT/nobody@ reply 550 no'
 *
 * -l ADDR:PORT  listen (may be given several times; port 0: any).  Prints
 *	"listening on ADDR:PORT", one line each, before anything else.
 * -d DIR   every accepted message becomes DIR/NNNN.msg: "mail: ...", a
 *	"rcpt: ..." for each recipient, "body: DATA|BDAT", an empty line, and
 *	the octets of the message.  It appears whole, by rename.
 * -t FILE  the dialogue is appended: "<connection> C: ...", "S: ...", and
 *	"V: ..." for each violation of the protocol, "-- ..." for events.
 * -n N     end after N messages        -w SECONDS  end after that (300)
 * -e LIST  what EHLO offers, separated by commas; '' is nothing
 * -r RULE  'COMMAND[/regex][#n] ACTION'; the first that fits wins.
 *	COMMAND: CONNECT EHLO HELO MAIL RCPT DATA BDAT END RSET QUIT.  The
 *	regex (extended, no case, no blanks) is tried on what follows the
 *	command; for CONNECT on our ADDR:PORT, for END on the envelope as it
 *	is stored.  #n: only the n-th time that command and regex fit,
 *	counted over all connections, whichever rule won.
 *	ACTION: reply TEXT (\n separates lines; 2xx to MAIL, RCPT or END and
 *	354 to DATA still mean yes; 421 ends the connection) | close | reset |
 *	silent | delay MILLISECONDS | accept-then-close | half TEXT.
 *
 * At the end it prints "messages N connections M", "max concurrent N",
 * "violations N", and "connection I messages N" for each.
 */
#include "tests/tools/smtpd-session.h"

/* ---- the loop ------------------------------------------------------------ */

/* Everything that can be done with what has arrived. */
static void work(struct conn *c)
{
	bool more = true;

	while (more && !c->wake && !c->closing) {
		if (c->silent) {
			c->nin = 0;
			break;
		}
		switch (c->state) {
		case GREET:	more = take_greeting(c); break;
		case COMMAND:	more = take_command(c); break;
		case TEXT:	more = take_text(c); break;
		case CHUNK:	more = take_chunk(c); break;
		case END:	more = take_end(c); break;
		case LINGER:	more = false; break;
		}
	}
}

static void drop(unsigned i)
{
	struct conn *c = conns[i];

	forget(c);
	close(c->fd);
	event(c, "end");
	free(c->out);
	free(c);
	conns[i] = conns[--nconns];
}

/* After the last reply: say that nothing follows, then wait for the client to
 * go.  Closing over unread input would send a reset, and that can destroy
 * the reply on its way. */
static void linger(struct conn *c)
{
	if (c->closing && !c->eof && c->state != LINGER && c->nout == 0) {
		shutdown(c->fd, SHUT_WR);
		c->state = LINGER;
		c->wake = now_ms() + CLOSE_WAIT_MS;
	}
	if (c->closing)
		c->nin = 0;
}

/* False: the connection is over. */
static bool serve(struct conn *c, short revents)
{
	bool readable = revents & (POLLIN | POLLHUP | POLLERR);

	if (c->wake && now_ms() >= c->wake) {
		if (c->state == LINGER)
			return false;
		c->wake = 0;
	}
	/* Several buffers of text a turn, then the others have theirs.  What
	 * was read is always worked on: poll does not report it again. */
	for (int again = 0; again < 16; again++) {
		size_t before;

		if (readable || again > 0)
			fill(c);
		before = c->nin;
		work(c);
		if (c->wake || c->nin >= before || c->closing)
			break;
	}
	flush_out(c);
	linger(c);
	/* A delay goes on without its client: a real server would have
	 * taken the message too. */
	return !c->eof || (c->wake && !c->closing);
}

static void welcome(int listener)
{
	struct conn *c;
	int fd;

	if (nconns == CONNS_MAX)	/* filled up within this turn */
		return;
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	c = need(calloc(1, sizeof *c));
	c->fd = fd;
	c->number = ++ntaken;
	taken = need(realloc(taken, (ntaken + 1) * sizeof *taken));
	taken[ntaken] = 0;
	forget(c);
	conns[nconns++] = c;
	if (nconns > most_conns)
		most_conns = nconns;
	if (!serve(c, 0))
		drop(nconns - 1);
}

static void turn(int64_t deadline, const sigset_t *mask)
{
	static struct pollfd fds[LISTENERS_MAX + CONNS_MAX];
	unsigned n = 0, served = nconns;
	bool room = nconns < CONNS_MAX && (!enough || messages < enough);
	int64_t until = deadline, wait;
	struct timespec ts;

	for (unsigned i = 0; i < nlisteners; i++)
		fds[n++] = (struct pollfd){ .fd = room ? listeners[i] : -1,
					    .events = POLLIN };
	for (unsigned i = 0; i < nconns; i++) {
		struct conn *c = conns[i];

		fds[n] = (struct pollfd){ .fd = c->eof ? -1 : c->fd };
		if (c->nin < sizeof c->in)
			fds[n].events |= POLLIN;
		if (c->nout > 0)
			fds[n].events |= POLLOUT;
		if (c->wake && c->wake < until)
			until = c->wake;
		n++;
	}
	wait = until - now_ms();
	wait = wait < 0 ? 0 : wait;
	ts = (struct timespec){ wait / 1000, (wait % 1000) * 1000000 };
	if (ppoll(fds, n, &ts, mask) < 0) {
		if (errno != EINTR)
			err(71, "poll");
		return;
	}
	/* Backwards, because drop() fills the hole with the last one. */
	for (unsigned i = served; i-- > 0; ) {
		short got = fds[nlisteners + i].revents;
		bool due = conns[i]->wake && now_ms() >= conns[i]->wake;

		if ((got || due) && !serve(conns[i], got))
			drop(i);
	}
	for (unsigned i = 0; i < nlisteners; i++)
		if (fds[i].revents)
			welcome(listeners[i]);
}

static void on_signal(int sig)
{
	(void)sig;
	told_to_end = 1;
}

/* ---- start --------------------------------------------------------------- */

/*
 * Loopback, and the addresses that are reserved for documentation (RFC 5737,
 * 3849): no machine has those outside a namespace made for them (tests/net).
 * A server that refuses nobody belongs nowhere else.
 */
static bool harmless4(struct in_addr address)
{
	uint32_t a = ntohl(address.s_addr);

	return a >> 24 == 127 || a >> 8 == 0xc00002 || a >> 8 == 0xc63364 ||
		a >> 8 == 0xcb0071;
}

static bool harmless6(const struct in6_addr *a)
{
	return IN6_IS_ADDR_LOOPBACK(a) ||
		memcmp(a->s6_addr, "\x20\x01\x0d\xb8", 4) == 0;
}

static void listen_on(const char *spec)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	const char *colon = strrchr(spec, ':');
	bool six = spec[0] == '[';
	struct sockaddr *sa = six ? (struct sockaddr *)&in6
				  : (struct sockaddr *)&in;
	socklen_t len = six ? sizeof in6 : sizeof in;
	char host[64];
	int fd, yes = 1, good;
	uint16_t port;

	if (!colon || nlisteners == LISTENERS_MAX)
		errx(64, "-l wants address:port: %s", spec);
	port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	in.sin_port = in6.sin6_port = port;
	snprintf(host, sizeof host, "%.*s", (int)(colon - spec - 2 * six),
		 spec + six);
	if (six)
		good = inet_pton(AF_INET6, host, &in6.sin6_addr) == 1 &&
			harmless6(&in6.sin6_addr);
	else
		good = inet_pton(AF_INET, host, &in.sin_addr) == 1 &&
			harmless4(in.sin_addr);
	if (!good)
		errx(64, "neither loopback nor documentation: %s", spec);
	fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		    0);
	if (fd < 0)
		err(71, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (bind(fd, sa, len) < 0 || listen(fd, 512) < 0 ||
	    getsockname(fd, sa, &len) < 0)
		err(71, "%s", spec);
	port = six ? in6.sin6_port : in.sin_port;
	printf(six ? "listening on [%s]:%u\n" : "listening on %s:%u\n", host,
	       ntohs(port));
	fflush(stdout);
	listeners[nlisteners++] = fd;
}

static void setup(const char **listens, unsigned nlistens)
{
	const char *size;
	struct rlimit files;

	for (size = offers; size; size = strchr(size, ',')) {
		size += *size == ',';
		if (begins(size, "SIZE "))
			size_limit = strtoull(size + 5, NULL, 10);
	}
	if (sink && mkdir(sink, 0777) < 0 && errno != EEXIST)
		err(73, "%s", sink);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	for (unsigned i = 0; i < nlistens; i++)
		listen_on(listens[i]);
}

static void statistics(void)
{
	printf("messages %u connections %u\n", messages, ntaken);
	printf("max concurrent %u\n", most_conns);
	printf("violations %u\n", violations);
	for (unsigned i = 1; i <= ntaken; i++)
		printf("connection %u messages %u\n", i, taken[i]);
}

int main(int argc, char **argv)
{
	const char *listens[LISTENERS_MAX];
	unsigned nlistens = 0;
	int64_t deadline = now_ms() + 300 * 1000;
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t block, mask;
	int opt;

	while ((opt = getopt(argc, argv, "l:d:t:n:w:e:r:")) != -1) {
		if (opt == 'l' && nlistens < LISTENERS_MAX)
			listens[nlistens++] = optarg;
		else if (opt == 'd')
			sink = optarg;
		else if (opt == 't' && !(dialogue = fopen(optarg, "ae")))
			err(73, "%s", optarg);
		else if (opt == 'n')
			enough = (unsigned)strtoul(optarg, NULL, 10);
		else if (opt == 'w')
			deadline = now_ms() + 1000 * atoll(optarg);
		else if (opt == 'e')
			offers = optarg;
		else if (opt == 'r')
			add_rule(optarg);
		else if (opt == '?')
			errx(64, "usage: smtpd -l addr:port [-d dir] [-t file] "
			     "[-n messages] [-w seconds] [-e keyword,...] "
			     "[-r rule]...");
	}
	if (nlistens == 0)
		listens[nlistens++] = "127.0.0.1:0";
	/* Only inside ppoll does the signal come: no wake-up is lost. */
	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigaddset(&block, SIGINT);
	sigprocmask(SIG_BLOCK, &block, &mask);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	setup(listens, nlistens);

	while (!told_to_end && now_ms() < deadline) {
		turn(deadline, &mask);
		if (enough && messages >= enough) {
			if (nconns == 0)
				break;
			if (deadline > now_ms() + LAST_WAIT_MS)
				deadline = now_ms() + LAST_WAIT_MS;
		}
	}
	while (nconns > 0) {
		flush_out(conns[nconns - 1]);
		drop(nconns - 1);
	}
	statistics();
	return 0;
}
