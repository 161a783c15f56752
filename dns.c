/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Names to hosts and addresses, by c-ares.  The one idea: an answer of c-ares
 * is only noted where it arrives, and told to the asker later, from a timer
 * of the question's own.  So nothing an asker does (ask again, cancel) ever
 * happens inside c-ares, whose history is full of memory errors of that kind;
 * and the same timer is what limits the time of a question.
 *
 * A question has up to two parts (the IPv4 and the IPv6 addresses), asked
 * apart because c-ares, asked for both, lets the later answer decide: a
 * SERVFAIL for one and "no such record" for the other would be no record.
 *
 * c-ares is not touched before the first question that needs it.
 *
 * In reading order: questions and their end, the sentences, c-ares in the
 * loop, address answers, MX answers, asking, opening and closing.
 */
#include "dns.h"
#include "config.h"
#include "lib/addr.h"
#include "lib/buf.h"
#include "lib/stream.h"
#include "lib/util.h"

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* How long one server is waited for; c-ares doubles it in every round.  A dead
 * one costs 1.5+3+6 s; what was only lost on the way is asked for again soon. */
#define SERVER_MS 1500
#define SERVER_ROUNDS 3
/* With IPv4 in hand IPv6 is not worth more waiting than this: there are name
 * servers that never answer AAAA, and a caller waits. */
#define LATE_IPV6_MS 1000
#define ADDRESSES_MAX 16	/* of a family */
#define MX_MAX 100

/* A question.  It lives until it is answered or cancelled and c-ares has
 * returned all its parts: c-ares cannot be told to forget one. */
struct dns_query {
	struct dns *dns;
	struct dns_query *next, **prev;
	dns_done *done;
	void *ctx;
	struct timer *timer;	/* NULL: nobody waits for the answer */
	unsigned open;		/* parts with c-ares */
	bool settled;		/* the answer is known; later parts are not
				 * listened to */
	bool mx;
	bool illegal;		/* the name is none */
	bool null_mx;
	bool unusable;		/* MX there were, none with a legal name */
	enum dns_result result;	/* if nothing was found */
	int status;		/* of c-ares, for DNS_RETRY */
	unsigned long heard;	/* d->heard when it was asked */
	int64_t limit;
	struct dns_address *addresses;	/* IPv6 from ADDRESSES_MAX on */
	size_t n4, n6;
	struct dns_mx *list;
	size_t nlist;
	char name[256];
	char why[512];
};

/* A socket of c-ares. */
struct sock {
	struct dns *dns;
	struct sock *next;
	struct watch *watch;
	int fd;
};

struct dns {
	struct loop *loop;
	struct timer *timer;	/* when c-ares wants to look at its own */
	ares_channel channel;	/* NULL before the first question */
	struct sock *socks;
	struct dns_query *queries;
	char *servers;		/* as c-ares reads them; "" the system's */
	unsigned long heard;	/* times a server sent something */
};

/* ---- questions and their end ---------------------------------------- */

static void query_free(struct dns_query *q)
{
	*q->prev = q->next;
	if (q->next)
		q->next->prev = q->prev;
	free(q->addresses);
	free(q->list);
	free(q);
}

/* Nobody waits for it any more. */
static void forget(struct dns_query *q)
{
	timer_stop(q->timer);
	q->timer = NULL;
	if (q->open == 0)
		query_free(q);
}

static void settle(struct dns_query *q)
{
	q->settled = true;
	timer_set(q->timer, 0);
}

/* What a part that found nothing means.  The mildest of the parts counts:
 * a wrong DNS_NXDOMAIN would return a message, and there are name servers
 * that say it for the one type they do not have. */
static void learn(struct dns_query *q, int status)
{
	switch (status) {
	case ARES_ENOTFOUND:
		return;		/* what a question begins with */
	case ARES_SUCCESS:
	case ARES_ENODATA:
		if (q->result == DNS_NXDOMAIN)
			q->result = DNS_NODATA;
		return;
	default:
		q->result = DNS_RETRY;
		q->status = status;
	}
}

/* A part has come back from c-ares.  False: it is of no interest, and q may
 * be gone. */
static bool part_back(struct dns_query *q)
{
	q->open--;
	if (!q->timer) {
		if (q->open == 0)
			query_free(q);
		return false;
	}
	return !q->settled;
}

static void explain(struct dns_query *q);

/* The timer of a question: its answer is due, or its time is over. */
static void on_time(void *ctx)
{
	struct dns_query *q = ctx;
	struct dns_answer a = { .naddresses = q->n4 + q->n6,
				.addresses = q->addresses,
				.nmx = q->nlist, .mx = q->list };

	if (!q->settled && q->open > 0)
		learn(q, ARES_ETIMEOUT);
	q->settled = true;
	if (a.naddresses > 0 || a.nmx > 0) {
		q->result = DNS_OK;
	} else {
		if (q->null_mx)
			q->result = DNS_NULL_MX;
		explain(q);
		a.why = q->why;
	}
	a.result = q->result;
	if (q->n4 < ADDRESSES_MAX && q->n6 > 0)
		memmove(q->addresses + q->n4, q->addresses + ADDRESSES_MAX,
			q->n6 * sizeof(*q->addresses));
	q->done(q->ctx, &a);
	forget(q);
}

/* ---- the sentences -------------------------------------------------- */

/* The addresses of the servers that were asked. */
static void server_names(struct dns *d, struct buf *b)
{
#if ARES_VERSION >= 0x011c00		/* 1.28 */
	char *csv = d->channel ? ares_get_servers_csv(d->channel) : NULL;

	buf_puts(b, csv && *csv ? csv : "the name server");
	ares_free_string(csv);
#else
	struct ares_addr_node *list = NULL, *p;
	char text[64];

	if (d->channel)
		ares_get_servers(d->channel, &list);
	for (p = list; p; p = p->next) {
		if (p != list)
			buf_putc(b, ',');
		if (inet_ntop(p->family, &p->addr, text, sizeof(text)))
			buf_puts(b, text);
	}
	if (buf_len(b) == 0)
		buf_puts(b, "the name server");
	if (list)
		ares_free_data(list);
#endif
}

/* Why an answer is awaited in vain. */
static void explain_retry(struct dns_query *q)
{
	struct buf b;
	const char *who;

	buf_init(&b, 200);
	server_names(q->dns, &b);
	who = buf_str(&b);
	switch (q->status) {
	case ARES_ETIMEOUT:
		snprintf(q->why, sizeof(q->why), "DNS: no answer from %s "
			 "about %s", who, q->name);
		break;
	case ARES_ECONNREFUSED:
		/* Older c-ares says this too of servers that all answered
		 * with an error: then something was heard of them. */
		if (q->heard == q->dns->heard) {
			snprintf(q->why, sizeof(q->why),
				 "DNS: connection refused by %s", who);
			break;
		}
		/* fall through */
	case ARES_ESERVFAIL:
	case ARES_EREFUSED:
	case ARES_ENOTIMP:
		snprintf(q->why, sizeof(q->why), "DNS: %s reports a failure "
			 "(SERVFAIL or REFUSED) for %s", who, q->name);
		break;
	default:
		snprintf(q->why, sizeof(q->why), "DNS: %s for %s",
			 ares_strerror(q->status), q->name);
	}
	buf_free(&b);
}

static void explain(struct dns_query *q)
{
	const char *text = "";

	if (q->result == DNS_NULL_MX)
		text = "accepts no mail (null MX)";
	else if (q->unusable)
		text = "has no MX with a legal host name";
	else if (q->illegal)
		text = "is no legal host name";
	else if (q->result == DNS_NXDOMAIN)
		text = "does not exist";
	else if (q->result == DNS_NODATA)
		text = q->mx ? "has no MX" : "has no address";
	if (*text)
		snprintf(q->why, sizeof(q->why), "DNS: %s %s", q->name, text);
	else
		explain_retry(q);
}

/* ---- c-ares in the loop --------------------------------------------- */

/* After every call into c-ares: when it wants to be called next. */
static void rearm(struct dns *d)
{
	struct timeval tv;

	if (ares_timeout(d->channel, NULL, &tv))
		/* a millisecond more, for what the division drops */
		timer_set(d->timer, now_mono() + (int64_t)tv.tv_sec * 1000 +
			  tv.tv_usec / 1000 + 1);
	else
		timer_set(d->timer, INT64_MAX);
}

static void on_socket(void *ctx, unsigned events)
{
	struct sock *s = ctx;
	struct dns *d = s->dns;
	int fd = s->fd;		/* c-ares may close it: s is gone then */

	if ((events & LOOP_READ) && !(events & LOOP_ERROR))
		d->heard++;
	ares_process_fd(d->channel, events & LOOP_READ ? fd : ARES_SOCKET_BAD,
			events & LOOP_WRITE ? fd : ARES_SOCKET_BAD);
	rearm(d);
}

static void on_timeout(void *ctx)
{
	struct dns *d = ctx;

	ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	rearm(d);
}

/* c-ares wants fd watched, otherwise, or no longer.  A watch the system
 * refuses is only a question that gets no answer. */
static void on_state(void *ctx, ares_socket_t fd, int readable, int writable)
{
	struct dns *d = ctx;
	struct sock **at = &d->socks, *s;
	unsigned events = (readable ? LOOP_READ : 0) |
			  (writable ? LOOP_WRITE : 0);

	while (*at && (*at)->fd != fd)
		at = &(*at)->next;
	s = *at;
	if (s && events) {
		watch_events(s->watch, events);
	} else if (s) {
		watch_stop(s->watch);
		*at = s->next;
		free(s);
	} else if (events) {
		s = xcalloc(1, sizeof(*s));
		s->dns = d;
		s->fd = fd;
		s->watch = loop_watch(d->loop, fd, events, on_socket, s);
		if (!s->watch) {
			free(s);
			return;
		}
		s->next = d->socks;
		d->socks = s;
	}
}

/* The channel, at the first question.  ARES_SUCCESS or why not. */
static int channel_open(struct dns *d)
{
	static char lookups[] = "fb";	/* /etc/hosts, then DNS */
	struct ares_options o = { .timeout = SERVER_MS,
		.tries = SERVER_ROUNDS, .lookups = lookups,
		.sock_state_cb = on_state, .sock_state_cb_data = d };
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
		   ARES_OPT_NDOTS | ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS |
		   ARES_OPT_SOCK_STATE_CB;
	int status;

	if (d->channel)
		return ARES_SUCCESS;
	/* Names are absolute: no dots asked for (0), no domains to append
	 * (none), no aliases of the user's. */
	o.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
#ifdef ARES_OPT_QUERY_CACHE
	mask |= ARES_OPT_QUERY_CACHE;	/* for zero seconds: none */
#endif
	status = ares_library_init(ARES_LIB_INIT_ALL);
	if (status != ARES_SUCCESS)
		return status;
	status = ares_init_options(&d->channel, &o, mask);
	if (status == ARES_SUCCESS && *d->servers) {
		status = ares_set_servers_ports_csv(d->channel, d->servers);
		if (status != ARES_SUCCESS)
			ares_destroy(d->channel);
	}
	if (status != ARES_SUCCESS) {
		d->channel = NULL;
		ares_library_cleanup();
	}
	return status;
}

/* ---- address answers ------------------------------------------------ */

static void add_address(struct dns_query *q, const struct sockaddr *sa,
			socklen_t len)
{
	bool v6 = sa->sa_family == AF_INET6;
	size_t *n = v6 ? &q->n6 : &q->n4, i;
	struct dns_address a = { .len = len };

	if ((v6 && len != sizeof(struct sockaddr_in6)) || (!v6 &&
	    (sa->sa_family != AF_INET || len != sizeof(struct sockaddr_in))))
		return;
	memcpy(&a.sa, sa, len);
	if (!q->addresses)
		q->addresses = xcalloc(2 * ADDRESSES_MAX,
				       sizeof(*q->addresses));
	/* /etc/hosts may have the same line twice */
	for (i = 0; i < *n; i++)
		if (!memcmp(&q->addresses[v6 * ADDRESSES_MAX + i].sa, &a.sa,
			    len))
			return;
	if (*n < ADDRESSES_MAX)
		q->addresses[v6 * ADDRESSES_MAX + (*n)++] = a;
}

static void on_addresses(void *ctx, int status, int timeouts,
			 struct ares_addrinfo *res)
{
	struct dns_query *q = ctx;
	struct ares_addrinfo_node *p;
	size_t before;

	(void)timeouts;
	if (part_back(q)) {
		before = q->n4 + q->n6;
		for (p = res ? res->nodes : NULL; p; p = p->ai_next)
			add_address(q, p->ai_addr, p->ai_addrlen);
		if (q->n4 + q->n6 == before)
			learn(q, status);
		if (q->open == 0)
			settle(q);
		else if (q->n4 > 0 && now_mono() + LATE_IPV6_MS < q->limit)
			timer_set(q->timer, now_mono() + LATE_IPV6_MS);
	}
	if (res)
		ares_freeaddrinfo(res);
}

/* ---- MX answers ----------------------------------------------------- */

/* The records of an answer, before they are put in order. */
struct found {
	unsigned preference;
	uint32_t lot;		/* decides among equal preferences */
	char host[256];
};

struct found_list {
	struct found *mx;
	size_t n, cap;
	size_t records, roots;	/* of all; with "." as their host */
};

static void add_mx(struct found_list *l, unsigned preference, const char *host)
{
	struct sockaddr_storage sa;
	struct found *f;
	size_t n = strlen(host);

	l->records++;
	if (n == 0 || strcmp(host, ".") == 0) {
		l->roots++;
		return;
	}
	/* "MX 10 192.0.2.1" is a mistake people make: digits and dots are a
	 * legal name, but no such name exists */
	if (n >= sizeof(f->host) || !addr_is_hostname(host) ||
	    address_parse(host, 0, &sa) != 0)
		return;
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 16;
		l->mx = xreallocarray(l->mx, l->cap, sizeof(*l->mx));
	}
	f = &l->mx[l->n++];
	f->preference = preference;
	random_bytes(&f->lot, sizeof(f->lot));
	memcpy(f->host, host, n + 1);
}

static int by_preference(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	return x->lot < y->lot ? -1 : x->lot > y->lot;
}

static bool listed(const struct dns_query *q, const char *host)
{
	size_t i;

	for (i = 0; i < q->nlist; i++)
		if (strcasecmp(q->list[i].host, host) == 0)
			return true;
	return false;
}

/* Sorted before it is cut, so that the best stay. */
static void take_mx(struct dns_query *q, struct found_list *l)
{
	size_t i;

	if (l->n == 0) {
		q->null_mx = l->records == 1 && l->roots == 1;
		q->unusable = l->records > 0 && !q->null_mx;
		learn(q, q->unusable ? ARES_EBADRESP : ARES_ENODATA);
		return;
	}
	qsort(l->mx, l->n, sizeof(*l->mx), by_preference);
	q->list = xcalloc(l->n < MX_MAX ? l->n : MX_MAX, sizeof(*q->list));
	for (i = 0; i < l->n && q->nlist < MX_MAX; i++) {
		struct dns_mx *mx = &q->list[q->nlist];

		if (listed(q, l->mx[i].host))
			continue;
		mx->preference = l->mx[i].preference;
		memcpy(mx->host, l->mx[i].host, sizeof(mx->host));
		q->nlist++;
	}
}

static void mx_back(struct dns_query *q, int status, struct found_list *l)
{
	if (part_back(q)) {
		if (status == ARES_SUCCESS)
			take_mx(q, l);
		else
			learn(q, status);
		settle(q);
	}
	free(l->mx);
}

#if ARES_VERSION >= 0x011c00		/* 1.28: parsed records */

static void on_mx(void *ctx, ares_status_t status, size_t timeouts,
		  const ares_dns_record_t *answer)
{
	struct found_list l = { .n = 0 };
	size_t i;

	(void)timeouts;
	for (i = 0; status == ARES_SUCCESS && answer &&
	     i < ares_dns_record_rr_cnt(answer, ARES_SECTION_ANSWER); i++) {
		const ares_dns_rr_t *rr = ares_dns_record_rr_get_const(answer,
			ARES_SECTION_ANSWER, i);
		const char *host;

		if (ares_dns_rr_get_type(rr) != ARES_REC_TYPE_MX ||
		    ares_dns_rr_get_class(rr) != ARES_CLASS_IN)
			continue;
		host = ares_dns_rr_get_str(rr, ARES_RR_MX_EXCHANGE);
		add_mx(&l, ares_dns_rr_get_u16(rr, ARES_RR_MX_PREFERENCE),
		       host ? host : "");
	}
	mx_back(ctx, (int)status, &l);
}

static void ask_mx(struct dns_query *q)
{
	/* a failure comes to on_mx too */
	(void)ares_query_dnsrec(q->dns->channel, q->name, ARES_CLASS_IN,
				ARES_REC_TYPE_MX, on_mx, q, NULL);
}

#else

static void on_mx(void *ctx, int status, int timeouts, unsigned char *p, int n)
{
	struct found_list l = { .n = 0 };
	struct ares_mx_reply *list = NULL, *mx;

	(void)timeouts;
	if (status == ARES_SUCCESS)
		status = ares_parse_mx_reply(p, n, &list);
	/* the root comes as "" */
	for (mx = list; mx; mx = mx->next)
		add_mx(&l, mx->priority, mx->host);
	if (list)
		ares_free_data(list);
	mx_back(ctx, status, &l);
}

static void ask_mx(struct dns_query *q)
{
	ares_query(q->dns->channel, q->name, ns_c_in, ns_t_mx, on_mx, q);
}

#endif

/* ---- asking --------------------------------------------------------- */

/* A question without parts yet.  A name too long to keep is cut, and so too
 * long to be legal. */
static struct dns_query *query_new(struct dns *d, const char *name,
				   dns_done *done, void *ctx)
{
	struct dns_query *q = xcalloc(1, sizeof(*q));
	size_t n = strnlen(name, sizeof(q->name) - 1);

	memcpy(q->name, name, n);
	if (n > 1 && q->name[n - 1] == '.')
		q->name[n - 1] = '\0';
	q->dns = d;
	q->done = done;
	q->ctx = ctx;
	q->result = DNS_NXDOMAIN;
	q->heard = d->heard;
	q->limit = now_mono() + (int64_t)TIMEOUT_DNS * 1000;
	q->timer = loop_timer(d->loop, q->limit, on_time, q);
	q->next = d->queries;
	if (q->next)
		q->next->prev = &q->next;
	q->prev = &d->queries;
	d->queries = q;
	return q;
}

/* "192.0.2.1", "2001:db8::1", "[192.0.2.1]", "[IPv6:2001:db8::1]" */
static socklen_t literal(const char *name, struct sockaddr_storage *sa)
{
	char inner[64];
	size_t n = strlen(name);
	bool tagged;

	if (name[0] != '[')
		return address_parse(name, 0, sa);
	if (n < 2 || n - 2 >= sizeof(inner) || name[n - 1] != ']')
		return 0;
	memcpy(inner, name + 1, n - 2);
	inner[n - 2] = '\0';
	tagged = strncasecmp(inner, "IPv6:", 5) == 0;
	return address_parse(tagged ? inner + 5 : inner, 0, sa);
}

/* An address that needs no asking.  The MX of an address is the address:
 * DNS_NODATA says so. */
static void known(struct dns_query *q, const char *text, int family)
{
	struct sockaddr_storage sa;
	socklen_t len = literal(text, &sa);

	if (!q->mx && (family == AF_UNSPEC || family == sa.ss_family))
		add_address(q, (struct sockaddr *)&sa, len);
	learn(q, ARES_ENODATA);
}

/* What can be answered, or not be asked, without DNS.  False: ask. */
static bool answer_now(struct dns_query *q, int family)
{
	struct sockaddr_storage sa;
	int status;

	if (literal(q->name, &sa) > 0) {
		known(q, q->name, family);
	} else if (strcasecmp(q->name, "localhost") == 0 ||
		   ends_with_nocase(q->name, ".localhost")) {
		/* RFC 6761 6.3; and c-ares 1.18 loses memory over it */
		known(q, "127.0.0.1", family);
		known(q, "::1", family);
	} else if (!addr_is_hostname(q->name)) {
		q->illegal = true;
	} else {
		status = channel_open(q->dns);
		if (status == ARES_SUCCESS)
			return false;
		learn(q, status);
	}
	settle(q);
	return true;
}

struct dns_query *dns_addresses(struct dns *d, const char *host, int family,
				dns_done *done, void *ctx)
{
	struct dns_query *q = query_new(d, host, done, ctx);
	/* our order, not RFC 6724's, which opens a socket for each address */
	struct ares_addrinfo_hints hints = { .ai_flags = ARES_AI_NOSORT };

	if (answer_now(q, family))
		return q;
	q->open = family == AF_UNSPEC ? 2 : 1;
	if (family != AF_INET6) {
		hints.ai_family = AF_INET;
		ares_getaddrinfo(d->channel, q->name, NULL, &hints,
				 on_addresses, q);
	}
	if (family != AF_INET) {
		hints.ai_family = AF_INET6;
		ares_getaddrinfo(d->channel, q->name, NULL, &hints,
				 on_addresses, q);
	}
	/* Known already: it stands in /etc/hosts, and that is then the whole
	 * truth; DNS is not waited for, it may be dead. */
	if (q->n4 + q->n6 > 0)
		settle(q);
	rearm(d);
	return q;
}

struct dns_query *dns_mx(struct dns *d, const char *domain, dns_done *done,
			 void *ctx)
{
	struct dns_query *q = query_new(d, domain, done, ctx);

	q->mx = true;
	if (answer_now(q, AF_UNSPEC))
		return q;
	q->open = 1;
	ask_mx(q);
	rearm(d);
	return q;
}

void dns_cancel(struct dns_query *q)
{
	if (q && q->timer)
		forget(q);
}

/* ---- opening and closing -------------------------------------------- */

/* "ip[:port]" as c-ares reads it, behind what is in b.  An IPv6 address with
 * a port wears brackets. */
static bool add_server(struct buf *b, const char *text)
{
	struct sockaddr_storage sa;
	char host[64], printed[64];
	const char *from = text, *to = text + strlen(text), *rest = "";
	uint64_t port = NS_DEFAULTPORT;
	bool v6;

	if (*text == '[') {
		from++;
		to = strchr(text, ']');
		if (!to)
			return false;
		rest = to + 1;
	} else if (address_parse(text, 0, &sa) == 0) {
		to = strchr(text, ':');
		if (!to)
			return false;
		rest = to;
	}
	if (*rest && (*rest != ':' || !parse_number(rest + 1, 65535, &port) ||
		      port == 0))
		return false;
	if ((size_t)(to - from) >= sizeof(host))
		return false;
	memcpy(host, from, (size_t)(to - from));
	host[to - from] = '\0';
	if (address_parse(host, 0, &sa) == 0)
		return false;
	address_print(printed, sizeof(printed), (struct sockaddr *)&sa);
	v6 = sa.ss_family == AF_INET6;
	return buf_printf(b, "%s%s%s%s:%u", buf_len(b) ? "," : "",
			  v6 ? "[" : "", printed, v6 ? "]" : "",
			  (unsigned)port);
}

struct dns *dns_open(struct loop *l, const char *servers, const char **why)
{
	struct dns *d;
	struct buf b;
	char *copy = xstrdup(servers), *p = copy, *one;
	bool good = true;

	buf_init(&b, 4096);
	while (good && (one = strsep(&p, ","))) {
		one = trim(one);
		if (*one)
			good = add_server(&b, one);
	}
	free(copy);
	if (!good) {
		buf_free(&b);
		*why = "a name server is not ip[:port]";
		return NULL;
	}
	d = xcalloc(1, sizeof(*d));
	d->loop = l;
	d->servers = xstrdup(buf_str(&b));
	d->timer = loop_timer(l, INT64_MAX, on_timeout, d);
	buf_free(&b);
	return d;
}

void dns_close(struct dns *d)
{
	struct dns_query *q, *next;

	if (!d)
		return;
	for (q = d->queries; q; q = next) {
		next = q->next;
		if (q->timer)
			forget(q);
	}
	if (d->channel) {
		/* returns what parts it still has, and so frees the rest */
		ares_destroy(d->channel);
		ares_library_cleanup();
	}
	timer_stop(d->timer);
	free(d->servers);
	free(d);
}
