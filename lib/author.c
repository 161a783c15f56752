/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* Other addresses in a sender field: see author.h. */
#include "lib/author.h"
#include "lib/addr.h"
#include "lib/util.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_hidden(const char *domain, const struct author_mask *mask)
{
	size_t i;

	if (!domain)
		return true;
	for (i = 0; mask->hidden[i]; i++)
		if (strcasecmp(mask->hidden[i], domain) == 0)
			return true;
	return false;
}

char *author_masked(const char *address, const struct author_mask *mask)
{
	char *local, *masked;

	if (!*address || !mask->domain || !*mask->domain ||
	    !is_hidden(addr_domain(address), mask))
		return xstrdup(address);
	local = xstrndup(address, addr_local_len(address));
	masked = addr_qualify(local, mask->domain);
	free(local);
	return masked;
}

/* The text from *at up to this address, then the other one. */
static void splice(struct buf *out, const char *value, size_t *at,
		   const struct addr_found *found, const char *other)
{
	buf_put(out, value + *at, found->from - *at);
	buf_puts(out, other);
	*at = found->to;
}

bool author_mask(struct buf *out, const char *value, size_t n,
		 const struct author_mask *mask)
{
	struct addr_list list = { 0 };
	const char *fault = addr_list_parse(&list, value, n);
	size_t at = 0, i;
	char *other;

	for (i = 0; !fault && i < list.n; i++) {
		other = author_masked(list.found[i].addr, mask);
		/* What does not change keeps its routes and comments. */
		if (strcmp(other, list.found[i].addr) != 0)
			splice(out, value, &at, &list.found[i], other);
		free(other);
	}
	addr_list_free(&list);
	return buf_put(out, value + at, n - at);
}

bool author_force(struct buf *out, const char *value, size_t n,
		  const char *address)
{
	struct addr_list list = { 0 };
	const char *fault = addr_list_parse(&list, value, n);
	size_t at = 0;

	if (!fault && list.n == 1) {
		splice(out, value, &at, &list.found[0], address);
		buf_put(out, value + at, n - at);
	} else {
		buf_putc(out, ' ');
		buf_puts(out, address);
	}
	addr_list_free(&list);
	return !out->failed;
}

bool author_is(const char *value, size_t n, const char *address,
	       const char *domain, bool *several)
{
	struct addr_list list = { 0 };
	bool is = false;
	char *whole;

	addr_list_parse(&list, value, n);
	*several = list.n > 1;
	if (list.n == 1) {
		whole = addr_qualify(list.found[0].addr, domain);
		is = addr_same(whole, address);
		free(whole);
	}
	addr_list_free(&list);
	return is;
}
