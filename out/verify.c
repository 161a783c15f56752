/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * -bv.  The questions are the engine's own (route_find, dns_mx, dns_addresses,
 * secure_possible), asked one after another: somebody reads the answers.
 * Nobody is connected to.  So why mail waits is told as far as it is known
 * here: what no server could change, and what Queue has from the last attempt.
 */
#include "out/verify.h"
#include "conf.h"
#include "dns.h"
#include "in/alias.h"
#include "in/caller.h"
#include "lib/addr.h"
#include "lib/loop.h"
#include "lib/reply.h"
#include "lib/stream.h"
#include "lib/util.h"
#include "lib/verb.h"
#include "out/route.h"
#include "out/secure.h"
#include "out/state.h"
#include "queue.h"

#include <bsd/string.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Messages that are opened in search of a reason: half a second. */
#define WAITING_READ 10000

struct verify {
	struct loop *loop;
	struct dns *dns;
	bool answered;
	enum dns_result result;
	char why[200];
	size_t nmx, usable;
	struct dns_mx mx[100];
	int status;
};

static void worse(struct verify *v, int status)
{
	if (v->status == 0)
		v->status = status;
}

/* ---- asking, and waiting for the answer ------------------------------------- */

static void mx_known(void *ctx, const struct dns_answer *a)
{
	struct verify *v = ctx;

	v->answered = true;
	v->result = a->result;
	printable(v->why, sizeof v->why, a->why ? a->why : "",
		  a->why ? strlen(a->why) : 0);
	v->nmx = a->nmx < 100 ? a->nmx : 100;
	v->usable = route_usable_mx(a);
	if (v->nmx)
		memcpy(v->mx, a->mx, v->nmx * sizeof v->mx[0]);
}

static void addresses_known(void *ctx, const struct dns_answer *a)
{
	struct verify *v = ctx;
	char text[64];
	size_t i;

	v->answered = true;
	if (a->result != DNS_OK)
		printf(" (%s)", a->why);
	for (i = 0; i < a->naddresses; i++) {
		address_print(text, sizeof text,
			      (const struct sockaddr *)&a->addresses[i].sa);
		printf(" [%s]", text);
	}
}

static void await(struct verify *v)
{
	while (!v->answered)
		loop_turn(v->loop, now_mono() + 1000);
}

static void show_host(struct verify *v, const struct conf *c,
		      const char *host, bool literal, unsigned port)
{
	static const int families[] = { AF_UNSPEC, AF_INET, AF_INET6 };

	printf("    %s port %u", host, port ? port : c->remote_port);
	if (!literal) {
		v->answered = false;
		dns_addresses(v->dns, host, families[c->family],
			      addresses_known, v);
		await(v);
	}
	printf("\n");
}

/* ---- one address --------------------------------------------------------------- */

static void show_relay(struct verify *v, const struct conf *c)
{
	size_t i;

	for (i = 0; i < c->nsmart_hosts; i++)
		show_host(v, c, c->smart_host_list[i].host,
			  c->smart_host_list[i].literal,
			  c->smart_host_list[i].port);
}

static void show_domain(struct verify *v, const struct route *r)
{
	size_t i;

	if (r->domain[0] == '[') {
		printf("  directly to this address, port %u\n",
		       r->conf->remote_port);
		return;
	}
	v->answered = false;
	dns_mx(v->dns, r->domain, mx_known, v);
	await(v);
	switch (v->result) {
	case DNS_OK:
		printf("  directly to its MX:\n");
		for (i = 0; i < v->nmx; i++) {
			printf("  %5u", v->mx[i].preference);
			if (i < v->usable)
				show_host(v, r->conf, v->mx[i].host, false, 0);
			else
				printf("    %s: not used, we are among the MX\n",
				       v->mx[i].host);
		}
		if (v->usable == 0) {
			printf("  refused: 5.4.6 mail loop: we are its first MX\n");
			worse(v, EXIT_UNAVAILABLE);
		}
		break;
	case DNS_NODATA:
		printf("  directly to its address (it has no MX):\n");
		show_host(v, r->conf, r->domain, false, 0);
		break;
	case DNS_NXDOMAIN:
	case DNS_NULL_MX:
		printf("  refused: %s\n", v->why);
		worse(v, EXIT_NOHOST);
		break;
	case DNS_RETRY:
		printf("  would wait: %s\n", v->why);
		break;
	}
	if (r->conf->smart_host_type == 1 && r->conf->nsmart_hosts) {
		printf("  where that fails for now, through the smart host:\n");
		show_relay(v, r->conf);
	}
}

static void show_settings(const struct route *r)
{
	const struct conf *c = r->conf;
	char key[300], mask[256];

	static const char *const levels[] = { "none", "may", "encrypt",
					      "verify", "fingerprint" };

	verb_print(c->outbound_mask, mask, sizeof mask);
	printf("  SmtpOutboundCommandSupportOptions %s; MaxRecipients %u; "
	       "MaxOutConnectionsPerDomain %u; TlsSecurityLevel %s%s%s%s\n",
	       mask, c->max_recipients, c->max_connections_per_domain,
	       levels[secure_route_level(r, NULL)],
	       r->kind == ROUTE_SMART_HOST && *c->route_user ?
	       "; RouteUserName " : "",
	       r->kind == ROUTE_SMART_HOST ? c->route_user : "",
	       c == conf() ? "" : "; from a [domain] section");
	route_key(r, key, sizeof key);
	if (state_is_down(key, now_real()))
		printf("  known to be down: new mail %s\n", c->smart_host_type ==
		       1 && r->kind == ROUTE_DOMAIN ? "takes the smart host" :
		       "waits for the queue run");
}

/* ---- why it waits ------------------------------------------------------------- */

/* Hosts with the same fault are one line. */
static void show_obstacles(const struct route *r)
{
	const struct conf *c = r->conf;
	char why[REPLY_TEXT], last[REPLY_TEXT] = "";
	size_t i, n = r->kind == ROUTE_SMART_HOST ? c->nsmart_hosts : 1;
	const struct smart_host *host;
	struct route relay = *r;

	for (i = 0; i < n; i++) {
		host = r->kind == ROUTE_SMART_HOST ? &c->smart_host_list[i] :
			NULL;
		if (secure_possible(r, host, why, sizeof why) ||
		    strcmp(why, last) == 0)
			continue;
		strlcpy(last, why, sizeof last);
		if (n > 1)
			printf("  would wait, %s: %s\n", host->host, why);
		else
			printf("  would wait: %s\n", why);
	}
	relay.kind = ROUTE_SMART_HOST;
	if (r->kind == ROUTE_DOMAIN && c->smart_host_type == 1 &&
	    c->nsmart_hosts &&
	    !secure_possible(&relay, &c->smart_host_list[0], why, sizeof why))
		printf("  would wait at the smart host: %s\n", why);
}

/* What waits in Queue for the same next hop. */
struct waiting {
	struct queue q;
	const struct route *route;
	bool all;			/* not only what is the caller's */
	char (*name)[QUEUE_NAME_LEN + 1];
	size_t n, cap, messages;
	time_t last;
	char status[STATUS_OCTETS + 1];
};

static bool seen(void *ctx, const char *name, time_t due, const char *id)
{
	struct waiting *w = ctx;

	(void)due;
	if (!id)
		return true;
	if (w->n == w->cap) {
		w->cap = w->cap ? 2 * w->cap : 64;
		w->name = xreallocarray(w->name, w->cap, sizeof *w->name);
	}
	strlcpy(w->name[w->n++], name, sizeof *w->name);
	return w->n < WAITING_READ;
}

/* Is this one of a message that waits for it?  Then its reason counts. */
static bool counts(struct waiting *w, const struct recipient *to, time_t last)
{
	struct route r;

	if (to->state != RCPT_WAITING)
		return false;
	route_find(&r, to->addr);
	if (!route_same(&r, w->route))
		return false;
	if (*to->status && last >= w->last) {
		w->last = last;
		strlcpy(w->status, to->status, sizeof w->status);
	}
	return true;
}

static void look(struct waiting *w, const char *name)
{
	struct message *m = queue_peek(&w->q, name);
	bool one = false;
	size_t i;

	if (m && (w->all || m->env.uid == getuid()))
		for (i = 0; i < m->env.nrcpt; i++)
			one |= counts(w, &m->env.rcpt[i], m->env.last);
	w->messages += one;
	message_free(m);
}

static void show_waiting(const struct route *r)
{
	struct waiting w = { .route = r, .all = caller_is_operator() };
	char text[STATUS_OCTETS + 1], when[21];
	size_t i;

	if (queue_open(&w.q, conf()->queue_dir, 0) != 0)
		return;
	if (queue_sweep(&w.q, seen, &w) == 0)
		for (i = 0; i < w.n; i++)
			look(&w, w.name[i]);
	if (w.messages)
		printf("  %zu %s in Queue for it%s\n", w.messages,
		       w.messages == 1 ? "message waits" : "messages wait",
		       w.n == WAITING_READ ? ", of those looked at" : "");
	if (*w.status) {
		isotime_print(when, w.last);
		printable(text, sizeof text, w.status, strlen(w.status));
		printf("  the last reason, %s: %s\n", when, text);
	}
	free(w.name);
	queue_close(&w.q);
}

/* ---- an address, whole -------------------------------------------------------- */

static void show(struct verify *v, const char *addr)
{
	const char *why = addr_check(addr, true, false);
	struct route r;
	char text[ADDRESS_MAX + 1];

	printable(text, sizeof text, addr, strlen(addr));
	printf("%s\n", text);
	if (why) {
		printf("  refused: %s\n", why);
		worse(v, EXIT_DATAERR);
		return;
	}
	route_find(&r, addr);
	switch (r.kind) {
	case ROUTE_LOCAL:
		printf("  local: a file in %s\n", conf()->drop_dir);
		return;
	case ROUTE_SMART_HOST:
		printf("  through the smart host:\n");
		show_relay(v, r.conf);
		break;
	case ROUTE_DOMAIN:
		show_domain(v, &r);
		break;
	}
	show_settings(&r);
	show_obstacles(&r);
	show_waiting(&r);
}

int verify(char *const *args, size_t n)
{
	struct verify *v = xcalloc(1, sizeof *v);
	struct addr_list list = { 0 };
	const char *why = "";
	char *addr;
	size_t i;
	int status;

	v->loop = loop_new();
	v->dns = v->loop ? dns_open(v->loop, conf()->name_servers, &why) : NULL;
	if (!v->dns)
		die(EXIT_OSERR, "cannot ask DNS: %s", why);
	for (i = 0; i < n; i++) {
		why = addr_list_parse(&list, args[i], strlen(args[i]));
		if (why) {
			complain("\"%s\" is no address: %s", args[i], why);
			worse(v, EXIT_DATAERR);
		}
	}
	for (i = 0; i < list.n; i++)
		if (alias_known(list.found[i].addr))
			printf("%s is an alias\n", list.found[i].addr);
	alias_expand(&list);
	for (i = 0; i < list.n; i++) {
		addr = conf()->smart_hosts[0] ?
			addr_qualify(list.found[i].addr,
				     conf()->default_domain) :
			xstrdup(list.found[i].addr);
		show(v, addr);
		free(addr);
	}
	addr_list_free(&list);
	dns_close(v->dns);
	loop_free(v->loop);
	status = v->status;
	free(v);
	return status;
}
