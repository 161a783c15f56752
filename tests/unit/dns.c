/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * dns.c against a name server of its own: UDP and TCP on a port of
 * 127.0.0.1, in the same loop, answering from a table.  The questions are
 * asked all at once; only the servers that never answer cost seconds.
 *
 * In reading order: the zone, the server, asking, the tests.
 */
#include "dns.h"
#include "lib/stream.h"
#include "lib/util.h"
#include "tests/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#define BAD "bad\x01name.test"
#define LABEL "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0123456789"

enum { A = 1, CNAME = 5, MX = 15, AAAA = 28 };
enum { SERVFAIL = 2, NXDOMAIN = 3, REFUSED = 5, SILENT = 100, TORN, TC };

static struct loop *loop;

/* ---- the zone ------------------------------------------------------- */

/* What is not here does not exist; other types of what is here: no data.
 * Answers: "[owner] type data", the owner left out being the name asked. */
static const struct {
	const char *name;
	int type, how;
	const char *answers[5];
} zone[] = {
	{ "one.test", A, 0, { "A 192.0.2.1" } },
	{ "both.test", A, 0, { "A 192.0.2.2", "A 192.0.2.1" } },
	{ "both.test", AAAA, 0, { "AAAA 2001:db8::2", "AAAA 2001:db8::1" } },
	{ "six.test", AAAA, 0, { "AAAA 2001:db8::6" } },
	{ "chain.test", A, 0, { "CNAME two.test", "two.test CNAME three.test",
		"three.test A 192.0.2.3" } },
	{ "chain.test", AAAA, 0, { "CNAME two.test",
		"two.test CNAME three.test" } },
	{ "servfail.test", A, SERVFAIL, { NULL } },
	{ "servfail.test", AAAA, SERVFAIL, { NULL } },
	{ "servfail.test", MX, SERVFAIL, { NULL } },
	{ "refused.test", MX, REFUSED, { NULL } },
	{ "refused.test", A, REFUSED, { NULL } },
	{ "fail4.test", A, SERVFAIL, { NULL } },
	{ "fail6.test", AAAA, SERVFAIL, { NULL } },
	{ "fail4ok6.test", A, SERVFAIL, { NULL } },
	{ "fail4ok6.test", AAAA, 0, { "AAAA 2001:db8::6" } },
	{ "nx6.test", AAAA, NXDOMAIN, { NULL } },
	{ "nx6.test", A, 0, { NULL } },
	{ "late.test", A, 0, { "A 192.0.2.1" } },
	{ "late.test", AAAA, SILENT, { NULL } },
	{ "torn.test", A, TORN, { "A 192.0.2.1" } },
	{ "torn.test", MX, TORN, { "MX 10 a.test" } },
	{ "tc.test", A, TC, { "A 192.0.2.1" } },
	{ "twenty.test", A, 0, { NULL } },
	{ "mx.test", MX, 0, { "MX 30 c.test", "MX 10 a.test", "MX 20 b.test",
		"MX 0 z.test", "MX 65535 last.test" } },
	{ "rand.test", MX, 0, { "MX 10 a.test", "MX 10 b.test" } },
	{ "cnamemx.test", MX, 0, { "CNAME mx.test", "mx.test MX 10 a.test" } },
	{ "cnamenomx.test", MX, 0, { "CNAME one.test" } },
	{ "nullmx.test", MX, 0, { "MX 0 ." } },
	{ "nullmx10.test", MX, 0, { "MX 10 ." } },
	{ "nullmix.test", MX, 0, { "MX 0 .", "MX 10 a.test" } },
	{ "nullnull.test", MX, 0, { "MX 0 .", "MX 10 ." } },
	{ "control.test", MX, 0, { "MX 5 " BAD, "MX 10 good.test",
		"MX 15 a\nb.test", "MX 20 a;b.test", "MX 25 a\x1b[m.test" } },
	{ "allbad.test", MX, 0, { "MX 5 " BAD, "MX 10 x y.test" } },
	{ "onebad.test", MX, 0, { "MX 5 " BAD } },
	{ "ipmx.test", MX, 0, { "MX 10 192.0.2.1", "MX 20 good.test" } },
	{ "dup.test", MX, 0, { "MX 20 a.test", "MX 10 A.test" } },
	{ "many.test", MX, 0, { NULL } },
	{ "silent.test", A, SILENT, { NULL } },
	{ "silent.test", AAAA, SILENT, { NULL } },
	{ "silent.test", MX, SILENT, { NULL } },
};

/* ---- the server ----------------------------------------------------- */

struct reply {
	unsigned char p[65535];
	size_t n;
	unsigned records;
};

static void put(struct reply *r, const void *p, size_t n)
{
	if (r->n + n <= sizeof(r->p)) {
		memcpy(r->p + r->n, p, n);
		r->n += n;
	}
}

static void put16(struct reply *r, unsigned v)
{
	unsigned char p[2] = { (unsigned char)(v >> 8), (unsigned char)v };

	put(r, p, 2);
}

static void put_name(struct reply *r, const char *s)
{
	unsigned char n;

	while (*s && strcmp(s, ".") != 0) {
		n = (unsigned char)strcspn(s, ".");
		put(r, &n, 1);
		put(r, s, n);
		s += n + (s[n] == '.');
	}
	n = 0;
	put(r, &n, 1);
}

static void put_data(struct reply *r, int type, const char *data)
{
	unsigned char raw[16];
	unsigned preference = 0;
	int n = 0;

	switch (type) {
	case A:
		inet_pton(AF_INET, data, raw);
		put(r, raw, 4);
		break;
	case AAAA:
		inet_pton(AF_INET6, data, raw);
		put(r, raw, 16);
		break;
	case MX:
		sscanf(data, "%u %n", &preference, &n);
		put16(r, preference);
		put_name(r, data + n);
		break;
	default:
		put_name(r, data);
	}
}

static void put_record(struct reply *r, const char *text)
{
	static const struct { const char *word; int type; } types[] = {
		{ "A ", A }, { "AAAA ", AAAA }, { "MX ", MX },
		{ "CNAME ", CNAME },
	};
	size_t i, from, n = strcspn(text, " ");
	int type = 0;
	char owner[256] = "";

	for (; type == 0; text += n + 1) {
		for (i = 0; i < 4 && type == 0; i++)
			if (!strncmp(text, types[i].word,
				     strlen(types[i].word)))
				type = types[i].type;
		if (type == 0)
			snprintf(owner, sizeof(owner), "%.*s", (int)n, text);
		n = strcspn(text, " ");
	}
	if (*owner)
		put_name(r, owner);
	else
		put16(r, 0xc00c);	/* the question's name */
	put16(r, (unsigned)type);
	put16(r, 1);
	put16(r, 0);
	put16(r, 60);
	from = r->n;
	put16(r, 0);
	put_data(r, type, text);
	r->p[from] = (unsigned char)((r->n - from - 2) >> 8);
	r->p[from + 1] = (unsigned char)(r->n - from - 2);
	r->records++;
}

/* 200 MX, the worst first; more addresses than are wanted. */
static void put_long(struct reply *r, const char *name)
{
	char text[100];
	unsigned i;

	if (!strcmp(name, "many.test"))
		for (i = 0; i < 200; i++) {
			snprintf(text, sizeof(text), "MX %u mx%u.test",
				 1000 - i, i);
			put_record(r, text);
		}
	if (!strcmp(name, "twenty.test"))
		for (i = 1; i <= 20; i++) {
			snprintf(text, sizeof(text), "A 192.0.2.%u", i);
			put_record(r, text);
		}
}

/* The row of the zone, -1: no data, -2: no such name. */
static int find(const char *name, int type)
{
	int i, result = -2;

	for (i = 0; i < (int)(sizeof(zone) / sizeof(zone[0])); i++)
		if (!strcmp(zone[i].name, name)) {
			if (zone[i].type == type)
				return i;
			result = -1;
		}
	return result;
}

static unsigned questions;

/* The reply to a question; false: silence. */
static bool answer(struct reply *r, const unsigned char *q, size_t nq, bool tcp)
{
	char name[256] = "";
	size_t at = 12, n = 0, i;
	int row, how, type;

	questions++;
	while (at < nq && q[at] && n + q[at] + 2 < sizeof(name)) {
		memcpy(name + n, q + at + 1, q[at]);
		n += q[at];
		name[n++] = '.';
		at += q[at] + 1u;
	}
	if (n == 0 || at + 5 > nq)
		return false;
	name[n - 1] = '\0';
	type = q[at + 1] << 8 | q[at + 2];
	row = find(name, type);
	how = row == -2 ? NXDOMAIN : row == -1 ? 0 : zone[row].how;
	if (how == SILENT)
		return false;
	r->n = r->records = 0;
	put(r, q, at + 5);		/* header and question */
	r->p[2] = 0x81;
	r->p[3] = (unsigned char)(0x80 | (how < 16 ? how : 0));
	memset(r->p + 4, 0, 8);
	r->p[5] = 1;
	for (i = 0; row >= 0 && i < 5 && zone[row].answers[i]; i++)
		put_record(r, zone[row].answers[i]);
	if (row >= 0)
		put_long(r, name);
	r->p[6] = (unsigned char)(r->records >> 8);
	r->p[7] = (unsigned char)r->records;
	if (how == TORN)
		r->n -= 3;
	if (!tcp && (r->n > 512 || how == TC)) {
		r->n = at + 5;
		r->p[2] |= 2;
		r->p[7] = 0;
	}
	return true;
}

static int udp, tcp_listener;

static void on_udp(void *ctx, unsigned events)
{
	static struct reply r;
	unsigned char q[1500];
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(udp, q, sizeof(q), MSG_DONTWAIT,
			     (struct sockaddr *)&from, &len);

	(void)ctx;
	(void)events;
	if (n > 12 && answer(&r, q, (size_t)n, false))
		sendto(udp, r.p, r.n, 0, (struct sockaddr *)&from, len);
}

struct tcp {
	struct stream *stream;
	struct buf out;
};

/* c-ares sends a question in one piece. */
static void on_tcp_input(void *ctx, const char *p, size_t n)
{
	static struct reply r;
	struct tcp *t = ctx;
	unsigned char len[2];

	if (n > 14 && answer(&r, (const unsigned char *)p + 2, n - 2, true)) {
		len[0] = (unsigned char)(r.n >> 8);
		len[1] = (unsigned char)r.n;
		buf_put(&t->out, len, 2);
		buf_put(&t->out, r.p, r.n);
		stream_write(t->stream, &t->out);
	}
}

static void on_tcp_writable(void *ctx)
{
	struct tcp *t = ctx;

	stream_write(t->stream, &t->out);
}

static void on_tcp_down(void *ctx, const char *why)
{
	struct tcp *t = ctx;

	(void)why;
	stream_close(t->stream);
	buf_free(&t->out);
	free(t);
}

static void on_tcp(void *ctx, unsigned events)
{
	static const struct stream_ops ops = { on_tcp_input, on_tcp_writable,
					       on_tcp_down, NULL };
	struct tcp *t;
	int fd = accept(tcp_listener, NULL, NULL);

	(void)ctx;
	(void)events;
	if (fd == -1)
		return;
	t = xcalloc(1, sizeof(*t));
	buf_init(&t->out, 100000);
	t->stream = stream_open(loop, fd, &ops, t);
}

/* A socket on 127.0.0.1; its port, or the one wanted. */
static int bound(int type, unsigned *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t n = sizeof(sin);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons((uint16_t)*port);
	if (fd == -1 || bind(fd, (struct sockaddr *)&sin, n) == -1) {
		close(fd);
		return -1;
	}
	getsockname(fd, (struct sockaddr *)&sin, &n);
	*port = ntohs(sin.sin_port);
	return fd;
}

/* The same port for UDP and TCP: tried until both are free. */
static unsigned serve(void)
{
	unsigned port, tries;

	for (tries = 0; tries < 50; tries++) {
		port = 0;
		udp = bound(SOCK_DGRAM, &port);
		tcp_listener = bound(SOCK_STREAM, &port);
		if (udp != -1 && tcp_listener != -1 &&
		    listen(tcp_listener, 16) == 0) {
			loop_watch(loop, udp, LOOP_READ, on_udp, NULL);
			loop_watch(loop, tcp_listener, LOOP_READ, on_tcp, NULL);
			return port;
		}
		close(udp);
		close(tcp_listener);
	}
	die(71, "no port for the name server");
}

/* ---- asking --------------------------------------------------------- */

struct asked {
	struct dns_query *query;
	unsigned times;
	int64_t since, took;
	size_t n;
	char got[20000];	/* "OK 192.0.2.1 ..." or "OK 10:a.test ..." */
	char why[512];
};

static unsigned open_questions;

static void on_answer(void *ctx, const struct dns_answer *a)
{
	static const char *const words[] = { "OK", "NODATA", "NXDOMAIN",
					     "NULL_MX", "RETRY" };
	struct asked *q = ctx;
	size_t n, i;

	open_questions--;
	q->times++;
	q->took = now_mono() - q->since;
	q->n = a->naddresses + a->nmx;
	n = (size_t)snprintf(q->got, sizeof(q->got), "%s", words[a->result]);
	for (i = 0; i < a->naddresses; i++) {
		char text[64];

		address_print(text, sizeof(text),
			      (const struct sockaddr *)&a->addresses[i].sa);
		n += (size_t)snprintf(q->got + n, sizeof(q->got) - n, " %s",
				      text);
	}
	for (i = 0; i < a->nmx; i++)
		n += (size_t)snprintf(q->got + n, sizeof(q->got) - n, " %u:%s",
				      a->mx[i].preference, a->mx[i].host);
	if (a->result != DNS_OK)
		check(a->why && *a->why, "a sentence");
	snprintf(q->why, sizeof(q->why), "%s", a->why ? a->why : "");
}

/* type MX, or A for both families */
static void ask(struct dns *d, struct asked *q, const char *name, int type)
{
	memset(q, 0, sizeof(*q));
	q->since = now_mono();
	open_questions++;
	q->query = type == MX ? dns_mx(d, name, on_answer, q) :
		dns_addresses(d, name, type == AAAA ? AF_INET6 : type == A ?
			      AF_UNSPEC : AF_INET, on_answer, q);
	check_int("no answer from within the call", q->times, 0);
}

static void wait_for_all(void)
{
	int64_t limit = now_mono() + 14000;

	while (open_questions > 0 && now_mono() < limit)
		loop_turn(loop, limit);
	check_int("every question is answered", open_questions, 0);
	open_questions = 0;
}

static struct dns *open_dns(const char *servers)
{
	const char *why = NULL;
	struct dns *d = dns_open(loop, servers, &why);

	if (!d)
		die(71, "dns_open(%s): %s", servers, why);
	return d;
}

/* ---- the tests ------------------------------------------------------ */

enum { V4 = 0 };

static const struct {
	const char *name;
	int type;
	const char *want;
} table[] = {
	{ "one.test", A, "OK 192.0.2.1" },
	{ "one.test.", A, "OK 192.0.2.1" },
	{ "both.test", A,
	  "OK 192.0.2.2 192.0.2.1 2001:db8::2 2001:db8::1" },
	{ "both.test", V4, "OK 192.0.2.2 192.0.2.1" },
	{ "both.test", AAAA, "OK 2001:db8::2 2001:db8::1" },
	{ "six.test", A, "OK 2001:db8::6" },
	{ "six.test", V4, "NODATA" },
	{ "chain.test", A, "OK 192.0.2.3" },
	{ "nowhere.test", A, "NXDOMAIN" },
	{ "mx.test", A, "NODATA" },
	{ "servfail.test", A, "RETRY" },
	{ "refused.test", V4, "RETRY" },
	/* one family must not speak for the other */
	{ "fail4.test", A, "RETRY" },
	{ "fail6.test", A, "RETRY" },
	{ "fail4ok6.test", A, "OK 2001:db8::6" },
	{ "nx6.test", A, "NODATA" },
	{ "late.test", A, "OK 192.0.2.1" },
	{ "torn.test", V4, "RETRY" },
	{ "tc.test", A, "OK 192.0.2.1" },
	{ "twenty.test", A, "OK 192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 "
	  "192.0.2.5 192.0.2.6 192.0.2.7 192.0.2.8 192.0.2.9 192.0.2.10 "
	  "192.0.2.11 192.0.2.12 192.0.2.13 192.0.2.14 192.0.2.15 192.0.2.16" },
	{ "mx.test", MX,
	  "OK 0:z.test 10:a.test 20:b.test 30:c.test 65535:last.test" },
	{ "cnamemx.test", MX, "OK 10:a.test" },
	{ "cnamenomx.test", MX, "NODATA" },
	{ "one.test", MX, "NODATA" },
	{ "nowhere.test", MX, "NXDOMAIN" },
	{ "servfail.test", MX, "RETRY" },
	{ "refused.test", MX, "RETRY" },
	{ "torn.test", MX, "RETRY" },
	{ "nullmx.test", MX, "NULL_MX" },
	{ "nullmx10.test", MX, "NULL_MX" },
	{ "nullmix.test", MX, "OK 10:a.test" },
	{ "nullnull.test", MX, "RETRY" },
	{ "control.test", MX, "OK 10:good.test" },
	{ "allbad.test", MX, "RETRY" },
	{ "onebad.test", MX, "RETRY" },
	{ "ipmx.test", MX, "OK 20:good.test" },
	{ "dup.test", MX, "OK 10:A.test" },
	/* without DNS */
	{ "192.0.2.7", A, "OK 192.0.2.7" },
	{ "192.0.2.7", AAAA, "NODATA" },
	{ "2001:db8::7", A, "OK 2001:db8::7" },
	{ "[192.0.2.7]", A, "OK 192.0.2.7" },
	{ "[IPv6:2001:db8::7]", A, "OK 2001:db8::7" },
	{ "[IPv6:2001:db8::7]", V4, "NODATA" },
	{ "[192.0.2.7", A, "NXDOMAIN" },
	{ "[]", A, "NXDOMAIN" },
	{ "192.0.2.7", MX, "NODATA" },
	{ "[192.0.2.7]", MX, "NODATA" },
	{ "localhost", A, "OK 127.0.0.1 ::1" },
	{ "LocalHost.", AAAA, "OK ::1" },
	{ "x.localhost", V4, "OK 127.0.0.1" },
	/* what is no name is not asked for */
	{ "", A, "NXDOMAIN" },
	{ ".", MX, "NXDOMAIN" },
	{ "a..test", MX, "NXDOMAIN" },
	{ "a b.test", A, "NXDOMAIN" },
	{ "a\n.test", A, "NXDOMAIN" },
	{ LABEL LABEL ".test", MX, "NXDOMAIN" },
	{ LABEL "." LABEL "." LABEL "." LABEL "." LABEL ".test", MX,
	  "NXDOMAIN" },
};

static void test_table(struct dns *d)
{
	enum { N = sizeof(table) / sizeof(table[0]) };
	static struct asked q[N];
	char name[400];
	size_t i;

	for (i = 0; i < N; i++)
		ask(d, &q[i], table[i].name, table[i].type);
	wait_for_all();
	for (i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "%.300s %d", table[i].name,
			 table[i].type);
		check_str(name, q[i].got, table[i].want);
		check_int(name, q[i].times, 1);
		check(q[i].took < 2500, name);
	}
}

static void test_sentences(struct dns *d)
{
	static struct asked q[6];
	char want[200], *at;

	ask(d, &q[0], "nowhere.test", MX);
	ask(d, &q[1], "six.test", V4);
	ask(d, &q[2], "nullmx.test", MX);
	ask(d, &q[3], "servfail.test", MX);
	ask(d, &q[4], "allbad.test", MX);
	ask(d, &q[5], "no\x01name", MX);
	wait_for_all();
	check_str("nxdomain", q[0].why, "DNS: nowhere.test does not exist");
	check_str("nodata", q[1].why, "DNS: six.test has no address");
	check_str("null mx", q[2].why,
		  "DNS: nullmx.test accepts no mail (null MX)");
	at = strstr(q[3].why, " reports");
	snprintf(want, sizeof(want),
		 " reports a failure (SERVFAIL or REFUSED) for servfail.test");
	check_str("servfail", at, want);
	check(strstr(q[3].why, "127.0.0.1") != NULL, "which server");
	check_str("no legal name", q[4].why,
		  "DNS: allbad.test has no MX with a legal host name");
}

static void test_many(struct dns *d)
{
	static struct asked q;
	char text[32];
	unsigned i;
	size_t at = 2;
	bool good = true;

	ask(d, &q, "many.test", MX);
	wait_for_all();
	check_int("200 MX: the best 100", (long long)q.n, 100);
	for (i = 0; i < 100 && good; i++) {
		int n = snprintf(text, sizeof(text), " %u:mx%u.test", 801 + i,
				 199 - i);

		good = !strncmp(q.got + at, text, (size_t)n);
		at += (size_t)n;
	}
	check(good, "200 MX: in order");
}

static void test_random(struct dns *d)
{
	enum { N = 40 };
	static struct asked q[N];
	unsigned i, first = 0;

	for (i = 0; i < N; i++)
		ask(d, &q[i], "rand.test", MX);
	wait_for_all();
	for (i = 0; i < N; i++)
		first += !strcmp(q[i].got, "OK 10:a.test 10:b.test");
	check(first > 0 && first < N, "equal preferences in both orders");
}

/* ---- cancelling, closing, asking within ----------------------------- */

static struct asked inner;
static struct dns *inner_dns;

static void on_outer(void *ctx, const struct dns_answer *a)
{
	struct asked *victim = ctx;

	(void)a;
	open_questions--;
	if (victim && victim->query) {
		dns_cancel(victim->query);
		victim->query = NULL;
		open_questions--;
	}
	ask(inner_dns, &inner, "one.test", A);
}

static void test_within(struct dns *d)
{
	static struct asked gone, ready;

	inner_dns = d;
	/* cancelled while c-ares has it, and while its answer waits */
	ask(d, &gone, "one.test", A);
	dns_cancel(gone.query);
	ask(d, &ready, "192.0.2.1", A);
	dns_cancel(ready.query);
	open_questions -= 2;
	dns_cancel(NULL);
	/* one due in the same turn, cancelled by the other's answer */
	open_questions++;
	dns_addresses(d, "192.0.2.1", AF_UNSPEC, on_outer, &ready);
	ask(d, &ready, "192.0.2.1", A);
	wait_for_all();
	check_int("cancelled: never called", gone.times + ready.times, 0);
	check_str("asked in an answer", inner.got, "OK 192.0.2.1");
}

static void test_close(unsigned port)
{
	static struct asked q[4];
	char servers[64];
	struct dns *d;
	unsigned i, before;

	snprintf(servers, sizeof(servers), "127.0.0.1:%u", port);
	d = open_dns(servers);
	ask(d, &q[0], "silent.test", MX);
	ask(d, &q[1], "silent.test", A);
	ask(d, &q[2], "one.test", A);
	ask(d, &q[3], "192.0.2.1", A);
	loop_turn(loop, 0);
	dns_cancel(q[0].query);
	dns_close(d);
	loop_turn(loop, now_mono() + 20);
	for (i = 0; i < 3; i++)
		check_int("closed: no answer any more", q[i].times, 0);
	open_questions = 0;
	before = questions;
	d = open_dns(servers);
	dns_close(d);		/* never used */
	dns_close(NULL);
	check_int("opening asks nothing", questions, before);
}

static void test_servers(void)
{
	static const struct {
		const char *list;
		bool good;
	} lists[] = {
		{ "", true }, { " , ", true }, { "127.0.0.1", true },
		{ " 127.0.0.1:5353 , 127.0.0.2", true },
		{ "::1", true }, { "[::1]", true }, { "[::1]:5353", true },
		{ "nonsense", false }, { "127.0.0.1:0", false },
		{ "127.0.0.1:65536", false }, { "127.0.0.1:", false },
		{ "127.0.0.1:53x", false }, { "[::1", false },
		{ "[::1]53", false }, { "127.0.0.1 127.0.0.2", false },
		{ "ns.test:53", false }, { LABEL LABEL ":1", false },
	};
	size_t i;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		const char *why = NULL;
		struct dns *d = dns_open(loop, lists[i].list, &why);

		check((d != NULL) == lists[i].good, lists[i].list);
		check((why == NULL) == lists[i].good, lists[i].list);
		dns_close(d);
	}
}

/* Dead servers: refusing ones at once, silent ones in seconds, side by side. */
static void test_dead(unsigned live)
{
	static struct asked q[6];
	unsigned dead_port = 0, silent_port = 0;
	int dead = bound(SOCK_DGRAM, &dead_port);
	int silent = bound(SOCK_DGRAM, &silent_port);
	char servers[100];
	struct dns *d[3];

	close(dead);		/* nobody has that port now */
	snprintf(servers, sizeof(servers), "127.0.0.1:%u", dead_port);
	d[0] = open_dns(servers);
	snprintf(servers, sizeof(servers), "127.0.0.1:%u", silent_port);
	d[1] = open_dns(servers);
	snprintf(servers, sizeof(servers), "127.0.0.1:%u,127.0.0.1:%u",
		 dead_port, live);
	d[2] = open_dns(servers);
	ask(d[0], &q[0], "one.test", MX);
	ask(d[0], &q[1], "one.test", A);
	ask(d[0], &q[2], "localhost", A);
	ask(d[1], &q[3], "one.test", A);
	ask(d[1], &q[4], "localhost", V4);
	ask(d[2], &q[5], "one.test", A);
	wait_for_all();
	check_str("refused: MX", q[0].got, "RETRY");
	check(!strncmp(q[0].why, "DNS: connection refused by 127.0.0.1", 36),
	      "refused: the sentence");
	check(q[0].took < 2500 && q[1].took < 2500, "refused: at once");
	check_str("refused: addresses", q[1].got, "RETRY");
	check_str("localhost without DNS", q[2].got, "OK 127.0.0.1 ::1");
	check_str("silent", q[3].got, "RETRY");
	check(!strncmp(q[3].why, "DNS: no answer from 127.0.0.1", 29),
	      "silent: the sentence");
	check(q[3].took < 12000, "silent: given up in time");
	check_str("localhost with a silent server", q[4].got, "OK 127.0.0.1");
	check(q[4].took < 2500, "which is not waited for");
	check_str("one of two servers is dead", q[5].got, "OK 192.0.2.1");
	dns_close(d[0]);
	dns_close(d[1]);
	dns_close(d[2]);
	close(silent);
}

int main(void)
{
	char servers[64];
	unsigned port;
	struct dns *d;

	alarm(60);
	loop = loop_new();
	if (!loop)
		return 1;
	port = serve();
	snprintf(servers, sizeof(servers), "127.0.0.1:%u", port);
	d = open_dns(servers);
	test_table(d);
	test_sentences(d);
	test_many(d);
	test_random(d);
	test_within(d);
	dns_close(d);
	test_close(port);
	test_servers();
	test_dead(port);
	loop_free(loop);
	close(udp);
	close(tcp_listener);
	return check_done("dns");
}
