/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * One line an event, the message id first.
 *
 *   1kf2m0p9d-... sent uid=33 from=<a@x.test> to=<b@y.test> hop=... reply="250 ..."
 *
 *   - settings level=alert host=... text="cannot read RoutePasswordFile ..."
 *
 * The line goes to LogFile if one is set, else to syslog, else (no /dev/log)
 * to the fallback file State/log.  As text or as one JSON object.  What is a
 * warning or worse says so in its first pair, "level", in syslog's words.
 * Logging never blocks and never fails a delivery.
 */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include <stdbool.h>
#include <syslog.h>

/*
 * Where lines go from now on; until called they go to syslog, and where there
 * is none the first few wait for this call.  file: "" none, "stderr", or a path that is appended to (a path
 * that cannot be opened falls to syslog).  fallback: path or NULL.  facility:
 * a syslog facility number such as LOG_MAIL.  Strings are borrowed for ever.
 */
void log_open(const char *file, bool json, int facility, const char *fallback);

/* The file was moved away: the next line opens it anew. */
void log_reopen(void);
/* Has a line of this process got nowhere, because of a limit of file sizes?
 * Who called us may have set it for that. */
bool log_kept_out(void);
/* -L: every line says tag=TAG from now on.  Borrowed for ever. */
void log_tag(const char *tag);

/*
 * One event.  id: the message's, or NULL ("-").  event: one word.  Then pairs
 * of key and value (const char *), ended by NULL; a pair with a NULL or empty
 * value is left out.  Values are made printable here; in text form they are
 * quoted when they hold blanks.  priority: LOG_INFO and so on.
 */
void log_event(int priority, const char *id, const char *event, ...)
	__attribute__((sentinel));

/* A free sentence, for what is not about a message. */
void log_note(int priority, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
