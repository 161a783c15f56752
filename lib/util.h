/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Small helpers with no mail in them: the two clocks, memory that does not
 * fail, whole reads and writes, an exit with one line.  Each kind of system
 * call that touches message text has its one place here, so that the tests
 * can stand in its way.
 */
#ifndef LIB_UTIL_H
#define LIB_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* sysexits(3), by the names sendmail's callers know. */
enum {
	EXIT_OK = 0,
	EXIT_USAGE = 64, EXIT_DATAERR = 65, EXIT_NOUSER = 67,
	EXIT_NOHOST = 68, EXIT_UNAVAILABLE = 69, EXIT_SOFTWARE = 70,
	EXIT_OSERR = 71, EXIT_CANTCREAT = 73, EXIT_IOERR = 74,
	EXIT_NOPERM = 77, EXIT_CONFIG = 78,
};

/* Seconds since 1970: for what is written to disk. */
time_t now_real(void);
/* The same in milliseconds: for the age of a file that may still grow. */
int64_t now_real_ms(void);
/* Milliseconds of a clock that only goes forward: for time-outs. */
int64_t now_mono(void);

/* "20261122T013000Z" and back.  parse: false if it is not exactly that. */
#define STAMP_LEN 16
void stamp_print(char dst[STAMP_LEN + 1], time_t t);
bool stamp_parse(const char *s, time_t *t);
/* "2026-11-22T01:00:00Z", 20 characters. */
void isotime_print(char dst[21], time_t t);
bool isotime_parse(const char *s, time_t *t);

/* Never NULL: without memory the program ends with 71, which the queue
 * survives by construction. */
void *xcalloc(size_t n, size_t size);
void *xreallocarray(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);

/* n random octets; ends the program with 71 if the system has none. */
void random_bytes(void *p, size_t n);

/* All n octets or -1 with errno; EINTR and short counts are handled. A file
 * that ends early is EIO for pread_full. */
int write_full(int fd, const void *p, size_t n);
int pwrite_full(int fd, const void *p, size_t n, off_t at);
int pread_full(int fd, void *p, size_t n, off_t at);
/* One read, EINTR retried unless *stop (may be NULL) has become non-zero:
 * then -1 with EINTR. */
ssize_t read_some(int fd, void *p, size_t n, const volatile int *stop);

/* A whole small file as a string (the caller frees), at most max octets:
 * more is EFBIG.  NULL with errno. */
char *read_file(const char *path, size_t max, size_t *n);

/* A descriptor that is none: /dev/null, or, where there is no /dev, one that
 * can be neither read nor written.  -1 with errno. */
int open_nowhere(void);

/* A decimal number of digits only, at most max.  False otherwise. */
bool parse_number(const char *s, uint64_t max, uint64_t *value);

bool ends_with_nocase(const char *s, const char *tail);
/* s without blanks at both ends, in place. */
char *trim(char *s);

/*
 * One line "sendmail: ..." on standard error, the same to the log, then
 * exit(status).  With die_quiet set (ErrorMode quiet, or -bs, whose standard
 * error may be the dialogue) only the log gets it.  With die_kept set the
 * caller's message is promised: only the log gets it, and the status is 0.
 */
extern bool die_quiet, die_kept;
void die(int status, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));
/* The line without the exit. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * A process of its own that nobody has to wait for and that holds nothing of
 * the caller's: a session of its own, /dev/null as 0 to 2, die_quiet.  1: we
 * are it; 0: it runs; -1: there is none.
 */
int detach(void);

/* A state that cannot be: logs and ends with 70.  Always allowed, because
 * the queue stands whatever is killed. */
void bug(const char *what) __attribute__((noreturn));

#endif
