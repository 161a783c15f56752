/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The first way in: one message from standard input.  Who sends, who receives,
 * the text into a message; what becomes of it is in/attempt's affair.
 */
#include "in/submit.h"
#include "conf.h"
#include "in/alias.h"
#include "in/attempt.h"
#include "in/identity.h"
#include "in/message.h"
#include "lib/addr.h"
#include "lib/util.h"
#include "out/run.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One submission, from begin to end. */
struct course {
	const struct submit *args;
	struct identity id;
	struct incoming in;
	struct attempt attempt;
};

static ssize_t from_stdin(void *ctx, void *p, size_t n)
{
	(void)ctx;
	return read_some(STDIN_FILENO, p, n, &run_signal);
}

/* Arguments and header together, each mailbox once. */
static int recipients(void *ctx, struct addr_list *from_header,
		      struct addr_list *to, char *error)
{
	const struct course *c = ctx;
	struct addr_list list;
	const char *why;
	size_t i;
	int status;

	for (i = 0; i < c->args->nrcpt; i++) {
		list = (struct addr_list){ 0 };
		why = addr_list_parse(&list, c->args->rcpt[i],
				      strlen(c->args->rcpt[i]));
		if (why)
			snprintf(error, 256, "the recipient \"%.100s\" is no "
				 "address: %s", c->args->rcpt[i], why);
		status = why ? EXIT_DATAERR :
			alias_resolve(to, &list, 0, error);
		addr_list_free(&list);
		if (status)
			return status;
	}
	if (c->args->header_recipients) {
		status = alias_resolve(to, from_header, 0, error);
		if (status)
			return status;
	}
	addr_list_dedupe(to);
	if (to->n > 0)
		return 0;
	snprintf(error, 256, c->args->header_recipients ?
		 "no recipients: neither arguments nor To, Cc and Bcc name one" :
		 "no recipients: give addresses, or -t to read them from the "
		 "header");
	return EXIT_USAGE;
}

static void prepare(struct course *c)
{
	const struct submit *a = c->args;

	message_prepare(&c->in, &c->id);
	c->in.read = from_stdin;
	c->in.q = attempt_queue(&c->attempt);
	c->in.dots = !conf()->ignore_dots;
	c->in.recipients = recipients;
	c->in.notify = a->notify;
	c->in.ctx = c;
	c->in.task.want_recipients = a->header_recipients;
	c->in.env.ret = a->ret;
	c->in.env.envid = a->envid;
}

/* Without -t they are known before the text is read: none is an error now. */
static int no_recipients(struct course *c)
{
	struct addr_list none = { 0 };
	char error[256];
	int status;

	if (c->args->nrcpt > 0 || c->args->header_recipients)
		return 0;
	status = recipients(c, &none, &none, error);
	complain("%s", error);
	return status;
}

static int read_message(struct course *c)
{
	int status;

	if (*c->attempt.refused) {
		complain("%s", c->attempt.refused);
		return EXIT_NOPERM;
	}
	prepare(c);
	status = message_read(&c->in);
	if (status > 0)
		complain("%s", c->in.error);
	return status;
}

/* -h: who passes a message on says how far it has come. */
static int looping(const struct submit *args)
{
	if (args->hops <= conf()->hop_count)
		return 0;
	complain("5.4.6 mail loop: -h says %u hops, HopCount is %u",
		 args->hops, conf()->hop_count);
	return EXIT_UNAVAILABLE;
}

int submit(const struct submit *args)
{
	static struct course c;		/* a child's part outlives us in it */
	char error[256];
	int status;

	c.args = args;
	status = identity_find(&c.id, getuid(), args->sender, args->full_name,
			       error, sizeof error);
	if (status)
		complain("%s", error);
	else
		status = no_recipients(&c);
	if (status == 0)
		status = looping(args);
	if (status == 0) {
		attempt_open(&c.attempt);
		status = read_message(&c);
	}
	if (status == 0) {
		c.attempt.m = c.in.m;
		c.attempt.message_id = c.in.facts.message_id;
		status = attempt_run(&c.attempt);
		die_kept = status == 0;
	} else if (status > 0 && !c.in.at_end) {
		message_drain(STDIN_FILENO);
	}
	if (c.attempt.handed_over)
		return status;
	attempt_close(&c.attempt);
	message_free(c.in.m);
	addr_list_free(&c.in.facts.to);
	identity_free(&c.id);
	return status < 0 ? 128 + run_signal : status;
}
