/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Local delivery: one file in the Drop directory for all local recipients of
 * a message, in the form IIS's readers parse:
 *
 *   x-sender: alice@client.test
 *   x-receiver: bob@local.test
 *   Return-Path: <alice@client.test>
 *   (the message)
 *
 * Bare addresses, CRLF, nothing of ours and nothing about other recipients.
 */
#ifndef OUT_DROP_H
#define OUT_DROP_H

#include "lib/reply.h"
#include "queue.h"

/*
 * Writes Drop/<id>.eml for the recipients of m whose indexes are given.  A
 * reader that takes *.eml never sees half a file (it is made as .tmp-<id>,
 * synced, renamed without replacing, the directory synced).  reply gets what
 * happened: 250 2.1.5; 452 4.2.2 over DropDirectoryQuota; 451 4.3.0 and the
 * system's words otherwise.  A file of that name that is already there is this
 * delivery, done before a crash: 250.
 */
void drop_deliver(struct message *m, const size_t *rcpt, size_t nrcpt,
		  struct reply *reply);

#endif
