/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* The parameters of RFC 3461: see dsn.h. */
#include "lib/dsn.h"
#include "lib/buf.h"
#include "lib/codec.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { ORCPT_MAX = 500, ENVID_MAX = 100 };

bool dsn_notify(const char *v, char words[DSN_NOTIFY_SIZE])
{
	static const char *const list[] = { "SUCCESS", "FAILURE", "DELAY" };
	bool has[3] = { false, false, false };
	size_t i, n, len = 0;

	snprintf(words, DSN_NOTIFY_SIZE, "NEVER");
	if (strcasecmp(v, "NEVER") == 0)
		return true;
	for (;; v += n + 1) {
		n = strcspn(v, ",");
		for (i = 0; i < 3; i++)
			if (strlen(list[i]) == n &&
			    strncasecmp(v, list[i], n) == 0)
				break;
		if (i == 3)
			return false;
		has[i] = true;
		if (!v[n])
			break;
	}
	for (i = 0; i < 3; i++)
		if (has[i])
			len += (size_t)snprintf(words + len,
						DSN_NOTIFY_SIZE - len, "%s%s",
						len ? "," : "", list[i]);
	return true;
}

const char *dsn_ret(const char *v)
{
	return strcasecmp(v, "FULL") == 0 ? "FULL" :
		strcasecmp(v, "HDRS") == 0 ? "HDRS" : NULL;
}

/* What it stands for must be printable ASCII: it will stand in a report. */
static bool good_xtext(const char *v, size_t max)
{
	struct buf text;
	bool good;
	size_t i;

	buf_init(&text, ORCPT_MAX);
	good = *v && xtext_valid(v, max) && xtext_decode(&text, v);
	for (i = 0; good && i < buf_len(&text); i++)
		good = buf_data(&text)[i] >= ' ' && buf_data(&text)[i] < 127;
	buf_free(&text);
	return good;
}

bool dsn_envid(const char *v)
{
	return good_xtext(v, ENVID_MAX);
}

bool dsn_orcpt(const char *v)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
	size_t n = strspn(v, letters);

	return n > 0 && v[n] == ';' && strlen(v) <= ORCPT_MAX &&
		good_xtext(v + n + 1, ORCPT_MAX);
}
