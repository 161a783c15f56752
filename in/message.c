/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * From standard input to a complete message: see message.h.  The header is
 * held in memory (HEADER_MAX), the rest goes by in pieces.  Only when a line
 * was too long is the text read a second time, from the file it already
 * stands in into another.
 */
#include "in/message.h"
#include "conf.h"
#include "in/identity.h"
#include "lib/codec.h"
#include "lib/log.h"
#include "lib/mime.h"
#include "lib/util.h"

#include <bsd/string.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Draining stops at whichever comes first. */
#define DRAIN_OCTETS (1024 * 1024 * 1024)
#define DRAIN_MS (20 * 1000)

/* The reading in progress. */
struct reading {
	struct incoming *in;
	struct intake intake;
	struct buf text;		/* legal lines, not stored yet */
	uint64_t stored;
	char chunk[IO_CHUNK];
};

static int refuse(struct incoming *in, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(struct incoming *in, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(in->error, sizeof in->error, fmt, ap);
	va_end(ap);
	return status;
}

void message_drain(int fd)
{
	static char chunk[IO_CHUNK];
	int64_t until = now_mono() + DRAIN_MS;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t total = 0;
	ssize_t n;

	if (isatty(fd))
		return;
	while (total < DRAIN_OCTETS && now_mono() < until) {
		if (poll(&p, 1, 1000) < 0 && errno != EINTR)
			return;
		if (!(p.revents & (POLLIN | POLLHUP | POLLERR)))
			continue;
		n = read(fd, chunk, sizeof chunk);
		if (n <= 0)
			return;
		total += (size_t)n;
	}
}

void message_prepare(struct incoming *in, const struct identity *id)
{
	time_t now = now_real();
	struct tm tm;

	localtime_r(&now, &tm);
	*in = (struct incoming){
		.max_size = conf()->max_message_size,
		.max_hops = conf()->hop_count,
		.task = {
			.fqdn = conf()->fqdn, .domain = conf()->default_domain,
			.sender = id->sender, .author = id->author,
			.full_name = id->full_name, .uid = id->uid,
			.with = "local", .now = now, .utc_offset = tm.tm_gmtoff,
			.mask = *identity_mask(), .own = id->own,
			.force_from = id->force_from,
			.add_sender = conf()->add_sender,
		},
		.env = { .sender = id->sender, .uid = id->uid, .created = now },
	};
}

void message_log_accepted(const struct message *m, const char *message_id,
			  const char *key, const char *value)
{
	char uid[16], size[24], n[24], from[ADDRESS_MAX + 3];

	snprintf(uid, sizeof uid, "%u", (unsigned)m->env.uid);
	snprintf(size, sizeof size, "%llu", (unsigned long long)m->text_size);
	snprintf(n, sizeof n, "%zu", m->env.nrcpt);
	snprintf(from, sizeof from, "<%s>", m->env.sender);
	log_event(LOG_INFO, m->id, "accepted", "uid", uid, "from", from,
		  "size", size, "nrcpt", n, "msgid", message_id, key, value,
		  NULL);
}

/* ---- reading -------------------------------------------------------------- */

/* One more piece of input into r->text.  0, or a status as message_read. */
static int more(struct reading *r)
{
	struct incoming *in = r->in;
	ssize_t n = in->read(in->ctx, r->chunk, sizeof r->chunk);

	if (n < 0 && errno == EINTR)
		return -1;
	if (n < 0)
		return refuse(in, EXIT_IOERR, "cannot read the message: %s",
			      strerror(errno));
	if (n == 0)
		in->at_end = true;
	else if (!intake_feed(&r->intake, r->chunk, (size_t)n, &r->text))
		bug("the intake buffer is too small");
	if (r->intake.ended)
		in->at_end = true;
	if (in->at_end && !intake_end(&r->intake, &r->text))
		bug("the intake buffer is too small");
	/* A NUL ends the reading at once: nothing will come of it. */
	if (r->intake.nul)
		return refuse(in, EXIT_DATAERR, "the message contains a NUL "
			      "octet; encode it as MIME");
	return 0;
}

int storage_status(int err)
{
	return err == ENOSPC || err == EDQUOT || err == EFBIG || err == EIO ?
		EXIT_IOERR : EXIT_CANTCREAT;
}

const char *storage_advice(int err)
{
	switch (err) {
	case ENOSPC: case EDQUOT:
		return "; make room there";
	case EFBIG:
		return "; raise the limit of file sizes (ulimit -f)";
	case EACCES: case EPERM: case EROFS: case ENOENT: case ENOTDIR:
		return "; see that it is a directory that may be written, or "
			"set MailRoot";
	default:
		return "";
	}
}

static int storage_failed(struct incoming *in, const char *what)
{
	int err = errno;

	in->storage_errno = err;
	return refuse(in, storage_status(err), "cannot %s in %s: %s%s", what,
		      in->q ? in->q->path : "memory", strerror(err),
		      storage_advice(err));
}

/* All of r->text into the message. */
static int store(struct reading *r)
{
	struct incoming *in = r->in;
	size_t n = buf_len(&r->text);

	r->stored += n;
	in->too_large = in->max_size && r->stored > in->max_size;
	if (in->too_large)
		return refuse(in, EXIT_DATAERR, "the message is larger than "
			      "MaxMessageSize (%llu octets)",
			      (unsigned long long)in->max_size);
	if (n > 0 && queue_put_text(in->m, buf_data(&r->text), n) != 0)
		return storage_failed(in, "write the message");
	buf_clear(&r->text);
	return 0;
}

/* ---- header and envelope ----------------------------------------------------- */

/* Reads until the header is whole; *extent gets its octets, with the empty
 * line if it has one. */
static int read_header(struct reading *r, size_t *extent, bool *separated)
{
	struct incoming *in = r->in;
	bool none = false;
	size_t at;
	int status;

	for (;;) {
		at = header_extent(buf_data(&r->text), buf_len(&r->text),
				   in->at_end, separated, &none);
		if (at > 0 || none || in->at_end)
			break;
		if (buf_len(&r->text) > HEADER_MAX)
			break;
		status = more(r);
		if (status)
			return status;
	}
	if (at > HEADER_MAX || (at == 0 && !none && !in->at_end))
		return refuse(in, EXIT_DATAERR, "the header of the message is "
			      "larger than %d octets", HEADER_MAX);
	*extent = at;
	return 0;
}

static int put_envelope(struct incoming *in, struct addr_list *to)
{
	struct buf orcpt;
	size_t i;
	int r;

	buf_init(&orcpt, ENVELOPE_MAX);
	in->env.nrcpt = to->n;
	in->env.rcpt = xcalloc(to->n, sizeof *in->env.rcpt);
	for (i = 0; i < to->n; i++) {
		if (in->given)
			in->env.rcpt[i] = in->given[to->found[i].origin];
		in->env.rcpt[i].addr = to->found[i].addr;
		if (in->given || !in->notify)
			continue;
		in->env.rcpt[i].notify = in->notify;
		buf_clear(&orcpt);
		buf_puts(&orcpt, "rfc822;");
		xtext_encode(&orcpt, to->found[i].addr);
		in->env.rcpt[i].orcpt = xstrdup(buf_str(&orcpt));
	}
	r = queue_put_envelope(in->m, &in->env);
	for (i = 0; i < to->n && !in->given; i++)
		free((char *)in->env.rcpt[i].orcpt);
	free(in->env.rcpt);
	in->env.rcpt = NULL;
	buf_free(&orcpt);
	return r == 0 ? 0 : storage_failed(in, "write the message");
}

/* What the header had of 8-bit octets and long lines is mended; what is known
 * of the body must come from the body that was read with it. */
static void measure_again(struct reading *r)
{
	struct cursor c = cursor_on(buf_data(&r->text), buf_len(&r->text));
	const char *line;
	size_t n, i;

	r->intake.eight_bit = false;
	r->intake.longest = 0;
	while (cursor_line(&c, &line, &n)) {
		if (n > r->intake.longest)
			r->intake.longest = n;
		for (i = 0; i < n && !r->intake.eight_bit; i++)
			r->intake.eight_bit = (line[i] & 0x80) != 0;
	}
}

/* The rewritten header takes the place of the one that was read. */
static int put_header(struct reading *r)
{
	struct incoming *in = r->in;
	struct addr_list to = { 0 };
	struct buf header;
	size_t extent = 0, text;
	bool separated = true;
	int status = read_header(r, &extent, &separated);

	if (status)
		return status;
	buf_init(&header, 4 * HEADER_MAX);
	text = extent;
	if (extent >= 2 && separated)
		text -= 2;		/* without its empty line */
	status = header_rewrite(buf_data(&r->text), text, &in->task,
				&in->facts, &header, in->error);
	if (status == 0 && in->facts.hops > in->max_hops)
		status = refuse(in, EXIT_UNAVAILABLE, "5.4.6 mail loop: the "
				"message has %u Received fields, HopCount is "
				"%u", in->facts.hops, in->max_hops);
	if (status == 0)
		status = in->recipients(in->ctx, &in->facts.to, &to, in->error);
	if (status == 0)
		status = put_envelope(in, &to);
	if (status == 0 && queue_put_text(in->m, buf_data(&header),
					  buf_len(&header)) != 0)
		status = storage_failed(in, "write the message");
	r->stored += buf_len(&header);
	buf_drop(&r->text, extent);
	measure_again(r);
	buf_free(&header);
	addr_list_free(&to);
	return status;
}

/* ---- long lines ------------------------------------------------------------------ */

static int pull(void *ctx, char *dst, size_t n, uint64_t at)
{
	const struct message *m = ctx;

	return pread_full(m->fd, dst, n, m->text_at + (off_t)at);
}

/* The message once more, through the plan, into a new file of the same id
 * (the first file's name is given up before, its descriptor serves on). */
static int rewrite(struct incoming *in, const struct mime_plan *plan,
		   bool *eight_bit)
{
	struct message *old = in->m;
	struct mime_reader reader;
	struct buf piece;
	size_t i;
	int r = 1;

	*eight_bit = false;
	queue_remove(old);
	in->m = old->q ? queue_new(old->q, old->id) : queue_new_memory();
	if (!in->m) {
		message_free(old);
		return storage_failed(in, "make a message");
	}
	buf_init(&piece, 8 * IO_CHUNK);
	mime_reader_init(&reader, plan, pull, old, old->text_size);
	if (queue_put_envelope(in->m, &old->env) != 0)
		r = -1;
	while (r == 1) {
		buf_clear(&piece);
		r = mime_reader_next(&reader, &piece, IO_CHUNK);
		for (i = 0; r >= 0 && !*eight_bit && i < buf_len(&piece); i++)
			*eight_bit = (buf_data(&piece)[i] & 0x80) != 0;
		if (r >= 0 && queue_put_text(in->m, buf_data(&piece),
					     buf_len(&piece)) != 0)
			r = -1;
	}
	buf_free(&piece);
	message_free(old);
	return r == 0 ? 0 : storage_failed(in, "write the message");
}

static int mend_long_lines(struct incoming *in, bool *eight_bit)
{
	struct mime_plan plan = { 0 };
	int status = 0;

	if (mime_plan_make(&plan, MIME_LONG_LINES, pull, in->m,
			   in->m->text_size) != 0)
		status = storage_failed(in, "read the message back");
	else if (plan.signed_part)
		status = refuse(in, EXIT_DATAERR, "a signed part has a line of "
				"over %d octets: it cannot be encoded without "
				"breaking the signature", LINE_MAX_OCTETS);
	else if (plan.impossible)
		status = refuse(in, EXIT_DATAERR, "the message has a line of "
				"over %d octets where no encoding may stand",
				LINE_MAX_OCTETS);
	else if (plan.n > 0)
		status = rewrite(in, &plan, eight_bit);
	mime_plan_free(&plan);
	return status;
}

/* ---- all of it --------------------------------------------------------------------- */

static int read_all(struct reading *r)
{
	struct incoming *in = r->in;
	bool eight_bit;
	int status = put_header(r);

	while (status == 0) {
		status = store(r);
		if (status || in->at_end)
			break;
		status = more(r);
	}
	if (status)
		return status;
	eight_bit = r->intake.eight_bit;
	if (r->intake.longest > LINE_MAX_OCTETS)
		status = mend_long_lines(in, &eight_bit);
	if (status == 0 && queue_complete(in->m, eight_bit) != 0)
		status = storage_failed(in, "write the message");
	return status;
}

int message_read(struct incoming *in)
{
	struct reading *r = xcalloc(1, sizeof *r);
	int status;

	r->in = in;
	r->intake.dots = in->dots;
	/* The header whole, and a piece that doubles (a lone LF is CRLF). */
	buf_init(&r->text, 2 * HEADER_MAX + 4 * IO_CHUNK);
	in->m = in->q ? queue_new(in->q, in->id) : queue_new_memory();
	if (!in->m) {
		status = storage_failed(in, "make a message");
	} else {
		in->task.id = in->m->id;
		status = read_all(r);
	}
	if (status && in->m) {
		queue_remove(in->m);
		message_free(in->m);
		in->m = NULL;
	}
	buf_free(&r->text);
	free(r);
	return status;
}
