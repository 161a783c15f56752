/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * What outlives a process without being mail: small files in the State
 * directory, written whole by rename, read without a lock.  All of it is only
 * advice; a missing, unreadable or damaged file means nothing is known.
 */
#ifndef OUT_STATE_H
#define OUT_STATE_H

#include "out/deliver.h"

#include <stdbool.h>
#include <time.h>

/* Did this host meet BDAT with silence within BDAT_MEMORY_SECONDS? */
bool state_no_bdat(const char *host, time_t now);
void state_set_no_bdat(const char *host, time_t now);

/*
 * Next hops that could not be reached, by route_key: 60 s at first, twice as
 * long with every failure, at most 5 minutes; a success ends it.  Only
 * submissions ask; a queue run tries.  When three domains' MX in a row cannot
 * be reached, port 25 itself seems to be blocked: then every "mx-" key is
 * down, and one line in the log says what helps.
 */
bool state_is_down(const char *key, time_t now);
void state_set_down(const char *key, time_t now);
void state_set_up(const char *key);

/* State is there, if we may make it. */
void state_make_folder(void);

/* The log of last resort must not fill the disk: beyond STATE_LOG_MAX octets
 * it becomes log.old, in place of the one before. */
void state_trim_log(void);

/* A queue run: hops that were down long ago, and what killed processes left
 * unfinished here, are removed.  Anybody who sends can name new hops. */
void state_forget(time_t now);

/* A queue run has ended.  And: has there been none for NO_RUN_SECONDS?  True
 * once in that time: who asks then says so in the log.  Where there never was
 * one the time is counted from the first message that was kept. */
void state_run_ended(time_t now);
bool state_run_missing(time_t now, bool kept);

/* For the engine's callers: what a record says of hosts (DELIVER_HOST, DOWN,
 * UP, NO_BDAT) is logged and kept; id is the message's or NULL.  And the
 * engine's question deliver_setup.no_bdat. */
void state_learn(const struct deliver_record *r, const char *id);
bool state_answer_no_bdat(void *ctx, const char *host);

#endif
