/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * One line an event.  The syslog protocol is spoken here, in one datagram
 * that never blocks: syslog(3) waits for a daemon that does not read, has had
 * holes reached through argv[0], and cannot say that nobody listens - which
 * we must know in order to write State/log instead.
 */
#include "lib/log.h"
#include "lib/buf.h"
#include "lib/reply.h"
#include "lib/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* RFC 3164 asks for 1 KiB at most; what is longer is cut by some daemons. */
#define LINE 2048

static struct {
	const char *file, *fallback;
	bool json;
	int facility;
	int fd;		/* LogFile or the fallback, once open; -1 */
	int sock;	/* syslog; -1 */
	bool tried;	/* syslog has been looked for */
	bool opened;	/* log_open was called */
	bool kept_out;	/* a line, by a limit of file sizes */
	char early[4 * LINE];	/* what came before, a line each */
	size_t nearly;
	const char *tag;
} out = { .file = "", .facility = LOG_MAIL, .fd = -1, .sock = -1 };

static bool to_file(const char *path, const char *line, size_t n);

/* What was said before anybody knew where to. */
static void put_early(void)
{
	const char *path = out.file[0] ? out.file : out.fallback;
	char *at = out.early, *line;

	out.nearly = 0;
	while (path && (line = strsep(&at, "\n")) != NULL) {
		if (!*line)
			continue;
		if (out.json)
			log_event(LOG_NOTICE, NULL, "note", "text", line, NULL);
		else
			to_file(path, line, strlen(line));
	}
}

bool log_kept_out(void)
{
	return out.kept_out;
}

void log_tag(const char *tag)
{
	out.tag = tag;
}

void log_reopen(void)
{
	if (out.fd > 2)
		close(out.fd);
	out.fd = -1;
}

void log_open(const char *file, bool json, int facility, const char *fallback)
{
	log_reopen();
	out.file = file;
	out.json = json;
	out.facility = facility;
	out.fallback = fallback;
	out.opened = true;
	if (out.nearly > 0)
		put_early();
}

/* Is syslog there?  Connected once; a daemon that went away is noticed by
 * the send. */
static bool have_syslog(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX,
				  .sun_path = PATH_DEVLOG };

	if (out.sock >= 0 || out.tried)
		return out.sock >= 0;
	out.tried = true;
	out.sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			  0);
	if (out.sock >= 0 &&
	    connect(out.sock, (struct sockaddr *)&un, sizeof un) != 0) {
		close(out.sock);
		out.sock = -1;
	}
	return out.sock >= 0;
}

static bool to_syslog(int priority, const char *line, size_t n)
{
	char packet[LINE + 128], when[32];
	struct tm tm;
	time_t now = now_real();
	int len;

	if (!have_syslog())
		return false;
	localtime_r(&now, &tm);
	strftime(when, sizeof when, "%b %e %H:%M:%S", &tm);
	len = snprintf(packet, sizeof packet, "<%d>%s mailroot[%ld]: %.*s",
		       out.facility | priority, when, (long)getpid(), (int)n,
		       line);
	if (len >= (int)sizeof packet)
		len = (int)sizeof packet - 1;
	return send(out.sock, packet, (size_t)len, MSG_NOSIGNAL) >= 0 ||
	       errno == EAGAIN || errno == ENOBUFS;
}

/* Is there room for n octets more?  A line is written whole or not at all: of
 * half a one the next, another process's, would be the rest. */
static bool fits(int fd, size_t n)
{
	struct rlimit r;
	struct stat st;

	return getrlimit(RLIMIT_FSIZE, &r) != 0 || r.rlim_cur == RLIM_INFINITY ||
		fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
		(rlim_t)st.st_size + n <= r.rlim_cur;
}

static bool to_file(const char *path, const char *line, size_t n)
{
	char text[LINE + 64], when[21];
	int len;

	if (out.fd < 0 && strcmp(path, "stderr") == 0)
		out.fd = STDERR_FILENO;
	if (out.fd < 0)
		out.fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC |
			      O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0660);
	if (out.fd < 0)
		return false;
	isotime_print(when, now_real());
	if (out.json)
		len = snprintf(text, sizeof text, "%.*s\n", (int)n, line);
	else
		len = snprintf(text, sizeof text, "%s mailroot[%ld]: %.*s\n",
			       when, (long)getpid(), (int)n, line);
	if (len >= (int)sizeof text) {
		len = (int)sizeof text - 1;
		text[len - 1] = '\n';
	}
	if (!fits(out.fd, (size_t)len)) {
		out.kept_out = true;
		return false;
	}
	/* One write: lines of several processes do not mix. */
	return write(out.fd, text, (size_t)len) == len;
}

static void emit(int priority, const char *line, size_t n)
{
	if (out.file[0] && to_file(out.file, line, n))
		return;
	if (to_syslog(priority, line, n)) {
		out.kept_out = false;
		return;
	}
	if (out.fallback)
		to_file(out.fallback, line, n);
	/* As many as fit: later ones are not worth more. */
	if (!out.opened && n + 2 <= sizeof out.early - out.nearly) {
		memcpy(out.early + out.nearly, line, n);
		out.nearly += n;
		out.early[out.nearly++] = '\n';
		out.early[out.nearly] = '\0';
	}
}

/* value made printable, with what is quoted in both forms escaped. */
static void put_quoted(struct buf *b, const char *value)
{
	char clean[LINE];
	const char *s;

	printable(clean, sizeof clean, value, strlen(value));
	buf_putc(b, '"');
	for (s = clean; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_putc(b, '\\');
		buf_putc(b, *s);
	}
	buf_putc(b, '"');
}

static void put_pair(struct buf *b, const char *key, const char *value)
{
	char clean[LINE];

	if (out.json) {
		buf_printf(b, ",\"%s\":", key);
		put_quoted(b, value);
		return;
	}
	buf_printf(b, " %s=", key);
	printable(clean, sizeof clean, value, strlen(value));
	if (strpbrk(clean, " \"\\="))
		put_quoted(b, clean);
	else
		buf_puts(b, clean);
}

/* Only syslog has a priority beside the line; a file that is searched for what
 * is wrong has the words.  NULL: nothing is wrong. */
static const char *level(int priority)
{
	static const char *const words[] = {
		[LOG_EMERG] = "emerg", [LOG_ALERT] = "alert",
		[LOG_CRIT] = "crit", [LOG_ERR] = "err",
		[LOG_WARNING] = "warning",
	};

	return priority >= 0 && priority <= LOG_WARNING ? words[priority] :
		NULL;
}

void log_event(int priority, const char *id, const char *event, ...)
{
	char mem_when[21];
	struct buf b;
	const char *key, *value;
	va_list ap;

	buf_init(&b, 4 * LINE);
	if (out.json) {
		isotime_print(mem_when, now_real());
		buf_printf(&b, "{\"time\":\"%s\",\"id\":\"%s\",\"event\":\"%s\"",
			   mem_when, id ? id : "", event);
	} else {
		buf_printf(&b, "%s %s", id ? id : "-", event);
	}
	if (level(priority))
		put_pair(&b, "level", level(priority));
	if (out.tag && *out.tag)
		put_pair(&b, "tag", out.tag);
	va_start(ap, event);
	while ((key = va_arg(ap, const char *)) != NULL) {
		value = va_arg(ap, const char *);
		if (value && *value)
			put_pair(&b, key, value);
	}
	va_end(ap);
	if (out.json)
		buf_putc(&b, '}');
	emit(priority, buf_str(&b), buf_len(&b));
	buf_free(&b);
}

void log_note(int priority, const char *fmt, ...)
{
	char text[LINE], clean[LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	printable(clean, sizeof clean, text, strlen(text));
	log_event(priority, NULL, "note", "text", clean, NULL);
}
