/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Aliases: see alias.h.  The file is read once a process or run, when the first
 * address that may be one is met; names point into its text.
 */
#include "in/alias.h"
#include "conf.h"
#include "config.h"
#include "lib/log.h"
#include "lib/util.h"

#include <bsd/string.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct alias {
	const char *name;
	char *value;			/* an address list, folds as blanks */
};

static struct {
	bool loaded;
	char *text;			/* what the names point into */
	struct alias *alias;
	size_t n;
} table;

/* ---- the file -------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcasecmp(((const struct alias *)a)->name,
			  ((const struct alias *)b)->name);
}

/* "name: value" in place; names may stand in quotes. */
static void add(char *line)
{
	char *colon = strchr(line, ':'), *name;
	size_t n;

	if (!colon)
		return;
	*colon = '\0';
	name = trim(line);
	n = strlen(name);
	if (n > 1 && name[0] == '"' && name[n - 1] == '"') {
		name[n - 1] = '\0';
		name++;
	}
	if (!*name)
		return;
	table.alias = xreallocarray(table.alias, table.n + 1,
				    sizeof *table.alias);
	table.alias[table.n].name = name;
	table.alias[table.n++].value = trim(colon + 1);
}

/* A line that begins with a blank goes on with the one before. */
static void unfold(char *text)
{
	char *s;

	for (s = text; (s = strchr(s, '\n')) != NULL; s++)
		if (s[1] == ' ' || s[1] == '\t')
			*s = ' ';
}

static void load(void)
{
	char *text, *line;

	if (table.loaded)
		return;
	table.loaded = true;
	if (!*conf()->alias_file)
		return;
	text = table.text = read_file(conf()->alias_file, ALIAS_FILE_MAX, NULL);
	if (!text && errno != ENOENT)
		log_note(LOG_WARNING, "AliasFile %s cannot be read: %s",
			 conf()->alias_file, strerror(errno));
	if (!text)
		return;
	unfold(text);
	while ((line = strsep(&text, "\n")) != NULL)
		if (*line != '#')
			add(line);
	if (table.n > 0)
		qsort(table.alias, table.n, sizeof *table.alias, by_name);
}

void alias_forget(void)
{
	free(table.text);
	free(table.alias);
	memset(&table, 0, sizeof table);
}

/* ---- looking up --------------------------------------------------------------- */

/* Addresses at these domains are names of this machine. */
static bool is_our_domain(const char *domain)
{
	return !domain || conf_is_local(domain) ||
		strcasecmp(domain, conf()->default_domain) == 0 ||
		strcasecmp(domain, conf()->fqdn) == 0;
}

static const struct alias *find(const char *addr)
{
	struct alias key = { 0 };
	const struct alias *found;
	char *local;

	if (!is_our_domain(addr_domain(addr)))
		return NULL;
	load();
	if (table.n == 0)
		return NULL;
	local = xstrndup(addr, addr_local_len(addr));
	key.name = local;
	found = bsearch(&key, table.alias, table.n, sizeof key, by_name);
	free(local);
	return found;
}

bool alias_known(const char *addr)
{
	return find(addr) != NULL;
}

/* Programs, files and lists of them are not for us. */
static bool obeyed(const struct alias *a)
{
	const char *v = a->value + (*a->value == '"');

	if (*v != '|' && *v != '/' && strncasecmp(v, ":include:", 9) != 0)
		return true;
	log_note(LOG_WARNING, "alias %s: \"%s\" is not obeyed; its mail stays "
		 "with the name", a->name, a->value);
	return false;
}

static void expand(struct addr_list *out, const char *addr, unsigned depth);

/* One item of an alias' value: "\\name", or an address or several. */
static void expand_item(struct addr_list *out, const struct alias *a,
			const char *addr, char *item, unsigned depth)
{
	struct addr_list list = { 0 };
	const char *why;
	size_t i;

	item = trim(item);
	if (*item == '\\') {
		addr_list_add(out, item + 1);
		return;
	}
	why = addr_list_parse(&list, item, strlen(item));
	if (why) {
		log_note(LOG_WARNING, "alias %s: \"%s\" is no address: %s",
			 a->name, item, why);
		addr_list_add(out, addr);
	}
	for (i = 0; !why && i < list.n; i++) {
		/* "root: root, admin@..." keeps a copy, and is no loop. */
		if (strcasecmp(list.found[i].addr, a->name) == 0)
			addr_list_add(out, addr);
		else
			expand(out, list.found[i].addr, depth + 1);
	}
	addr_list_free(&list);
}

/* The end of the item at s: a comma outside quotes, or the end. */
static size_t item_len(const char *s)
{
	bool quoted = false;
	size_t n;

	for (n = 0; s[n] && (quoted || s[n] != ','); n++)
		if (s[n] == '"')
			quoted = !quoted;
	return n;
}

static void expand(struct addr_list *out, const char *addr, unsigned depth)
{
	const struct alias *a = depth < ALIAS_DEPTH ? find(addr) : NULL;
	const char *s;
	char *item;
	size_t n;

	if (!a || !*a->value || !obeyed(a)) {
		addr_list_add(out, addr);
		return;
	}
	for (s = a->value; *s; s += n + (s[n] == ',')) {
		n = item_len(s);
		item = xstrndup(s, n);
		if (*trim(item))
			expand_item(out, a, addr, item, depth);
		free(item);
	}
}

void alias_expand(struct addr_list *list)
{
	struct addr_list out = { 0 };
	size_t i;

	for (i = 0; i < list->n; i++)
		expand(&out, list->found[i].addr, 0);
	addr_list_dedupe(&out);
	addr_list_free(list);
	*list = out;
}

/* A bare name is ours, unless all mail goes to a smart host. */
static char *final_address(const char *addr)
{
	if (addr_domain(addr) || !conf()->smart_hosts[0])
		return xstrdup(addr);
	return addr_qualify(addr, conf()->default_domain);
}

int alias_resolve(struct addr_list *to, struct addr_list *from, size_t origin,
		  char *error)
{
	const char *why;
	char *addr;
	size_t i;

	alias_expand(from);
	for (i = 0; i < from->n; i++) {
		addr = final_address(from->found[i].addr);
		why = addr_check(addr, true, false);
		if (!why && to->n >= RECIPIENTS_MAX)
			why = "too many recipients";
		if (why) {
			snprintf(error, 256, "the recipient \"%.100s\" is "
				 "refused: %s", addr, why);
			free(addr);
			return EXIT_DATAERR;
		}
		addr_list_add(to, addr);
		to->found[to->n - 1].origin = origin;
		free(addr);
	}
	return 0;
}
