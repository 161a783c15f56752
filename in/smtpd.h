/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The second way in: SMTP on standard input and output (-bs), for programs
 * that keep one process for many messages, for inetd and for socket
 * activation.
 */
#ifndef IN_SMTPD_H
#define IN_SMTPD_H

/*
 * The session, on descriptors 0 and 1; standard error stays silent, because it
 * may be the same pipe.  Always 0: each message's fate was told by its reply.
 * A message that was begun and not ended leaves nothing.
 */
int smtpd(void);

/* Instead of a session, where there can be none: 421 with this sentence.
 * Returns status. */
int smtpd_unable(int status, const char *why);

#endif
