/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The engine's inside, shared by its four rooms:
 *
 *   deliver.c	whose turn it is: messages, jobs, hops, limits
 *   hop.c	where a hop is: hosts by setting or MX, their addresses
 *   session.c	one connection: connecting, the dialogue, the message text
 *   secure.c	what a connection must fulfil: TLS level, user, secret
 *
 * A parcel is a message we were given.  Its recipients for one hop, at most
 * MaxRecipients, are a job: one transaction.  A session carries jobs of one
 * hop, one after another.  Owners: deliver owns parcels, hops and sessions; a
 * hop owns the jobs that wait, a session the one it carries.
 */
#ifndef OUT_ENGINE_H
#define OUT_ENGINE_H

#include "dns.h"
#include "esmtp.h"
#include "lib/mime.h"
#include "out/deliver.h"
#include "out/race.h"
#include "out/sasl.h"

/* With whom a session is; copied into records. */
struct peer {
	char host[256];			/* "" nobody */
	char address[64];		/* "" not connected */
	char tls[64];			/* "none", "TLSv1.3", "TLSv1.3 trusted" */
};

/* A message we were given. */
struct parcel {
	struct parcel *next;
	uint32_t n;
	char id[32];
	int fd;
	const struct envelope *env;
	off_t text_at;
	uint64_t size;
	unsigned jobs;			/* not finished yet */
	bool planned;			/* plan says how to make it 7-bit */
	bool unmendable;
	struct mime_plan plan;
	uint64_t mended_size;
};

/* One transaction to be. */
struct job {
	struct job *next;
	struct parcel *parcel;
	size_t nrcpt, open, cap;	/* open: without a fate yet */
	unsigned again;			/* times it went back for a new session */
	struct hop *relay;		/* its smart host has some of it now */
	struct hop *once_more;		/* this hop, over IPv4 */
	struct {
		uint32_t rcpt;		/* index in the envelope */
		bool settled;
	} to[];
};

/* A host of a hop. */
struct host {
	char name[256];
	bool literal;
	unsigned port;
	enum { HOST_NEW, HOST_ASKING, HOST_READY, HOST_BAD } state;
	bool helo, no_bdat, proven;
	bool tls;			/* from the first octet */
	bool clear;			/* its handshake failed, and the level
					 * lets us do without */
	size_t naddr;
	struct dns_address *addr;
	struct reply why;		/* HOST_BAD */
	bool shut;			/* its greeting was 521 or 554 */
	bool down;			/* it could not be reached at all */
	bool v4_only;			/* it dislikes our IPv6 address */
	unsigned losses;		/* transactions lost since one went well */
};

struct hop {
	struct hop *next, *hash_next, *touched_next;
	struct deliver *d;
	struct route route;
	enum { HOP_NEW, HOP_ASKING, HOP_READY, HOP_FAILED } state;
	struct reply why;		/* HOP_FAILED */
	struct peer why_peer;
	bool skipped;			/* not tried: known to be down */
	struct host *hosts;
	size_t nhosts;
	bool proven;			/* a session was up: more may follow */
	struct dns_query *query;	/* MX, or addresses of a host */
	size_t asking;			/* that host */
	struct job *jobs, **jobs_end;	/* ready to go */
	struct job *building;		/* while a message is taken apart */
	uint32_t *queued;		/* messages whose turn has not come: a
					 * ring */
	size_t qfirst, qlen, qcap;
	unsigned wanted;		/* asked for and not answered */
	unsigned sessions;
	bool in_line;			/* for the pump */
	struct hop *line_next;
	struct timer *pace;		/* MessagesPerMinute: wakes it */
	int64_t next_start;		/* no transaction before; now_mono */
};

struct session {
	struct session *next;
	struct hop *hop;
	struct job *job;		/* NULL: idle */
	size_t host;			/* index in hop->hosts */
	enum { S_WAITING_HOST, S_CONNECTING, S_UP, S_DEAD } state;
	struct race *race;
	struct stream *stream;
	struct esmtp *esmtp;
	struct timer *timer;
	uint64_t progress;		/* esmtp_progress when it was set */
	char name[80];			/* EHLO */
	struct sasl_identity identity;	/* AUTH; its user "" none */
	char *secret, nonce[33];
	struct tls_context *tls;	/* what it must be encrypted with */
	bool securing, secure;
	struct peer peer;
	bool in_transaction, settled_any, was_up;
	struct reply last;		/* why the host before did not do */
	struct peer last_peer;
	unsigned too_small;		/* hosts, for this job */
	struct esmtp_rcpt *rcpt;	/* of the transaction */
	size_t *rcpt_index;		/* in job->to */
	size_t nrcpt;
	struct mime_reader reader;	/* of a message made 7-bit */
	uint64_t reader_at;
	bool mending;
	unsigned messages;		/* carried so far */
	uint64_t octets;
};

struct deliver {
	struct deliver_setup set;
	struct dns *dns;
	struct timer *kick;		/* pump soon, not from inside */
	struct parcel *parcels;
	struct hop *hops;
	struct session *sessions;
	unsigned nsessions, max_sessions, nhops;
	struct hop *hash[4096];
	struct { uint32_t n; struct hop *hop; } *wanted;
	size_t nwanted, wanted_cap;
	uint64_t nqueued;
	struct hop *line, **line_end;	/* hops that may get further */
	unsigned nasking;		/* questions to DNS that are open */
	uint64_t connections, transactions;
	bool stopped;
	int64_t stop_at;
	struct reply stop_why;
};

/* deliver.c */
void engine_kick(struct deliver *d);	/* the pump, soon */
void hop_kick(struct hop *hop);		/* this hop may get further */
/* peer may be NULL: nobody. */
void engine_tell(struct deliver *d, enum deliver_what what, uint32_t n,
		 uint32_t rcpt, const struct reply *r, const struct hop *hop,
		 const struct peer *peer, bool unsure);
/* Recipient k of the job has its fate. */
void job_settle(struct hop *hop, struct job *job, size_t k,
		const struct reply *r, const struct peer *peer, bool unsure);
/* All that are open get this, then the job is finished and freed. */
void job_end(struct hop *hop, struct job *job, const struct reply *r,
	     const struct peer *peer, bool unsure);
/* Back to the head of its hop. */
void job_put_back(struct hop *hop, struct job *job);
/* The next job for a session of this hop, NULL none now. */
struct job *hop_next_job(struct hop *hop);
/* Others wait for a connection: this session had its turn. */
bool hop_should_yield(const struct hop *hop);

/* hop.c */
/* Our IPv6 address was refused: IPv4 from now on.  False: there is none, or
 * it was used already. */
bool host_prefer_v4(struct host *h);
/* Finds the hosts; hop->state tells; engine_kick when it changed. */
void hop_resolve(struct hop *hop);
/* The first host from index i on that is not bad; nhosts: none. */
size_t hop_host_from(const struct hop *hop, size_t i);
/* Makes host i ready or bad, asking DNS; session_host_known when it is. */
void hop_need_host(struct hop *hop, size_t i);
void host_bad(struct hop *hop, size_t i, const struct reply *why);
/* What is to be said when no host is left. */
void hop_verdict(const struct hop *hop, struct reply *r, struct peer *peer);
/* The caller is told that nothing of this hop can be reached. */
void hop_tell_down(struct hop *hop, const struct reply *why);
void hop_free(struct hop *hop);

/* secure.c */
enum tls_level secure_level(const struct session *s);
bool secure_needs_auth(const struct session *s);
bool secure_may_show(const struct session *s);
/* The TLS context and the secret for this connection.  False with one
 * sentence: the operator's files are not in order. */
bool secure_prepare(struct session *s, char *why, size_t size);
void secure_forget(struct session *s);
void secure_log_refusal(const struct session *s, const char *why);

/* session.c */
void session_new(struct hop *hop, struct job *job);
/* Host i of the hop has become ready or bad. */
void session_host_known(struct hop *hop, size_t i);
/* An idle session gets work. */
void session_take(struct session *s, struct job *job);
/* QUIT and away: only for an idle one. */
void session_quit(struct session *s);
/* Away without a word. */
void session_drop(struct session *s);
bool session_critical(const struct session *s);
void session_limit(struct session *s, int64_t at);

#endif
