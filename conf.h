/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The settings: one table (conf.c) of name, type, default, who may set it, and
 * help; read from file, environment and -O into one struct that nobody
 * changes afterwards.  The manual page mailroot.conf(5) and --help are made
 * from the same table (conf_manual).
 */
#ifndef CONF_H
#define CONF_H

#include "lib/buf.h"
#include "lib/tls.h"
#include "lib/verb.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum delivery_mode { MODE_INTERACTIVE, MODE_BACKGROUND, MODE_QUEUE,
		     MODE_DEFERRED };
/* The letters of -oe: print, mail back, write, mail back and 0, quiet. */
enum error_mode { ERROR_PRINT, ERROR_MAIL, ERROR_WRITE, ERROR_MAIL0,
		  ERROR_QUIET };
enum badmail_keeps { KEEP_EXPIRED, KEEP_UNRETURNABLE, KEEP_ALL };
enum address_family { FAMILY_ANY, FAMILY_IPV4, FAMILY_IPV6 };
enum from_mode { FROM_MISSING, FROM_ALWAYS };
enum log_format { LOG_TEXT, LOG_JSON };

#define RETRY_MAX 32

/* One host of SmartHost, taken apart. */
struct smart_host {
	const char *host;	/* a name, or an IP address without brackets */
	bool literal;		/* an address: ask no DNS */
	unsigned port;		/* 0: RemoteSmtpPort */
	bool tls;		/* smtps://: TLS from the first octet */
};

/* Values as used: lists split, paths whole, defaults filled in.  Strings are
 * never NULL; "" is unset.  Owned by conf.c for the life of the process. */
struct conf {
	/* where */
	const char *mailroot, *queue_dir, *drop_dir, *badmail_dir,
		*pickup_dir, *state_dir;
	/* who we are */
	const char *fqdn;		/* FullyQualifiedDomainName */
	const char *default_domain;
	const char *const *local_domains;	/* ended by NULL */
	const char *alias_file;
	const char *postmaster;		/* PostmasterAddress */
	const char *masquerade_domain;
	const char *sender_map;
	const char *envelope_from, *header_from;	/* "own": the user's */
	enum from_mode header_from_mode;
	bool add_sender;
	const char *send_ndr_to, *send_bad_to;
	/* how */
	enum delivery_mode delivery_mode;
	enum error_mode error_mode;
	bool ignore_dots;		/* -i */
	bool pickup_dot_stuffed;	/* files in Pickup are dot-stuffed */
	bool verbose;			/* -v */
	unsigned immediate_timeout;	/* seconds */
	unsigned connect_timeout;	/* seconds; 0: 5 at once, 30 in a run */
	unsigned remote_timeout;	/* seconds */
	/* where to */
	const char *const *smart_hosts;	/* each as written; ended by NULL */
	const struct smart_host *smart_host_list;	/* the same, parsed */
	size_t nsmart_hosts;
	int smart_host_type;		/* 0, 1, 2 */
	unsigned remote_port;
	uint64_t outbound_mask;		/* lib/verb.h */
	uint64_t inbound_mask;		/* of -bs */
	enum address_family family;	/* AddressFamily */
	const char *bind_address;
	const char *name_servers;
	/* TLS and AUTH */
	enum tls_level tls_level;	/* TlsSecurityLevel, AlwaysUseSsl */
	bool tls_level_asked;		/* by its own name: then it holds for
					 * direct delivery too */
	bool always_use_ssl;
	const char *tls_ca_file, *tls_ca_dir, *tls_cert_file, *tls_key_file;
	const char *tls_min_protocol, *tls_ciphers;
	const char *const *tls_fingerprints;	/* ended by NULL */
	const char *route_user;		/* RouteUserName: AUTH is mandatory */
	const char *route_password, *route_password_file,
		*route_password_command;
	const char *auth_mechanisms;
	bool auth_in_clear;		/* AllowAuthInClear */
	/* queue */
	unsigned retry[RETRY_MAX];	/* minutes */
	size_t nretry;
	int delay_expire, ndr_expire;	/* SmtpRemote..., minutes; 0: at the
					 * next failed attempt; -1 (delay
					 * only): never warn */
	int local_delay_expire, local_ndr_expire;
	enum badmail_keeps badmail_keeps;
	int64_t badmail_max_kb;		/* MaxBadMailFolderSize: -1 none, 0 keep
					 * nothing */
	uint64_t drop_quota;		/* octets; 0 none */
	/* limits */
	uint64_t max_message_size;	/* octets; 0 none */
	unsigned max_recipients;	/* in one transaction */
	unsigned max_batched;		/* messages on one connection; 0 none */
	uint64_t max_session_size;	/* octets on one connection; 0 none */
	unsigned max_connections, max_connections_per_domain;
	unsigned messages_per_minute;	/* to one next hop, in a run; 0 none */
	unsigned hop_count;
	unsigned max_messages_per_hour, max_queued_per_user;	/* 0 none */
	const char *const *unlimited_users;	/* ended by NULL */
	/* log */
	const char *log_file, *syslog_facility;
	int syslog_number;		/* the facility for log_open */
	enum log_format log_format;
	const char *operators;
};

/* One -O Key=value, or an option that stands for one, in the order given. */
struct conf_option {
	const char *text;		/* "Key=value" */
};

/* What the caller of the program may do. */
struct conf_caller {
	bool borrowed;			/* set-group-id and not root: -O sets
					 * only keys marked "anyone", and the
					 * environment is not read */
	bool guarded;			/* not root: a program that lets its
					 * users' words become arguments (PHP's
					 * mail() does) must not start others
					 * or write files by them.  -O, and -C
					 * with a file that is not root's, do
					 * not set what is CONF_GUARDED */
};

/*
 * Reads everything: defaults, file, environ (SENDMAIL_<KEY>), options.  file
 * NULL: PATH_CONF, which may be missing; a file named by -C must exist.  On
 * success 0; else an exit status (64 refused or malformed option, 78 all
 * else) with one line in error naming file, line, key, and for an unknown key
 * the nearest known one.  An unreadable PATH_CONF is 78, and conf_unreadable()
 * is true: then the other sources stand in conf() all the same, so that it
 * can be known where Pickup is.
 */
int conf_load(const char *file, char *const *environ_list,
	      const struct conf_option *options, size_t noptions,
	      const struct conf_caller *caller, char *error, size_t errsize);

bool conf_unreadable(void);
/* The settings, after conf_load. */
const struct conf *conf(void);
/* The settings that hold for mail to this domain: those of the [domain ...]
 * section that fits best (the exact name, else the longest *.suffix), else
 * conf().  Same ownership. */
const struct conf *conf_for(const char *domain);

/* Is this domain one of LocalDomains?  (No case; "localhost" always, unless a
 * SmartHost is set.) */
bool conf_is_local(const char *domain);

/* each() for every setting that file, environment or -O has given outside of
 * sections, in the order of the table; text as it was given. */
void conf_given(void (*each)(void *arg, const char *name, const char *text),
		void *arg);

/* The table as text: for mailroot.conf(5) in mdoc, or one line a key for
 * --help. */
void conf_manual(struct buf *out, bool mdoc);

#endif
