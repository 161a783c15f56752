/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Local delivery: see drop.h.  The one idea: a Drop file is made like a queue
 * file, by the same calls in the same order (queue.c, steps 1 to 5), only
 * under a name of its readers'.  The name is the message's id, so that a
 * delivery repeated after a crash finds its own file and does not make two.
 */
#include "out/drop.h"
#include "conf.h"
#include "lib/addr.h"
#include "lib/buf.h"
#include "lib/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Written before the buffer of envelope lines gets longer than this. */
#define FLUSH_AT 16384

static int flush(struct message *file, struct buf *b)
{
	int r = queue_put_text(file, buf_data(b), buf_len(b));

	buf_clear(b);
	return r;
}

/* The lines before the message.  A bare nothing could be taken for a line cut
 * short, so the null sender is "<>" here too. */
static int put_head(struct message *file, const struct message *m,
		    const size_t *rcpt, size_t nrcpt)
{
	const char *sender = m->env.sender;
	struct buf b;
	char *addr;
	size_t i;
	int r = 0;

	buf_init(&b, 2 * FLUSH_AT);
	buf_printf(&b, "x-sender: %s\r\n", *sender ? sender : "<>");
	for (i = 0; i < nrcpt && r == 0; i++) {
		/* A bare name is local by itself; its readers want to see a
		 * whole address. */
		addr = addr_qualify(m->env.rcpt[rcpt[i]].addr,
				    conf()->default_domain);
		buf_printf(&b, "x-receiver: %s\r\n", addr);
		free(addr);
		if (buf_len(&b) > FLUSH_AT)
			r = flush(file, &b);
	}
	/* RFC 5321 4.4: the final delivery adds it. */
	buf_printf(&b, "Return-Path: <%s>\r\n", sender);
	if (b.failed) {
		errno = EMSGSIZE;
		r = -1;
	}
	if (r == 0)
		r = flush(file, &b);
	buf_free(&b);
	return r;
}

static int put_message(struct message *file, const struct message *m)
{
	off_t at = m->text_at, end = at + (off_t)m->text_size;
	char chunk[IO_CHUNK];
	size_t n;

	for (; at < end; at += (off_t)n) {
		n = end - at < (off_t)sizeof chunk ? (size_t)(end - at) :
			sizeof chunk;
		if (pread_full(m->fd, chunk, n, at) != 0 ||
		    queue_put_text(file, chunk, n) != 0)
			return -1;
	}
	return 0;
}

/* The whole file, or nothing of it. */
static int write_file(struct queue *drop, const char *name,
		      const struct message *m, const size_t *rcpt,
		      size_t nrcpt)
{
	struct message *file = queue_new(drop, m->id);
	int r, err;

	if (!file) {
		/* Its temporary name is in use: not what EEXIST says below. */
		if (errno == EEXIST)
			errno = EBUSY;
		return -1;
	}
	r = put_head(file, m, rcpt, nrcpt);
	if (r == 0)
		r = put_message(file, m);
	if (r == 0)
		r = queue_commit_as(file, name);
	err = errno;
	if (r != 0)
		queue_remove(file);
	message_free(file);
	errno = err;
	return r;
}

static bool over_quota(struct queue *drop, const struct message *m)
{
	uint64_t quota = conf()->drop_quota;

	return quota > 0 && (m->text_size > quota ||
			     queue_octets(drop) > quota - m->text_size);
}

/* A plain file of this name is this delivery, done before. */
static bool stands_already(struct queue *drop, const char *name)
{
	struct stat st;

	return fstatat(drop->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode);
}

void drop_deliver(struct message *m, const size_t *rcpt, size_t nrcpt,
		  struct reply *reply)
{
	struct queue drop = { .dir = -1 };
	char name[QUEUE_ID_LEN + 8];
	bool again;

	reply_local(reply, REPLY_TO_RCPT, 250, "2.1.5", "delivered to Drop");
	snprintf(name, sizeof name, "%s.eml", m->id);
	if (queue_open(&drop, conf()->drop_dir, QUEUE_MODE_GROUP) != 0)
		goto failed;
	/* Before the quota, which this very file may have filled.  It is
	 * written again all the same: only the attempt to commit it says
	 * whether the name that stands there is durable. */
	again = stands_already(&drop, name);
	if (!again && over_quota(&drop, m)) {
		reply_local(reply, REPLY_TO_RCPT, 452, "4.2.2",
			    "Drop is full (DropDirectoryQuota)");
	} else if (write_file(&drop, name, m, rcpt, nrcpt) != 0 &&
		   !(errno == EEXIST && stands_already(&drop, name))) {
		goto failed;
	}
	queue_close(&drop);
	return;
failed:
	reply_local(reply, REPLY_TO_RCPT, 451, "4.3.0", "Drop: %s",
		    strerror(errno));
	queue_close(&drop);
}
