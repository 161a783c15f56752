/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* Who sends: see identity.h. */
#include "in/identity.h"
#include "conf.h"
#include "config.h"
#include "lib/addr.h"
#include "lib/author.h"
#include "lib/log.h"
#include "lib/util.h"

#include <errno.h>
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

/* ---- what is hidden ----------------------------------------------------------- */

const struct author_mask *identity_mask(void)
{
	static struct author_mask mask;
	const char *const *local = conf()->local_domains;
	const char **list;
	size_t n = 0, i;

	if (mask.domain)
		return &mask;
	while (local[n])
		n++;
	list = xcalloc(n + 4, sizeof *list);
	for (i = 0; i < n; i++)
		list[i] = local[i];
	list[n] = conf()->default_domain;
	list[n + 1] = conf()->fqdn;
	list[n + 2] = "localhost";
	mask = (struct author_mask){ .domain = conf()->masquerade_domain,
				     .hidden = list };
	return &mask;
}

/* ---- SenderMap ------------------------------------------------------------------ */

/* "name: address" of this user.  NULL: the line is another's, or none. */
static char *map_line(char *line, const char *name, uid_t uid)
{
	char *value = strchr(line, ':'), *key;
	const char *why;
	uint64_t n;

	line[strcspn(line, "#")] = '\0';
	if (!value || value > line + strlen(line))
		return NULL;
	*value++ = '\0';
	key = trim(line);
	value = trim(value);
	if (strcmp(key, name) != 0 &&
	    !(parse_number(key, UINT32_MAX, &n) && n == uid))
		return NULL;
	why = addr_check(value, true, false);
	if (!why)
		return addr_qualify(value, conf()->default_domain);
	log_note(LOG_WARNING, "SenderMap %s: \"%s\" of %s is no address: %s",
		 conf()->sender_map, value, key, why);
	return NULL;
}

/* The address that the map has for him, the first line counts; NULL. */
static char *mapped(const char *name, uid_t uid)
{
	char *text, *at, *line, *found = NULL;

	if (!*conf()->sender_map)
		return NULL;
	text = at = read_file(conf()->sender_map, SENDER_MAP_MAX, NULL);
	if (!text)
		log_note(LOG_ALERT, "cannot read SenderMap %s: %s",
			 conf()->sender_map, strerror(errno));
	while (at && !found && (line = strsep(&at, "\n")) != NULL)
		found = map_line(line, name, uid);
	free(text);
	return found;
}

/* ---- the user -------------------------------------------------------------------- */

/* The uid's own address and name: $USER may lie (cron's does) or be missing.
 * A uid without a passwd entry is a sender too. */
static void find_user(struct identity *id)
{
	struct passwd *pw = getpwuid(id->uid);
	char number[32], *address;
	const char *name = number;

	snprintf(number, sizeof number, "uid%u", (unsigned)id->uid);
	if (pw && *pw->pw_name)
		name = pw->pw_name;
	id->full_name = pw ? gecos_name(pw) : xstrdup("");
	address = mapped(name, id->uid);
	if (!address)
		address = addr_qualify(name, conf()->default_domain);
	id->own = author_masked(address, identity_mask());
	free(address);
}

/* ---- who sends --------------------------------------------------------------------- */

/* What he gave as the sender, in any form.  NULL, or what is wrong. */
static const char *given_sender(struct identity *id, const char *text)
{
	struct addr_list list = { 0 };
	const char *why = addr_list_parse(&list, text, strlen(text));
	char *address;

	if (!why && list.n > 1)
		why = "more than one address";
	if (!why) {
		address = addr_qualify(list.n ? list.found[0].addr : "",
				       conf()->default_domain);
		why = addr_check(address, false, true);
		id->sender = author_masked(address, identity_mask());
		free(address);
	}
	addr_list_free(&list);
	return why;
}

/* An address of the settings: the word own is the user's. */
static const char *configured(const struct identity *id, const char *address)
{
	return strcmp(address, "own") == 0 ? id->own : address;
}

int identity_find(struct identity *id, uid_t uid, const char *sender,
		  const char *full_name, char *error, size_t size)
{
	const char *why;

	*id = (struct identity){ .uid = uid };
	find_user(id);
	if (full_name) {
		free(id->full_name);
		id->full_name = xstrdup(full_name);
	}
	why = sender ? given_sender(id, sender) : NULL;
	if (why) {
		snprintf(error, size, "the sender \"%.100s\" is no address: %s",
			 sender, why);
		return EXIT_DATAERR;
	}
	if (!sender)
		id->sender = xstrdup(id->own);
	id->author = xstrdup(*conf()->header_from ?
			     configured(id, conf()->header_from) :
			     *id->sender ? id->sender : id->own);
	if (*conf()->header_from && conf()->header_from_mode == FROM_ALWAYS)
		id->force_from = id->author;
	/* The null sender says "no report of this": never to be replaced. */
	if (*conf()->envelope_from && *id->sender) {
		free(id->sender);
		id->sender = xstrdup(configured(id, conf()->envelope_from));
	}
	return 0;
}

void identity_free(struct identity *id)
{
	free(id->own);
	free(id->sender);
	free(id->author);
	free(id->full_name);
}
