/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The numbers and paths that are fixed when the program is built, each with
 * the reason for its value.  Every one can be given to the compiler instead:
 * make CPPFLAGS='-DREPLY_TEXT=200'.  What an operator may want to change at
 * run time is not here but in conf.c.
 */
#ifndef CONFIG_H
#define CONFIG_H

#ifndef MAILROOT_VERSION
#define MAILROOT_VERSION "0.1"
#endif

/* ---- paths ---------------------------------------------------------- */

#ifndef PATH_CONF		/* the configuration file; make SYSCONFDIR= */
#define PATH_CONF "/etc/mailroot/mailroot.conf"
#endif
#ifndef PATH_MAILROOT		/* the parent of Queue, Drop, Badmail, ... */
#define PATH_MAILROOT "/var/spool/mailroot"
#endif
#ifndef PATH_SECRET		/* what --setup makes of RoutePassword */
#define PATH_SECRET "/etc/mailroot/secret"
#endif
#ifndef PATH_ETC		/* of passwd, group and their shadows */
#define PATH_ETC "/etc"
#endif
#ifndef PATH_MAILNAME		/* Debian's name of this mail system */
#define PATH_MAILNAME "/etc/mailname"
#endif
#ifndef PATH_ALIASES
#define PATH_ALIASES "/etc/aliases"
#endif
#ifndef PATH_HOSTS
#define PATH_HOSTS "/etc/hosts"
#endif
/* Where a Debian, and most others, have the certificates they trust: one file
 * each under the hash of its subject, and all of them in one. */
#ifndef PATH_CA_DIRECTORY
#define PATH_CA_DIRECTORY "/etc/ssl/certs"
#endif
#ifndef PATH_CA_BUNDLE
#define PATH_CA_BUNDLE "/etc/ssl/certs/ca-certificates.crt"
#endif
#ifndef PATH_DEVLOG		/* the syslog socket */
#define PATH_DEVLOG "/dev/log"
#endif

/* ---- who owns the spool ---------------------------------------------- */

#ifndef MAILROOT_USER
#define MAILROOT_USER "mailroot"
#endif
#ifndef MAILROOT_GROUP
#define MAILROOT_GROUP "mailroot"
#endif
/* The numbers distributions give to users of the system. */
#ifndef SYSTEM_ID_MIN
#define SYSTEM_ID_MIN 100
#endif
#ifndef SYSTEM_ID_MAX
#define SYSTEM_ID_MAX 999
#endif

/* ---- limits on what comes in ----------------------------------------- */

/* The whole header of a message.  A mailing list with 10,000 recipients in
 * its To field has half of this; more is an attack or a bug. */
#ifndef HEADER_MAX
#define HEADER_MAX (1024 * 1024)
#endif
/* RFC 5322 2.1.1: a line has at most 998 octets and its CRLF. */
#ifndef LINE_MAX_OCTETS
#define LINE_MAX_OCTETS 998
#endif
/* RFC 5321 4.5.3.1.3 allows 256 for a path; real mail has longer
 * ones (VERP, BATV), so the parser is told to stop only here. */
#ifndef ADDRESS_MAX
#define ADDRESS_MAX 1024
#endif
/* Recipients of one message.  10,000 must work; the limit exists so that
 * memory has one. */
#ifndef RECIPIENTS_MAX
#define RECIPIENTS_MAX 100000
#endif
/* The envelope in memory: RECIPIENTS_MAX lines of ordinary length. */
#ifndef ENVELOPE_MAX
#define ENVELOPE_MAX (64 * 1024 * 1024)
#endif
/* Comments and groups may nest; beyond this depth nothing honest does. */
#ifndef NESTING_MAX
#define NESTING_MAX 32
#endif
/* Edits in one plan of lib/mime: a message with more MIME parts than this
 * is encoded as far as the plan goes, and refused at submission beyond. */
#ifndef MIME_EDITS_MAX
#define MIME_EDITS_MAX 4096
#endif

/* One value that --setup writes into a file: as long as a program's argument
 * list allows for a word of the environment. */
#ifndef CONF_VALUE_MAX
#define CONF_VALUE_MAX (128 * 1024)
#endif
/* Aliases of aliases; and the file they stand in. */
#ifndef ALIAS_DEPTH
#define ALIAS_DEPTH 10
#endif
#ifndef ALIAS_FILE_MAX
#define ALIAS_FILE_MAX (16 * 1024 * 1024)
#endif

/* ---- SMTP on standard input (-bs) ------------------------------------------ */

/* A command, without its end.  RFC 5321 4.5.3.1.4 says 512; a path may be as
 * long as ADDRESS_MAX here, and has parameters behind it. */
#ifndef SMTPD_LINE_MAX
#define SMTPD_LINE_MAX 2048
#endif
/* Refused commands since the last message that was taken: then the client is
 * lost, and it is told so. */
#ifndef SMTPD_ERRORS_MAX
#define SMTPD_ERRORS_MAX 20
#endif
/* Recipients of one message; behind it 452, and a client that knows the RFC
 * sends the rest with a second message.  Many do not know it, so this is what
 * must work on standard input. */
#ifndef SMTPD_RECIPIENTS_MAX
#define SMTPD_RECIPIENTS_MAX 10000
#endif
/* Queue runs of one session (ETRN).  Each is a process, and none is waited
 * for. */
#ifndef SMTPD_RUNS_MAX
#define SMTPD_RUNS_MAX 10
#endif
/* Silence inside a transaction (RFC 5321 4.5.3.2.7), and outside one: PHP
 * workers hold a session open for as long as they live. */
#ifndef SMTPD_TRANSACTION_SECONDS
#define SMTPD_TRANSACTION_SECONDS 300
#endif
#ifndef SMTPD_IDLE_SECONDS
#define SMTPD_IDLE_SECONDS 86400
#endif
/* Of a text that is refused the rest is read and thrown away, because only
 * behind its end there is a next command; but not more octets than this. */
#ifndef SMTPD_DISCARD_MAX
#define SMTPD_DISCARD_MAX (1024 * 1024 * 1024)
#endif

/* The file of SenderMap: 10,000 users and a bit. */
#ifndef SENDER_MAP_MAX
#define SENDER_MAP_MAX (1024 * 1024)
#endif

/* ---- limits on what a server may send (RFC 5321 4.5.3.1.5) ----------- */

#ifndef REPLY_LINE_MAX		/* the RFC asks for 512; be generous once */
#define REPLY_LINE_MAX 4096
#endif
#ifndef REPLY_LINES_MAX		/* of one reply; EHLO has the longest */
#define REPLY_LINES_MAX 256
#endif
/* What is kept of a reply's text: enough for the long policy refusals of the
 * large providers, and it is stored once per recipient. */
#ifndef REPLY_TEXT
#define REPLY_TEXT 400
#endif

/* ---- messages at rest -------------------------------------------------- */

/* Octets of free text behind "x-status: ".  Fixed, because after commit a
 * queue file never grows. */
#ifndef STATUS_OCTETS
#define STATUS_OCTETS 240
#endif
/* A temporary file this old whose lock is free belongs to nobody alive.
 * ImmediateTimeout and the reading of standard input are under a lock. */
#ifndef TMP_ORPHAN_SECONDS
#define TMP_ORPHAN_SECONDS 3600
#endif
/* No clock that is right reads less than this: when the program was written.
 * A created time before it was written by a machine without a clock. */
#ifndef BUILD_EPOCH
#define BUILD_EPOCH 1763769600LL	/* 2025-11-22 */
#endif

/* Without a queue run for this long a submission says so in the log: a timer
 * that is broken is seen within a day, and a slow one makes no noise. */
#ifndef NO_RUN_SECONDS
#define NO_RUN_SECONDS 3600
#endif
/* A file in Pickup that did not change for this long (milliseconds) is whole,
 * unless its writer holds a lock. */
#ifndef PICKUP_REST_MS
#define PICKUP_REST_MS 1100
#endif
/* Files of one user that cannot be used, in one pass over Pickup: each is read,
 * and Badmail is looked through for it. */
#ifndef PICKUP_REFUSED_MAX
#define PICKUP_REFUSED_MAX 50
#endif
/* One run takes files from Pickup for so long (milliseconds); then what is in
 * Queue has its turn. */
#ifndef PICKUP_PASS_MS
#define PICKUP_PASS_MS (60 * 1000)
#endif
/* A file that is empty, locked or growing for this long is worth a line. */
#ifndef PICKUP_LATE_SECONDS
#define PICKUP_LATE_SECONDS 3600
#endif
/* What cannot be used is kept in Badmail; where that folder has no limit this
 * is one for a single file. */
#ifndef PICKUP_BADMAIL_MAX
#define PICKUP_BADMAIL_MAX (1024 * 1024 * 1024)
#endif
/* From a message's name in Queue to the end of its lock: the fsync of the
 * directory (milliseconds). */
#ifndef WATCH_GRACE_MS
#define WATCH_GRACE_MS 30
#endif
/* Between a run and one that an event asks for: four times as long as it took,
 * within these (milliseconds).  Anybody may make events, in Pickup. */
#ifndef WATCH_PAUSE_MS
#define WATCH_PAUSE_MS 250
#endif
#ifndef WATCH_PAUSE_MOST_MS
#define WATCH_PAUSE_MOST_MS 1000
#endif

/* ---- buffers ------------------------------------------------------------ */

/* One read or write of message text.  64 KiB is where throughput stops
 * growing on loopback; it exists once per session that is sending. */
#ifndef IO_CHUNK
#define IO_CHUNK 65536
#endif
/* What esmtp may have waiting for the socket before the body reader pauses. */
#ifndef OUT_HIGH_WATER
#define OUT_HIGH_WATER (128 * 1024)
#endif
/* Commands sent ahead of their replies (RFC 2920 sets no number).  64
 * RCPTs are under 16 KiB: a server that does not read cannot dead-lock us
 * anyway, because we read while we write. */
#ifndef PIPELINE_MAX
#define PIPELINE_MAX 128
#endif
/* With CHUNKING a message up to this size rides with its MAIL and RCPT in
 * one round trip.  Larger ones wait for the RCPT replies: sending them for
 * nothing would cost more than the round trip saves. */
#ifndef BDAT_RIDE_MAX
#define BDAT_RIDE_MAX 16384
#endif

/* ---- time-outs, seconds (RFC 5321 4.5.3.2) ------------------------------- */

#ifndef TIMEOUT_GREETING
#define TIMEOUT_GREETING 300
#endif
#ifndef TIMEOUT_TLS		/* the handshake */
#define TIMEOUT_TLS 60
#endif
#ifndef TIMEOUT_COMMAND		/* EHLO, MAIL, RCPT, RSET */
#define TIMEOUT_COMMAND 300
#endif
#ifndef TIMEOUT_DATA		/* the 354 */
#define TIMEOUT_DATA 120
#endif
#ifndef TIMEOUT_BLOCK		/* no octet of the message could be sent */
#define TIMEOUT_BLOCK 180
#endif
#ifndef TIMEOUT_FINAL		/* the reply to the end of data: duplicates
				 * are made by those who wait less */
#define TIMEOUT_FINAL 600
#endif
/* After a signal the wait for that last reply is cut to this. */
#ifndef TIMEOUT_SIGNAL
#define TIMEOUT_SIGNAL 5
#endif
/* RFC 8305 5: the next address is tried when the one before has not answered
 * for this long (milliseconds). */
#ifndef RACE_STAGGER_MS
#define RACE_STAGGER_MS 250
#endif
/* Hops whose DNS questions are open at a time: a burst of several hundred
 * overruns the socket buffer of a local resolver, and what is lost there costs
 * a time-out. */
#ifndef ASKING_MAX
#define ASKING_MAX 64
#endif
/* MX tried in one attempt: a domain with more that are all down must not hold
 * a session for an hour. */
#ifndef MX_TRIED_MAX
#define MX_TRIED_MAX 50
#endif
/* One name's DNS look-up, all tries together. */
#ifndef TIMEOUT_DNS
#define TIMEOUT_DNS 20
#endif
/* How long a next hop that could not be reached is left to the queue run:
 * long enough that a loop of submissions does not wait each time, short enough
 * that mail flows again soon. */
#ifndef DOWN_FIRST_SECONDS
#define DOWN_FIRST_SECONDS 60
#endif
#ifndef DOWN_MOST_SECONDS
#define DOWN_MOST_SECONDS 300
#endif
/* The log in State, where there is no other: one more of it is kept. */
#ifndef STATE_LOG_MAX
#define STATE_LOG_MAX (16 * 1024 * 1024)
#endif
/* "BDAT hung here" is remembered for a host for a day. */
#ifndef BDAT_MEMORY_SECONDS
#define BDAT_MEMORY_SECONDS 86400
#endif

#endif
