/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* Small helpers with no mail in them: see util.h. */
#include "lib/util.h"
#include "lib/log.h"
#include "lib/reply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

bool die_quiet, die_kept;

/* ---- time -------------------------------------------------------------- */

time_t now_real(void)
{
	return time(NULL);
}

int64_t now_real_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t now_mono(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The decimal number in n digits at s, or -1. */
static int digits(const char *s, int n)
{
	int v = 0;

	while (n-- > 0) {
		if (*s < '0' || *s > '9')
			return -1;
		v = v * 10 + (*s++ - '0');
	}
	return v;
}

/* Six numbers, checked by printing them again: 31 February does not pass. */
static bool to_time(const int part[6], time_t *t)
{
	struct tm tm = { .tm_year = part[0] - 1900, .tm_mon = part[1] - 1,
			 .tm_mday = part[2], .tm_hour = part[3],
			 .tm_min = part[4], .tm_sec = part[5] };
	struct tm again = tm;
	int i;

	for (i = 0; i < 6; i++)
		if (part[i] < 0)
			return false;
	*t = timegm(&again);
	return again.tm_year == tm.tm_year && again.tm_mon == tm.tm_mon &&
	       again.tm_mday == tm.tm_mday && again.tm_hour == tm.tm_hour &&
	       again.tm_min == tm.tm_min && again.tm_sec == tm.tm_sec;
}

/* Years outside 0000-9999 would break the fixed width. */
static struct tm utc(time_t t)
{
	struct tm tm;

	if (t < 0)
		t = 0;
	if (t > 253402300799)
		t = 253402300799;
	gmtime_r(&t, &tm);
	return tm;
}

void stamp_print(char dst[STAMP_LEN + 1], time_t t)
{
	struct tm tm = utc(t);

	strftime(dst, STAMP_LEN + 1, "%Y%m%dT%H%M%SZ", &tm);
}

bool stamp_parse(const char *s, time_t *t)
{
	int part[6];

	if (strnlen(s, STAMP_LEN) < STAMP_LEN || s[8] != 'T' || s[15] != 'Z')
		return false;
	part[0] = digits(s, 4);
	part[1] = digits(s + 4, 2);
	part[2] = digits(s + 6, 2);
	part[3] = digits(s + 9, 2);
	part[4] = digits(s + 11, 2);
	part[5] = digits(s + 13, 2);
	return to_time(part, t);
}

void isotime_print(char dst[21], time_t t)
{
	struct tm tm = utc(t);

	strftime(dst, 21, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

bool isotime_parse(const char *s, time_t *t)
{
	int part[6];

	if (strnlen(s, 20) < 20 || s[4] != '-' || s[7] != '-' || s[10] != 'T' ||
	    s[13] != ':' || s[16] != ':' || s[19] != 'Z')
		return false;
	part[0] = digits(s, 4);
	part[1] = digits(s + 5, 2);
	part[2] = digits(s + 8, 2);
	part[3] = digits(s + 11, 2);
	part[4] = digits(s + 14, 2);
	part[5] = digits(s + 17, 2);
	return to_time(part, t);
}

/* ---- memory, randomness -------------------------------------------------- */

static void *or_die(void *p)
{
	if (!p)
		die(EXIT_OSERR, "out of memory");
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	return or_die(calloc(n ? n : 1, size ? size : 1));
}

void *xreallocarray(void *p, size_t n, size_t size)
{
	return or_die(reallocarray(p, n ? n : 1, size ? size : 1));
}

char *xstrdup(const char *s)
{
	return or_die(strdup(s));
}

char *xstrndup(const char *s, size_t n)
{
	return or_die(strndup(s, n));
}

void random_bytes(void *p, size_t n)
{
	if (getentropy(p, n) != 0)
		die(EXIT_OSERR, "the system gives no random numbers: %s",
		    strerror(errno));
}

/* ---- whole reads and writes ------------------------------------------------ */

int write_full(int fd, const void *p, size_t n)
{
	const char *s = p;
	ssize_t did;

	while (n > 0) {
		did = write(fd, s, n);
		if (did < 0 && errno != EINTR)
			return -1;
		if (did > 0) {
			s += did;
			n -= (size_t)did;
		}
	}
	return 0;
}

int pwrite_full(int fd, const void *p, size_t n, off_t at)
{
	const char *s = p;
	ssize_t did;

	while (n > 0) {
		did = pwrite(fd, s, n, at);
		if (did < 0 && errno != EINTR)
			return -1;
		if (did > 0) {
			s += did;
			at += did;
			n -= (size_t)did;
		}
	}
	return 0;
}

int pread_full(int fd, void *p, size_t n, off_t at)
{
	char *s = p;
	ssize_t did;

	while (n > 0) {
		did = pread(fd, s, n, at);
		if (did == 0)
			errno = EIO;
		if (did == 0 || (did < 0 && errno != EINTR))
			return -1;
		if (did > 0) {
			s += did;
			at += did;
			n -= (size_t)did;
		}
	}
	return 0;
}

ssize_t read_some(int fd, void *p, size_t n, const volatile int *stop)
{
	ssize_t did;

	do {
		if (stop && *stop) {
			errno = EINTR;
			return -1;
		}
		did = read(fd, p, n);
	} while (did < 0 && errno == EINTR);
	return did;
}

char *read_file(const char *path, size_t max, size_t *n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	char *text = NULL;
	size_t len = 0, cap = 4096;
	ssize_t did;
	int err;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		goto fail;
	}
	for (;;) {
		text = xreallocarray(text, cap + 1, 1);
		did = read_some(fd, text + len, cap - len, NULL);
		if (did < 0)
			goto fail;
		if (did == 0)
			break;
		len += (size_t)did;
		if (len > max) {
			errno = EFBIG;
			goto fail;
		}
		if (len == cap)
			cap *= 2;
	}
	close(fd);
	text[len] = '\0';
	if (n)
		*n = len;
	return text;
fail:
	err = errno;
	close(fd);
	free(text);
	errno = err;
	return NULL;
}

/* ---- strings ----------------------------------------------------------------- */

bool parse_number(const char *s, uint64_t max, uint64_t *value)
{
	uint64_t v = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		if (v > (max - (uint64_t)(*s - '0')) / 10)
			return false;
		v = v * 10 + (uint64_t)(*s - '0');
	}
	*value = v;
	return v <= max;
}

bool ends_with_nocase(const char *s, const char *tail)
{
	size_t n = strlen(s), t = strlen(tail);

	return n >= t && strcasecmp(s + n - t, tail) == 0;
}

char *trim(char *s)
{
	size_t n;

	s += strspn(s, " \t\r\n");
	n = strlen(s);
	while (n > 0 && strchr(" \t\r\n", s[n - 1]))
		s[--n] = '\0';
	return s;
}

/* ---- the one line of a failure ------------------------------------------------- */

static void say(int priority, bool quiet, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

static void say(int priority, bool quiet, const char *fmt, va_list ap)
{
	char text[1024], line[1024];

	vsnprintf(text, sizeof text, fmt, ap);
	printable(line, sizeof line, text, strlen(text));
	log_note(priority, "%s", line);
	if (!die_quiet && !quiet)
		fprintf(stderr, "sendmail: %s\n", line);
}

void die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(LOG_ERR, die_kept, fmt, ap);
	va_end(ap);
	exit(die_kept ? EXIT_OK : status);
}

void complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(LOG_WARNING, false, fmt, ap);
	va_end(ap);
}

int open_nowhere(void)
{
	int fd = open("/dev/null", O_RDWR);

	return fd >= 0 ? fd : open("/", O_RDONLY | O_DIRECTORY);
}

/* Whoever captures our output ($(...), popen) waits until every copy of the
 * descriptor is closed: so the child keeps none. */
static void let_go(void)
{
	int fd = open_nowhere();

	setsid();
	if (fd >= 0) {
		dup2(fd, 0);
		dup2(fd, 1);
		dup2(fd, 2);
		if (fd > 2)
			close(fd);
	}
	die_quiet = true;
}

int detach(void)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -1;
	if (pid > 0) {
		while (waitpid(pid, &status, 0) < 0)
			if (errno != EINTR)
				return -1;
		return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
	}
	/* Twice, so that the grandchild is nobody's zombie. */
	pid = fork();
	if (pid != 0)
		_exit(pid < 0);
	let_go();
	return 1;
}

void bug(const char *what)
{
	die(EXIT_SOFTWARE, "this cannot be: %s (please report it)", what);
}
