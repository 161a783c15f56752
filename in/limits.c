/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Limits for each user: see limits.h.  The one idea: a count is the size of a
 * file, State/sent-<uid>-<hour>, and counting is appending one octet.  So no
 * lock is needed that a user could hold, and a crash cannot spoil it.
 */
#include "in/limits.h"
#include "conf.h"
#include "lib/log.h"
#include "lib/util.h"
#include "out/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "sent-"
#define HOUR 3600

static void path_of(char path[4096], uid_t uid, time_t hour)
{
	snprintf(path, 4096, "%s/" PREFIX "%lu-%lld", conf()->state_dir,
		 (unsigned long)uid, (long long)hour);
}

static uint64_t counted(uid_t uid, time_t hour)
{
	char path[4096];
	struct stat st;

	path_of(path, uid, hour);
	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) ?
		(uint64_t)st.st_size : 0;
}

/* The last sixty minutes: this hour's, and of the hour before the part that
 * is not over yet, taken to be even. */
static uint64_t last_hour(uid_t uid, time_t now)
{
	time_t hour = now / HOUR;

	return counted(uid, hour) + counted(uid, hour - 1) *
		(uint64_t)(HOUR - now % HOUR) / HOUR;
}

/* ---- what waits ------------------------------------------------------------- */

struct waiting {
	struct queue *q;
	uid_t uid;
	unsigned n, most;
};

static bool seen(void *ctx, const char *name, time_t due, const char *id)
{
	struct waiting *w = ctx;
	struct message *m = id ? queue_peek(w->q, name) : NULL;

	(void)due;
	if (m && m->env.uid == w->uid)
		w->n++;
	message_free(m);
	return w->n < w->most;
}

static bool too_many_wait(struct queue *q, uid_t uid)
{
	struct waiting w = { .q = q, .uid = uid,
			     .most = conf()->max_queued_per_user };

	return w.most > 0 && queue_sweep(q, seen, &w) == 0 && w.n >= w.most;
}

/* ---- the question --------------------------------------------------------------- */

/* Names are what people write; a number needs no passwd entry. */
static bool is_free(uid_t uid)
{
	const char *const *list = conf()->unlimited_users;
	const struct passwd *pw = *list ? getpwuid(uid) : NULL;
	uint64_t n;

	for (; *list; list++)
		if ((pw && strcmp(pw->pw_name, *list) == 0) ||
		    (parse_number(*list, UINT32_MAX, &n) && n == uid))
			return true;
	return uid == 0;
}

static int too_often(uid_t uid, char *error, size_t size)
{
	snprintf(error, size, "user %lu has sent %u messages in the last hour, "
		 "which is the limit (MaxMessagesPerHour): try again later",
		 (unsigned long)uid, conf()->max_messages_per_hour);
	return EXIT_NOPERM;
}

static int check_waiting(struct queue *q, uid_t uid, char *error, size_t size)
{
	if (!too_many_wait(q, uid))
		return 0;
	snprintf(error, size, "user %lu has %u messages waiting, which is the "
		 "limit (MaxQueuedPerUser): see mailq", (unsigned long)uid,
		 conf()->max_queued_per_user);
	return EXIT_NOPERM;
}

int limits_check(struct queue *q, uid_t uid, time_t now, char *error,
		 size_t size)
{
	unsigned most = conf()->max_messages_per_hour;

	if ((!most && !conf()->max_queued_per_user) || is_free(uid))
		return 0;
	if (most && last_hour(uid, now) >= most)
		return too_often(uid, error, size);
	return check_waiting(q, uid, error, size);
}

int limits_count(uid_t uid, time_t now)
{
	char path[4096];
	int fd, err = 0;

	if (!conf()->max_messages_per_hour || is_free(uid))
		return 0;
	path_of(path, uid, now / HOUR);
	state_make_folder();
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW |
		  O_NONBLOCK, 0660);
	if (fd < 0 || write(fd, ".", 1) != 1) {
		err = errno;
		log_note(LOG_WARNING, "cannot count in %s: MaxMessagesPerHour "
			 "does not hold", path);
	}
	if (fd >= 0)
		close(fd);
	errno = err;
	return err ? -1 : 0;
}

int limits_claim(struct queue *q, uid_t uid, time_t now, char *error,
		 size_t size)
{
	unsigned most = conf()->max_messages_per_hour;

	if ((!most && !conf()->max_queued_per_user) || is_free(uid))
		return 0;
	/* A limit of file sizes is the caller's: his count would end there. */
	if (limits_count(uid, now) != 0 && errno == EFBIG) {
		snprintf(error, size, "the message cannot be counted "
			 "(MaxMessagesPerHour): raise the limit of file sizes "
			 "(ulimit -f)");
		return EXIT_NOPERM;
	}
	if (most && last_hour(uid, now) > most)
		return too_often(uid, error, size);
	return check_waiting(q, uid, error, size);
}

void limits_forget(time_t now)
{
	DIR *d = opendir(conf()->state_dir);
	struct dirent *e;
	const char *hour;
	uint64_t n;

	while (d && (e = readdir(d)) != NULL) {
		hour = strrchr(e->d_name, '-');
		if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) == 0 &&
		    parse_number(hour + 1, INT64_MAX / HOUR, &n) &&
		    (time_t)n < now / HOUR - 1)
			unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		closedir(d);
}
