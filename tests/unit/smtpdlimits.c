/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * in/smtpd and in/wire with small limits, compiled here once more under other
 * names: the times of silence, recipients, what is thrown away.  Each row is a
 * session in a process of its own; they run at the same time.
 */
#define SMTPD_TRANSACTION_SECONDS 1
#define SMTPD_IDLE_SECONDS 2
#define SMTPD_RECIPIENTS_MAX 3
#define SMTPD_RUNS_MAX 2
#define SMTPD_DISCARD_MAX 5000
#define smtpd hasty_smtpd
#define smtpd_unable hasty_smtpd_unable
#define wire_open hasty_wire_open
#define wire_line hasty_wire_line
#define wire_unread hasty_wire_unread
#define wire_octets hasty_wire_octets
#define wire_take hasty_wire_take
#define wire_say hasty_wire_say
#define wire_flush hasty_wire_flush
#include "in/smtpd.c"
#include "in/wire.c"

#include "tests/check.h"
#include "tests/mailroot.h"

#include <bsd/unistd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define BEGIN	"HELO x\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n"

static const struct {
	const char *name, *say;	/* \b is a NUL */
	size_t more;		/* times 100 octets "x" behind it */
	bool end;		/* then the end of the input; else silence */
	const char *codes;	/* of the replies */
	unsigned low, high;	/* it takes so many tenths of a second */
} rows[] = {
	{ "silence at first", "", 0, false, "220 421", 20, 40 },
	{ "silence in a line", "NO", 0, false, "220 421", 20, 40 },
	{ "silence outside a transaction", "NOOP\r\n", 0, false,
	  "220 250 421", 20, 40 },
	{ "silence in a transaction", BEGIN, 0, false,
	  "220 250 250 250 421", 10, 18 },
	{ "silence in a text", BEGIN "DATA\r\nSubject: x\r\n", 0, false,
	  "220 250 250 250 354 421", 10, 18 },
	{ "silence in a refused text", BEGIN "DATA\r\n\r\n\b\r\n",
	  0, false, "220 250 250 250 354 421", 10, 18 },
	{ "silence in a chunk", "EHLO x\r\nMAIL FROM:<a@x.test>\r\n"
	  "RCPT TO:<b@y.test>\r\nBDAT 10\r\n12345", 0, false,
	  "220 250 250 250 421", 10, 18 },
	{ "silence between chunks", "EHLO x\r\nMAIL FROM:<a@x.test>\r\n"
	  "RCPT TO:<b@y.test>\r\nBDAT 5\r\n12345", 0, false,
	  "220 250 250 250 250 421", 10, 18 },
	{ "silence in a chunk that is refused", "BDAT 10\r\n12345", 0, false,
	  "220 421", 10, 18 },
	{ "the third queue run", "EHLO x\r\nETRN a.test\r\nETRN b.test\r\n"
	  "ETRN c.test\r\nQUIT\r\n", 0, true, "220 250 250 250 458 221",
	  0, 10 },
	{ "the fourth recipient", BEGIN "RCPT TO:<c@y.test>\r\n"
	  "RCPT TO:<d@y.test>\r\nRCPT TO:<e@y.test>\r\nQUIT\r\n", 0, true,
	  "220 250 250 250 250 250 452 221", 0, 9 },
	{ "a line without end", "NOOP ", 200, false, "220 421", 0, 9 },
	{ "a chunk that is refused without end", "BDAT 20000\r\n", 200, false,
	  "220 421", 0, 9 },
	{ "the end in a chunk that is refused", "BDAT 4000\r\n", 20, true,
	  "220", 0, 9 },
	{ "the end in a line", "QUIT", 0, true, "220", 0, 9 },
};

struct child {
	pid_t pid;
	int fd;			/* our end */
	int64_t took;		/* tenths of a second; -1 it has not ended */
	int status;
};
enum { NROWS = sizeof rows / sizeof *rows };
static struct child children[NROWS];

static void begin(struct child *c)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		die(EXIT_OSERR, "socketpair: %s", strerror(errno));
	c->pid = fork();
	if (c->pid == 0) {
		dup2(pair[1], 0);
		dup2(pair[1], 1);
		/* Another's end that stays open here has no end there. */
		closefrom(3);
		_exit(smtpd());
	}
	close(pair[1]);
	c->fd = pair[0];
	c->took = -1;
}

static void speak(size_t row)
{
	const char *s;
	char x[100];
	size_t i;

	memset(x, 'x', sizeof x);
	/* It may hang up in the middle of them. */
	for (s = rows[row].say; *s; s++)
		send(children[row].fd, *s == '\b' ? "" : s, 1, MSG_NOSIGNAL);
	for (i = 0; i < rows[row].more; i++)
		send(children[row].fd, x, sizeof x, MSG_NOSIGNAL);
	if (rows[row].end)
		shutdown(children[row].fd, SHUT_WR);
}

/* One session after the other ends by itself. */
static void await_all(int64_t begun)
{
	size_t i, left = NROWS;
	int status;
	pid_t pid;

	while (left > 0 && (pid = waitpid(-1, &status, 0)) > 0)
		for (i = 0; i < NROWS; i++)
			if (children[i].pid == pid) {
				children[i].took = (now_mono() - begun) / 100;
				children[i].status = status;
				left--;
			}
}

/* The codes of what comes until the end. */
static void read_codes(int fd, char *codes, size_t size)
{
	struct buf got;
	struct cursor c;
	const char *line;
	size_t n, len = 0;
	ssize_t did;

	buf_init(&got, 100000);
	while ((did = read(fd, buf_room(&got, 1000), 1000)) > 0)
		buf_grew(&got, (size_t)did);
	c = cursor_on(buf_data(&got), buf_len(&got));
	codes[0] = '\0';
	while (cursor_line(&c, &line, &n))
		if (n > 3 && line[3] == ' ' && len + 5 < size)
			len += (size_t)snprintf(codes + len, size - len,
						"%s%.3s", len ? " " : "",
						line);
	buf_free(&got);
}

static void test_row(size_t row)
{
	const struct child *c = &children[row];
	char codes[200];

	read_codes(c->fd, codes, sizeof codes);
	close(c->fd);
	check_str(rows[row].name, codes, rows[row].codes);
	check_int(rows[row].name, c->status, 0);
	/* A busy machine may be late, and none is early. */
	if (!check(c->took >= rows[row].low && c->took <= rows[row].high + 20,
		   rows[row].name))
		printf("  took %d tenths of a second\n", (int)c->took);
}

int main(void)
{
	int64_t begun;
	size_t i;

	signal(SIGALRM, SIG_DFL);
	alarm(60);
	mailroot_begin("DeliveryMode = queueonly\n"
		       "FullyQualifiedDomainName = client.test\n"
		       "DefaultDomain = client.test\n");
	begun = now_mono();
	for (i = 0; i < NROWS; i++)
		begin(&children[i]);
	for (i = 0; i < NROWS; i++)
		speak(i);
	await_all(begun);
	for (i = 0; i < NROWS; i++)
		test_row(i);
	mailroot_end();
	return check_done("smtpdlimits");
}
