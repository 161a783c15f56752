/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* Advice that outlives a process: see state.h. */
#include "out/state.h"
#include "config.h"
#include "conf.h"
#include "lib/buf.h"
#include "lib/log.h"
#include "lib/util.h"
#include "queue.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* Hosts remembered; a list that is longer is an attack or a bug. */
#define STATE_MAX (64 * 1024)
/* What was so long ago is not held against a hop any more. */
#define DOWN_FORGET_SECONDS (4 * DOWN_MOST_SECONDS)
/* The key of the way itself. */
#define PORT_25 "port25"

static const char *path_of(const char *name, char dst[4096])
{
	snprintf(dst, 4096, "%s/%s", conf()->state_dir, name);
	return dst;
}

/* The lines "host<blank>number" of a state file; NULL if there is none. */
static char *load(const char *name)
{
	char path[4096];

	return read_file(path_of(name, path), STATE_MAX, NULL);
}

/* Takes the next line apart.  False at the end. */
static bool next(char **at, char **host, uint64_t *when)
{
	char *line, *number;

	while ((line = strsep(at, "\n")) != NULL) {
		number = strchr(line, ' ');
		if (!number)
			continue;
		*number++ = '\0';
		*host = line;
		if (parse_number(number, UINT64_C(1) << 60, when))
			return true;
	}
	return false;
}

bool state_no_bdat(const char *host, time_t now)
{
	char *text = load("no-bdat"), *at = text, *name;
	bool known = false;
	uint64_t when;

	while (at && next(&at, &name, &when))
		if (strcasecmp(name, host) == 0 && (time_t)when <= now &&
		    now - (time_t)when < BDAT_MEMORY_SECONDS)
			known = true;
	free(text);
	return known;
}

void state_make_folder(void)
{
	struct queue q;

	queue_open(&q, conf()->state_dir, QUEUE_MODE_GROUP);
	queue_close(&q);
}

/* The whole file anew, by rename: readers take no lock. */
static void store(const char *name, const struct buf *b)
{
	char path[4096], tmp[4096 + 32];
	int fd;

	state_make_folder();
	snprintf(tmp, sizeof tmp, "%s.%ld", path_of(name, path),
		 (long)getpid());
	/* Who had our number before us was killed; in a container the numbers
	 * come again at each start. */
	unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		  0660);
	if (fd < 0)
		return;
	if (write_full(fd, buf_data(b), buf_len(b)) != 0 ||
	    rename(tmp, path) != 0)
		unlink(tmp);
	close(fd);
}

void state_set_no_bdat(const char *host, time_t now)
{
	char *text = load("no-bdat"), *at = text, *name;
	struct buf b;
	uint64_t when;

	buf_init(&b, STATE_MAX);
	buf_printf(&b, "%s %lld\n", host, (long long)now);
	while (at && next(&at, &name, &when))
		if (strcasecmp(name, host) != 0 && (time_t)when <= now &&
		    now - (time_t)when < BDAT_MEMORY_SECONDS)
			buf_printf(&b, "%s %llu\n", name,
				   (unsigned long long)when);
	free(text);
	store("no-bdat", &b);
	buf_free(&b);
}

/* ---- what is down --------------------------------------------------------- */

/* A file a hop, "failures when": no list that everybody would rewrite. */
static bool read_down(const char *key, uint64_t *failures, uint64_t *when)
{
	char name[320], *text, *at, *count;
	bool known;

	snprintf(name, sizeof name, "down-%.240s", key);
	text = at = load(name);
	known = at && next(&at, &count, when) &&
		parse_number(count, 1000000, failures);
	free(text);
	return known;
}

/* The time it is left alone after so many failures. */
static time_t rest(uint64_t failures)
{
	time_t s = DOWN_FIRST_SECONDS;

	for (; failures > 1 && s < DOWN_MOST_SECONDS; failures--)
		s *= 2;
	return s < DOWN_MOST_SECONDS ? s : DOWN_MOST_SECONDS;
}

static bool resting(const char *key, time_t now)
{
	uint64_t failures, when;

	return read_down(key, &failures, &when) && (time_t)when <= now &&
		now - (time_t)when < rest(failures);
}

static bool is_mx(const char *key)
{
	return strncmp(key, "mx-", 3) == 0;
}

bool state_is_down(const char *key, time_t now)
{
	return resting(key, now) || (is_mx(key) && resting(PORT_25, now));
}

static void write_down(const char *key, time_t now)
{
	uint64_t failures = 0, when;
	char name[320];
	struct buf b;

	/* What was long ago is not held against it. */
	if (!read_down(key, &failures, &when) || (time_t)when > now ||
	    now - (time_t)when > DOWN_FORGET_SECONDS)
		failures = 0;
	snprintf(name, sizeof name, "down-%.240s", key);
	buf_init(&b, 128);
	buf_printf(&b, "%llu %lld\n", (unsigned long long)failures + 1,
		   (long long)now);
	store(name, &b);
	buf_free(&b);
}

/* Different domains that could not be reached since one was: in this process
 * too, where others were asked at the same time. */
static bool mx_was_up;

static void count_domain(const char *key, time_t now)
{
	char *text = load("unreached"), *at = text, *name;
	unsigned n = 1;
	struct buf b;
	uint64_t when;

	buf_init(&b, STATE_MAX);
	buf_printf(&b, "%s %lld\n", key, (long long)now);
	while (at && n < 3 && next(&at, &name, &when))
		if (strcmp(name, key) != 0 && (time_t)when <= now &&
		    now - (time_t)when < 2 * DOWN_MOST_SECONDS) {
			buf_printf(&b, "%s %llu\n", name,
				   (unsigned long long)when);
			n++;
		}
	free(text);
	store("unreached", &b);
	buf_free(&b);
	if (n < 3 || resting(PORT_25, now))
		return;
	write_down(PORT_25, now);
	log_event(LOG_WARNING, NULL, "port25", "text", "port 25 seems to be "
		  "blocked: three domains in a row could not be reached; a "
		  "smart host is needed (SmartHost)", NULL);
}

void state_set_down(const char *key, time_t now)
{
	write_down(key, now);
	if (is_mx(key) && !mx_was_up)
		count_domain(key, now);
}

static void forget(const char *name)
{
	char path[4096];

	unlink(path_of(name, path));
}

void state_set_up(const char *key)
{
	char name[320];

	snprintf(name, sizeof name, "down-%.240s", key);
	forget(name);
	if (is_mx(key)) {
		mx_was_up = true;
		forget("down-" PORT_25);
		forget("unreached");
	}
}

/* ---- what nobody asks for any more ----------------------------------------- */

/* A hop that was down, or "name.pid" of a process that was killed; nothing
 * that could be another program's. */
static bool is_passing(const char *name)
{
	static const char *const ours[] = {
		"no-bdat.", "unreached.", "last-run.", "no-run-said.",
	};
	size_t i, n;

	if (strncmp(name, "down-", 5) == 0)
		return true;
	for (i = 0; i < sizeof ours / sizeof *ours; i++) {
		n = strlen(ours[i]);
		if (strncmp(name, ours[i], n) == 0 && name[n] &&
		    !name[n + strspn(name + n, "0123456789")])
			return true;
	}
	return false;
}

void state_forget(time_t now)
{
	DIR *d = opendir(conf()->state_dir);
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d)) != NULL)
		if (is_passing(e->d_name) &&
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) ==
		    0 && now - st.st_mtime > DOWN_FORGET_SECONDS)
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
}

/* ---- the log of last resort --------------------------------------------------- */

void state_trim_log(void)
{
	char path[4096], old[4096 + 8];
	struct stat st;

	path_of("log", path);
	if (lstat(path, &st) != 0 || st.st_size < STATE_LOG_MAX)
		return;
	snprintf(old, sizeof old, "%s.old", path);
	if (rename(path, old) == 0)
		log_reopen();
}

/* ---- the queue runner -------------------------------------------------------- */

static void store_time(const char *name, time_t now)
{
	struct buf b;

	buf_init(&b, 64);
	buf_printf(&b, "%s %lld\n", name, (long long)now);
	store(name, &b);
	buf_free(&b);
}

/* False: no such file, or a time that has not come. */
static bool load_time(const char *name, time_t now, time_t *t)
{
	char *text = load(name), *at = text, *word;
	uint64_t when;
	bool known = at && next(&at, &word, &when) && (time_t)when <= now;

	if (known)
		*t = (time_t)when;
	free(text);
	return known;
}

void state_run_ended(time_t now)
{
	store_time("last-run", now);
}

bool state_run_missing(time_t now, bool kept)
{
	time_t t;

	if (!load_time("last-run", now, &t)) {
		if (kept)
			state_run_ended(now);
		return false;
	}
	if (now - t < NO_RUN_SECONDS)
		return false;
	if (load_time("no-run-said", now, &t) && now - t < NO_RUN_SECONDS)
		return false;
	store_time("no-run-said", now);
	return true;
}

/* ---- for the engine's callers ------------------------------------------------ */

void state_learn(const struct deliver_record *r, const char *id)
{
	switch (r->what) {
	case DELIVER_HOST:
		log_event(LOG_INFO, id, "host", "hop", r->hop, "host", r->host,
			  "address", r->address, "reply", r->reply.text, NULL);
		break;
	case DELIVER_NO_BDAT:
		state_set_no_bdat(r->host, now_real());
		break;
	case DELIVER_DOWN:
		state_set_down(r->key, now_real());
		break;
	case DELIVER_UP:
		state_set_up(r->key);
		break;
	case DELIVER_WANT:
	case DELIVER_FATE:
	case DELIVER_DONE:
		break;
	}
}

bool state_answer_no_bdat(void *ctx, const char *host)
{
	(void)ctx;
	return state_no_bdat(host, now_real());
}
