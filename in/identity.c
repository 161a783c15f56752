/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* Who sends: see identity.h. */
#include "in/identity.h"
#include "conf.h"
#include "lib/addr.h"
#include "lib/util.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The full name of a passwd entry: up to the comma, & for the login name. */
static char *gecos_name(const struct passwd *pw)
{
	const char *s = pw->pw_gecos ? pw->pw_gecos : "";
	struct buf b;
	char *name;

	buf_init(&b, 1024);
	for (; *s && *s != ','; s++) {
		if (*s == '&')
			buf_puts(&b, pw->pw_name);
		else
			buf_putc(&b, *s);
	}
	name = xstrdup(buf_str(&b));
	buf_free(&b);
	return name;
}

/* The uid's own address and name: $USER may lie (cron's does) or be missing.
 * A uid without a passwd entry is a sender too. */
static void own(struct identity *id)
{
	struct passwd *pw = getpwuid(id->uid);
	char local[32];

	if (pw && *pw->pw_name) {
		id->author = addr_qualify(pw->pw_name, conf()->default_domain);
		id->full_name = gecos_name(pw);
		return;
	}
	snprintf(local, sizeof local, "uid%u", (unsigned)id->uid);
	id->author = addr_qualify(local, conf()->default_domain);
	id->full_name = xstrdup("");
}

int identity_find(struct identity *id, uid_t uid, const char *sender,
		  const char *full_name, char *error, size_t size)
{
	struct addr_list list = { 0 };
	const char *why;

	*id = (struct identity){ .uid = uid };
	own(id);
	if (full_name) {
		free(id->full_name);
		id->full_name = xstrdup(full_name);
	}
	if (!sender) {
		id->sender = xstrdup(id->author);
		return 0;
	}
	why = addr_list_parse(&list, sender, strlen(sender));
	if (!why && list.n > 1)
		why = "more than one address";
	if (!why) {
		id->sender = addr_qualify(list.n ? list.found[0].addr : "",
					  conf()->default_domain);
		why = addr_check(id->sender, false, true);
	}
	addr_list_free(&list);
	if (why) {
		snprintf(error, size, "the sender \"%.100s\" is no address: %s",
			 sender, why);
		return EXIT_DATAERR;
	}
	if (*id->sender) {
		free(id->author);
		id->author = xstrdup(id->sender);
	}
	return 0;
}

void identity_free(struct identity *id)
{
	free(id->sender);
	free(id->author);
	free(id->full_name);
}
