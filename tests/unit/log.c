/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Lines of a log file: a warning or worse has its level, in both forms; all
 * else is as it was.  Syslog, which has the priority anyway: e2e/tls.sh.
 */
#include "lib/log.h"
#include "lib/util.h"
#include "tests/check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	int priority;
	const char *text, *json;	/* what stands behind the event */
} levels[] = {
	{ LOG_EMERG, " level=emerg", ",\"level\":\"emerg\"" },
	{ LOG_ALERT, " level=alert", ",\"level\":\"alert\"" },
	{ LOG_CRIT, " level=crit", ",\"level\":\"crit\"" },
	{ LOG_ERR, " level=err", ",\"level\":\"err\"" },
	{ LOG_WARNING, " level=warning", ",\"level\":\"warning\"" },
	{ LOG_NOTICE, "", "" },
	{ LOG_INFO, "", "" },
	{ LOG_DEBUG, "", "" },
};

static char path[] = "/tmp/log.XXXXXX";

/* What the file has; it is empty then. */
static char *taken(void)
{
	size_t n = 0;
	char *text = read_file(path, 65536, &n);

	check(text != NULL, "the file can be read");
	check(truncate(path, 0) == 0, "the file can be emptied");
	return text ? text : xstrdup("");
}

static void check_end(const char *name, const char *line, const char *end)
{
	size_t n = strlen(line), m = strlen(end);

	check_str(name, n > m ? line + n - m : line, end);
}

static void lines(bool json)
{
	char want[200];
	size_t i;

	log_open(path, json, LOG_MAIL, NULL);
	for (i = 0; i < sizeof levels / sizeof levels[0]; i++) {
		char *line;

		log_event(levels[i].priority, "id7", "sent", "to", "<a b>",
			  "empty", "", NULL);
		line = taken();
		if (json)
			snprintf(want, sizeof want, "\",\"id\":\"id7\",\"event\":"
				 "\"sent\"%s,\"to\":\"<a b>\"}\n",
				 levels[i].json);
		else
			snprintf(want, sizeof want, "]: id7 sent%s to=\"<a b>\""
				 "\n", levels[i].text);
		check_end(json ? "json" : "text", line, want);
		free(line);
	}
}

static void notes(void)
{
	char *line;

	log_open(path, false, LOG_MAIL, NULL);
	log_note(LOG_ALERT, "a %s note\nof two lines", "loud");
	line = taken();
	check_end("a note", line,
		  "]: - note level=alert text=\"a loud note of two lines\"\n");
	free(line);
}

int main(void)
{
	int fd = mkstemp(path);

	if (!check(fd >= 0, "a file of our own"))
		return check_done("log");
	close(fd);
	lines(false);
	lines(true);
	notes();
	unlink(path);
	return check_done("log");
}
