/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * What the tests of the queue and of the ways out need: a MailRoot of their
 * own with its settings, messages in it, and a look at the files.
 */
#ifndef TESTS_MAILROOT_H
#define TESTS_MAILROOT_H

#include "conf.h"
#include "lib/log.h"
#include "lib/util.h"
#include "queue.h"
#include "tests/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CREATED 1795309200	/* 2026-11-22 01:00:00 */
#define NOW (CREATED + 3 * 86400 + 60)

static char root[64], log_path[80];
static struct queue queue;

static inline int mailroot_unlink(const char *path, const struct stat *st,
				  int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static inline void mailroot_end(void)
{
	queue_close(&queue);
	nftw(root, mailroot_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

/* name in MailRoot. */
static inline const char *in_root(const char *name)
{
	static char path[4][1024];
	static unsigned turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof path[turn], "%s/%s", root, name);
	return path[turn];
}

static inline void write_text(const char *path, const char *text, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0660);

	if (fd < 0 || write_full(fd, text, n) != 0) {
		perror(path);
		exit(1);
	}
	close(fd);
}

/* A new MailRoot: settings are lines of mailroot.conf. */
static inline void mailroot_begin(const char *settings)
{
	static char *const no_environ[] = { NULL };
	const struct conf_caller caller = { .borrowed = false };
	char text[4096], error[1024] = "";

	umask(007);
	if (root[0])
		mailroot_end();
	snprintf(root, sizeof root, "/tmp/mailroot-XXXXXX");
	if (!mkdtemp(root)) {
		perror(root);
		exit(1);
	}
	snprintf(text, sizeof text, "MailRoot = %s\n"
		 "FullyQualifiedDomainName = host.client.test\n"
		 "DefaultDomain = client.test\nLocalDomains = local.test\n%s",
		 root, settings);
	write_text(in_root("conf"), text, strlen(text));
	if (conf_load(in_root("conf"), no_environ, NULL, 0, &caller, error,
		      sizeof error) != 0) {
		printf("conf_load: %s\n", error);
		exit(1);
	}
	snprintf(log_path, sizeof log_path, "%s/log", root);
	log_open(log_path, false, LOG_MAIL, NULL);
	if (queue_open(&queue, conf()->queue_dir, 03770) != 0) {
		perror(conf()->queue_dir);
		exit(1);
	}
}

/* A message in Queue, complete and not committed.  id NULL: a new one. */
static inline struct message *mail(const char *id, const struct envelope *env,
				   const char *text, size_t n, bool eight_bit)
{
	struct message *m = queue_new(&queue, id);

	if (!m || queue_put_envelope(m, env) != 0 ||
	    queue_put_text(m, text, n) != 0 ||
	    queue_complete(m, eight_bit) != 0) {
		perror("mail");
		exit(1);
	}
	return m;
}

/* Names in a directory of MailRoot, "." ones apart unless they are wanted;
 * the last of them (by name) is copied to name if that is not NULL. */
static inline size_t files(const char *dir, bool hidden, char *name)
{
	struct dirent **list;
	int n = scandir(in_root(dir), &list, NULL, alphasort), i;
	size_t count = 0;

	for (i = 0; i < n; i++) {
		if (strcmp(list[i]->d_name, ".") != 0 &&
		    strcmp(list[i]->d_name, "..") != 0 &&
		    (hidden || list[i]->d_name[0] != '.')) {
			count++;
			if (name)
				snprintf(name, 256, "%.255s", list[i]->d_name);
		}
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return count;
}

/* A file of MailRoot as a string: the caller frees. */
static inline char *text_of(const char *dir, const char *name, size_t *n)
{
	char path[1024], *text;

	snprintf(path, sizeof path, "%s/%s/%s", root, dir, name);
	text = read_file(path, 256 * 1024 * 1024, n);
	if (!text) {
		printf("%s: %s\n", path, strerror(errno));
		exit(1);
	}
	return text;
}

static inline bool logged(const char *what)
{
	size_t n;
	char *text = read_file(in_root("log"), 16 * 1024 * 1024, &n);
	bool found = text && strstr(text, what);

	free(text);
	return found;
}

/* The one other file in Queue: the report, without its envelope, which goes
 * to env (NULL: nowhere).  The caller frees both. */
static inline char *report_text(size_t *n, struct envelope *env)
{
	struct dirent **list;
	struct message *m;
	char name[256];
	char *text;
	int count, i;

	count = scandir(in_root("Queue"), &list, NULL, alphasort);
	/* Behind "." and ".."; its due, the time the message came, sorts
	 * before the message's. */
	snprintf(name, sizeof name, "%.250s", count > 2 ? list[2]->d_name : "");
	for (i = 0; i < count; i++)
		free(list[i]);
	if (count >= 0)
		free(list);
	m = queue_peek(&queue, name);
	if (!check(m != NULL, "there is a report"))
		exit(check_done("no report"));
	text = xcalloc(m->text_size + 1, 1);
	if (pread_full(m->fd, text, m->text_size, m->text_at) != 0)
		perror("pread");
	*n = m->text_size;
	if (env) {
		*env = m->env;
		m->env = (struct envelope){ .sender = "" };
	}
	message_free(m);
	return text;
}

static inline bool has(const char *text, const char *what)
{
	if (!check(strstr(text, what) != NULL, what)) {
		printf("not in:\n%s\n", text);
		return false;
	}
	return true;
}

static inline bool lacks(const char *text, const char *what)
{
	return check(strstr(text, what) == NULL, what);
}

#endif
