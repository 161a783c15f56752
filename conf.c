/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The settings, from the table to the struct.
 *
 * The one idea: until all sources have been read a setting is only a text,
 * the last one given (lib/confsource).  At the end the texts are applied, to
 * conf() and, on a copy of it, for each [domain] section.  So sources and
 * sections need no merging of values, and "was it given?" is a pointer that
 * is not NULL.
 *
 * In reading order: the table, the two forms of value that only it has, what
 * follows from other settings, loading, the questions, the manual.  To add a
 * setting: its field in conf.h, its row here.  The other forms of values are
 * in lib/confvalue, the syntax in lib/confread.
 */
#include "conf.h"
#include "out/confguard.h"
#include "config.h"
#include "lib/addr.h"
#include "lib/confmanual.h"
#include "lib/confread.h"
#include "lib/confsource.h"
#include "lib/confvalue.h"
#include "lib/log.h"
#include "lib/util.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the table -------------------------------------------------------------- */

/* Lists of minutes and of hosts fill more than one field. */
static bool set_retries(const struct confvalue *v, void *base,
			const char *text, char *why);
static bool set_hosts(const struct confvalue *v, void *base, const char *text,
		      char *why);
static bool set_text(const struct confvalue *v, void *base, const char *text,
		     char *why);
static bool set_list(const struct confvalue *v, void *base, const char *text,
		     char *why);
static const struct confkind
	confvalue_text = { "any text", "", set_text },
	confvalue_list = { "a list of words", "", set_list },
	confvalue_retries = { "a list of at most 32 numbers of minutes, each",
			      "", set_retries },
	confvalue_hosts = { "a list of hosts, each host, host:port, [ip] or "
			    "[ip]:port, with or without smtps:// before it",
			    "", set_hosts };
static_assert(RETRY_MAX == 32, "confvalue_retries says so");
static_assert(sizeof(enum delivery_mode) == sizeof(int),
	      "confvalue_choice writes an int");

/* The letters are those of sendmail's -od and -oe. */
static const struct confword
	modes[] = { { "interactive", MODE_INTERACTIVE },
		    { "background", MODE_BACKGROUND },
		    { "queueonly", MODE_QUEUE }, { "deferred", MODE_DEFERRED },
		    { "i", MODE_INTERACTIVE }, { "b", MODE_BACKGROUND },
		    { "q", MODE_QUEUE }, { "d", MODE_DEFERRED }, { NULL, 0 } },
	errors[] = { { "print", ERROR_PRINT }, { "mail", ERROR_MAIL },
		     { "write", ERROR_WRITE },
		     { "mail-back-and-0", ERROR_MAIL0 },
		     { "quiet", ERROR_QUIET }, { "p", ERROR_PRINT },
		     { "m", ERROR_MAIL }, { "w", ERROR_WRITE },
		     { "e", ERROR_MAIL0 }, { "q", ERROR_QUIET }, { NULL, 0 } },
	families[] = { { "any", FAMILY_ANY }, { "ipv4", FAMILY_IPV4 },
		       { "ipv6", FAMILY_IPV6 }, { NULL, 0 } },
	keeps[] = { { "expired", KEEP_EXPIRED },
		    { "unreturnable", KEEP_UNRETURNABLE },
		    { "all", KEEP_ALL }, { NULL, 0 } },
	levels[] = { { "none", TLS_NONE }, { "may", TLS_MAY },
		     { "encrypt", TLS_ENCRYPT }, { "verify", TLS_VERIFY },
		     { "fingerprint", TLS_FINGERPRINT }, { NULL, 0 } },
	protocols[] = { { "TLSv1", 0 }, { "TLSv1.1", 0 }, { "TLSv1.2", 0 },
			{ "TLSv1.3", 0 }, { NULL, 0 } },
	from_modes[] = { { "missing", FROM_MISSING }, { "always", FROM_ALWAYS },
			 { NULL, 0 } },
	formats[] = { { "text", LOG_TEXT }, { "json", LOG_JSON }, { NULL, 0 } },
	facilities[] = { { "mail", LOG_MAIL }, { "daemon", LOG_DAEMON },
			 { "user", LOG_USER }, { "local0", LOG_LOCAL0 },
			 { "local1", LOG_LOCAL1 }, { "local2", LOG_LOCAL2 },
			 { "local3", LOG_LOCAL3 }, { "local4", LOG_LOCAL4 },
			 { "local5", LOG_LOCAL5 }, { "local6", LOG_LOCAL6 },
			 { "local7", LOG_LOCAL7 }, { NULL, 0 } };

/* A value of this kind in this field; in a range; one of some words. */
#define V(k, f) .v = { .kind = &confvalue_##k, .at = offsetof(struct conf, f) }
#define R(k, f, lo, hi) .v = { .kind = &confvalue_##k, \
	.at = offsetof(struct conf, f), .min = lo, .max = hi }
#define W(k, f, list) .v = { .kind = &confvalue_##k, \
	.at = offsetof(struct conf, f), .words = list }
#define YEAR 527040		/* minutes: 366 days */
#define OCTETS (INT64_C(1) << 39)	/* a queue file counts 12 digits */

static const struct confrow table[] = {
{ "MailRoot", V(path, mailroot), .def = PATH_MAILROOT,
  .group = "Directories",
  .help = "The directory above all the others.",
  .why = "IIS has a fixed Mailroot below Inetpub." },
{ "QueueDirectory", V(path, queue_dir), .def = "",
  .shown = "Queue in MailRoot", .iis = "Queue in Mailroot",
  .sendmail = "QueueDirectory", .sendmail_def = "/var/spool/mqueue",
  .help = "Messages that wait for delivery." },
{ "DropDirectory", V(path, drop_dir), .def = "",
  .shown = "Drop in MailRoot", .iis = "Drop in Mailroot",
  .help = "Mail for LocalDomains, one file a message." },
{ "BadMailDirectory", V(path, badmail_dir), .def = "",
  .shown = "Badmail in MailRoot", .iis = "Badmail in Mailroot",
  .help = "Messages that were given up, as BadMailKeeps says.",
  .why = "It may be on another volume." },
{ "PickupDirectory", V(path, pickup_dir), .def = "",
  .shown = "Pickup in MailRoot", .iis = "Pickup in Mailroot",
  .help = "Where programs leave messages as files; a queue run takes them.",
  .why = "See PICKUP in sendmail(8)." },
{ "StateDirectory", V(path, state_dir), .def = "",
  .shown = "State in MailRoot",
  .help = "What is known of hosts that are down, and the log of last "
	  "resort." },

{ "FullyQualifiedDomainName", V(host, fqdn), .def = "",
  .shown = "the machine's name", .iis = "the computer's name",
  .group = "Names",
  .help = "The name used in EHLO, Received and Message-ID.",
  .why = "When the machine's own name has no dot, the one in /etc/mailname is "
	 "taken, then the full name beside it in /etc/hosts. DNS is never "
	 "asked. A trailing dot is dropped: some servers refuse it. If what "
	 "is left has no dot, EHLO gives the address of the connection "
	 "instead." },
{ "DefaultDomain", V(host, default_domain), .def = "",
  .shown = "the full name in /etc/mailname, else FullyQualifiedDomainName",
  .iis = "the computer's name",
  .help = "The domain of addresses written without one." },
{ "LocalDomains", V(domains, local_domains), .def = "",
  .shown = "none",
  .help = "Domains whose mail is written to DropDirectory.",
  .why = "Without a SmartHost localhost is one too. This machine's own name "
	 "is not, because the name of a web host is often a mail domain that "
	 "is served elsewhere." },
{ "AliasFile", V(path, alias_file), .def = PATH_ALIASES,
  .sendmail = "AliasFile", .sendmail_def = "/etc/mail/aliases",
  .help = "Names whose mail goes elsewhere, for addresses without a domain and "
	  "at LocalDomains, DefaultDomain and FullyQualifiedDomainName.",
  .why = "Programs, files and :include: in it are not obeyed: such mail stays "
	 "with the name." },
{ "MasqueradeDomain", V(host, masquerade_domain), .def = "",
  .shown = "none", .iis = "none", .sendmail = "MASQUERADE_AS",
  .sendmail_def = "none",
  .help = "Shown to the world in place of LocalDomains, DefaultDomain and "
	  "FullyQualifiedDomainName: in the envelope sender and in From, "
	  "Sender and Reply-To.",
  .why = "Recipients and Message-ID stay as they are. See SENDER ADDRESSES." },
{ "SenderMap", V(path, sender_map), .def = "", .shown = "none",
  .help = "A file of lines user: address; the user's own address, in place of "
	  "his name at DefaultDomain.",
  .why = "A number stands for a uid. It is for who gives no sender, and for "
	 "the word own in EnvelopeFrom and HeaderFrom." },
{ "EnvelopeFrom", V(address, envelope_from), .def = "", .shown = "none",
  .help = "The envelope sender of all mail, whatever its program says; own is "
	  "the user's own address.",
  .why = "For a relay that takes one sender only. The null sender stays: it "
	 "asks for no report." },
{ "HeaderFrom", V(address, header_from), .def = "", .shown = "none",
  .help = "The address in From; own is the user's own.",
  .why = "HeaderFromMode says what becomes of a From that is there." },
{ "HeaderFromMode", W(choice, header_from_mode, from_modes), .def = "missing",
  .help = "missing: HeaderFrom is for messages without a From; always: it "
	  "takes the place of the address in every From.",
  .why = "The display name stays, and the address that was there becomes "
	 "Reply-To where there is none." },
{ "AddSender", V(flag, add_sender), .def = "false",
  .help = "Adds a Sender field with the user's own address where From names "
	  "somebody else.",
  .why = "Off, because programs send in the name of people all day, and mail "
	 "readers show such a Sender beside the name. The log has the uid in "
	 "any case. A From of several gets it always (RFC 5322 3.6.2)." },
{ "PostmasterAddress", V(address, postmaster), .def = "",
  .shown = "postmaster at DefaultDomain",
  .help = "The author of reports." },
{ "SendNdrTo", V(address, send_ndr_to), .def = "",
  .shown = "none", .iis = "none",
  .help = "Gets a copy of every failure report." },
{ "SendBadTo", V(address, send_bad_to), .def = "",
  .shown = "none", .iis = "none",
  .help = "Gets a copy of every message that moves to BadMailDirectory." },

{ "Operators", V(text, operators), .def = "", .shown = "none",
  .group = "Rights",
  .help = "A group whose members may list and run the whole queue.",
  .why = "Where the program is installed set-group-id, anybody else sees only "
	 "his own messages and starts no run. Root may always." },
{ "MaxMessagesPerHour", R(number, max_messages_per_hour, 0, 1000000),
  .def = "0",
  .help = "Messages a user may submit in an hour; 0 is no limit.",
  .why = "Over it the status is 77. Root and UnlimitedUsers are free. The "
	 "log names the uid and the directory of each caller." },
{ "MaxQueuedPerUser", R(number, max_queued_per_user, 0, 1000000), .def = "0",
  .help = "Messages of a user that may wait in QueueDirectory; 0 is no "
	  "limit.",
  .why = "Every message that waits is looked at to count them." },
{ "UnlimitedUsers", V(list, unlimited_users), .def = "", .shown = "none",
  .help = "Users, by name or number, for whom these two limits do not "
	  "hold." },

{ "DeliveryMode", W(choice, delivery_mode, modes),
  .def = "interactive", .flags = CONF_ANYONE, .sendmail = "DeliveryMode",
  .sendmail_def = "background", .group = "Submission",
  .help = "When delivery is tried: while the caller waits, behind its back, "
	  "or by the next queue run.",
  .why = "The letters i, b, q and d are read too. Interactive, because then a "
	 "refusal reaches the program that caused it; ImmediateTimeout keeps "
	 "the wait short." },
{ "ErrorMode", W(choice, error_mode, errors), .def = "print",
  .flags = CONF_ANYONE, .sendmail = "ErrorMode", .sendmail_def = "print",
  .help = "How a caller learns that all recipients were refused.",
  .why = "The letters p, m, w, e and q are read too." },
{ "IgnoreDots", V(flag, ignore_dots), .def = "false",
  .flags = CONF_ANYONE, .sendmail = "IgnoreDots", .sendmail_def = "false",
  .help = "A line with a single dot does not end the message." },
{ "PickupDotStuffed", V(flag, pickup_dot_stuffed), .def = "false",
  .iis = "true, as SmtpDotStuffPickupDirFiles",
  .help = "In a file in PickupDirectory a line with a single dot ends the "
	  "message, and of two dots that begin a line one is taken away.",
  .why = "Hardly any program writes such files, and in all others a lone dot "
	 "would cut the message. .NET Framework does, .NET 5 and later does "
	 "not." },
{ "Verbose", V(flag, verbose), .def = "false",
  .flags = CONF_ANYONE, .sendmail = "Verbose", .sendmail_def = "false",
  .help = "Show the dialogue with the server." },
{ "ImmediateTimeout", R(seconds, immediate_timeout, 1, 86400),
  .def = "15",
  .help = "How long a caller may be kept waiting.",
  .why = "After it the message is put into the queue and the caller goes on. "
	 "Programs behind a web server have about 30 seconds." },
{ "MaxMessageSize", R(size, max_message_size, 0, OCTETS),
  .def = "52428800", .iis = "2097152", .sendmail = "MaxMessageSize",
  .sendmail_def = "0",
  .help = "The largest message accepted; 0 is no limit.",
  .why = "Messages have grown; most servers now take 25 to 50 MB." },
{ "HopCount", R(number, hop_count, 1, 1000), .def = "100",
  .iis = "15", .sendmail = "MaxHopCount", .sendmail_def = "25",
  .help = "A message with more Received fields than this is in a loop.",
  .why = "RFC 5321 asks for at least 100; filters and lists add many." },

{ "SmartHost", V(hosts, smart_hosts), .def = "", .shown = "none",
  .flags = CONF_DOMAIN, .iis = "none", .group = "Routes",
  .help = "The servers that take mail for other domains, tried in this order.",
  .why = "The forms are host, host:port, [ip], [ip]:port and [IPv6:ip], each "
	 "with smtps:// before it where the server wants TLS from the first "
	 "octet (port 465 if none is given; port 465 is always so). "
	 "Address records are looked up, never MX." },
{ "SmartHostType", R(number, smart_host_type, 0, 2), .def = "0",
  .shown = "2 where SmartHost is set, else 0", .flags = CONF_DOMAIN, .iis = "0",
  .help = "0: SmartHost is not used; 1: direct first, SmartHost where that "
	  "cannot be tried or fails for now; 2: always SmartHost.",
  .why = "Who names a SmartHost wants it used. A section that sets SmartHost "
	 "and not this has 2, unless it is 1 outside." },
{ "RemoteSmtpPort", R(number, remote_port, 1, 65535), .def = "25",
  .flags = CONF_DOMAIN, .iis = "25",
  .help = "The port of every server, SmartHost included." },
{ "SmtpOutboundCommandSupportOptions", V(mask, outbound_mask),
  .def = "all", .flags = CONF_DOMAIN, .iis = "7",
  .help = "The ESMTP verbs that may be used when a server offers them.",
  .why = "See VERB MASKS below. Everything, because each verb is used only "
	 "where it is offered." },
{ "SmtpInboundCommandSupportOptions", V(mask_inbound, inbound_mask),
  .def = "all", .iis = "7697601",
  .help = "The ESMTP verbs that are offered on standard input (-bs).",
  .why = "See VERB MASKS below. Of those that are on, what is built is "
	 "offered." },
{ "AddressFamily", W(choice, family, families), .def = "any",
  .flags = CONF_DOMAIN,
  .help = "Which addresses of a server are tried." },
{ "BindAddress", V(ip, bind_address), .def = "",
  .shown = "none", .flags = CONF_DOMAIN,
  .help = "The local address of connections." },
{ "NameServers", V(servers, name_servers), .def = "",
  .shown = "the system's",
  .help = "The DNS servers to ask." },
{ "ConnectTimeout", R(seconds, connect_timeout, 0, 3600),
  .def = "0", .shown = "5 while a caller waits, 30 in a queue run",
  .flags = CONF_DOMAIN,
  .help = "How long to wait for a connection; 0 is the default.",
  .why = "A caller should not wait for a host that is down, a queue run "
	 "may." },
{ "RemoteTimeout", R(seconds, remote_timeout, 1, 86400),
  .def = "600", .flags = CONF_DOMAIN, .iis = "600",
  .help = "The longest wait for any reply.",
  .why = "The limits of RFC 5321, which end at ten minutes, hold below it. "
	 "Who waits less for the last reply sends mail twice." },

{ "SmtpRemoteProgressiveRetry", R(retries, retry, 1, 10080),
  .def = "2,5,15,30,60,240", .flags = CONF_DOMAIN, .iis = "15,30,60,240",
  .group = "The queue",
  .help = "Minutes from one attempt to the next; the last one repeats.",
  .why = "IIS tries three times a minute apart before it begins its list. "
	 "Each time varies by a fifth either way, so that messages do not "
	 "come back all at once." },
{ "SmtpRemoteDelayExpireMinutes",
  R(minutes, delay_expire, -1, YEAR), .def = "720",
  .flags = CONF_DOMAIN, .iis = "720",
  .help = "After this time the sender is told of the delay, once; -1 is "
	  "never." },
{ "SmtpRemoteNDRExpireMinutes", R(minutes, ndr_expire, 0, YEAR),
  .def = "7200", .flags = CONF_DOMAIN, .iis = "2880",
  .help = "After this time a message is given up; 0 is at the next failed "
	  "attempt.",
  .why = "RFC 5321 asks for four to five days, and a server can be down for a "
	 "weekend." },
{ "SmtpLocalDelayExpireMinutes",
  R(minutes, local_delay_expire, -1, YEAR), .def = "720",
  .iis = "720",
  .help = "As SmtpRemoteDelayExpireMinutes, for mail that cannot be written "
	  "to DropDirectory." },
{ "SmtpLocalNDRExpireMinutes",
  R(minutes, local_ndr_expire, 0, YEAR), .def = "7200",
  .iis = "2880",
  .help = "As SmtpRemoteNDRExpireMinutes, for mail that cannot be written to "
	  "DropDirectory." },
{ "BadMailKeeps", W(choice, badmail_keeps, keeps), .def = "expired",
  .help = "Which failed messages move to BadMailDirectory.",
  .why = "Unreturnable: those whose report cannot be returned to a sender; "
	 "expired: these, and those whose time ran out; all: every one. What "
	 "was refused and returned is in its sender's hands already." },
{ "MaxBadMailFolderSize", R(kbytes, badmail_max_kb, -1, INT64_C(1) << 40),
  .def = "1048576", .iis = "0, from Exchange 2003 SP1 on",
  .help = "The size of BadMailDirectory; over it the oldest messages go. -1 "
	  "is no limit, 0 keeps nothing.",
  .why = "A folder without a limit fills the disk; one that keeps nothing "
	 "hides what went wrong." },
{ "DropDirectoryQuota", R(size, drop_quota, 0, INT64_C(1) << 50),
  .def = "0", .shown = "10 times MaxMessageSize",
  .help = "When DropDirectory holds this much, local mail waits; 0 is no "
	  "limit.",
  .why = "IIS has the same ten times, as a box to tick." },

{ "TlsSecurityLevel", W(choice, tls_level, levels), .def = "may",
  .shown = "may; verify where RouteUserName is set", .flags = CONF_DOMAIN,
  .group = "TLS and AUTH",
  .help = "none: no TLS; may: where it is offered, in clear where it is not; "
	  "encrypt: TLS or the message waits; verify: a certificate of a "
	  "trusted issuer for this host's name; fingerprint: one of "
	  "TlsFingerprint.",
  .why = "The words are Postfix's. A password goes only to who has proved "
	 "his name." },
{ "AlwaysUseSsl", V(flag, always_use_ssl), .def = "false",
  .flags = CONF_DOMAIN, .iis = "false",
  .help = "At least the level encrypt." },
{ "TlsCAFile", V(path, tls_ca_file), .def = "", .shown = "none",
  .flags = CONF_DOMAIN,
  .help = "Certificates of trusted issuers, in one file (PEM)." },
{ "TlsCADirectory", V(path, tls_ca_dir), .def = "",
  .shown = "the system's, where TlsCAFile is not set", .flags = CONF_DOMAIN,
  .help = "Trusted issuers in a directory with hash links.",
  .why = "One of them is read instead of all of a bundle." },
{ "TlsFingerprint", V(list, tls_fingerprints), .def = "", .shown = "none",
  .flags = CONF_DOMAIN,
  .help = "SHA-256 of the server's certificate or public key, in hex; several "
	  "for a roll-over.",
  .why = "When verification fails the log has the line that would pin what "
	 "was seen." },
{ "TlsCertFile", V(path, tls_cert_file), .def = "", .shown = "none",
  .flags = CONF_DOMAIN,
  .help = "Our own certificate (PEM), for servers that ask for one." },
{ "TlsKeyFile", V(path, tls_key_file), .def = "", .shown = "none",
  .flags = CONF_DOMAIN,
  .help = "Its key (PEM)." },
{ "TlsMinProtocol", W(name, tls_min_protocol, protocols), .def = "TLSv1.2",
  .flags = CONF_DOMAIN,
  .help = "The oldest protocol that may be used." },
{ "TlsCiphers", V(text, tls_ciphers), .def = "", .shown = "OpenSSL's",
  .flags = CONF_DOMAIN,
  .help = "OpenSSL's list of ciphers for TLS up to 1.2." },
{ "RouteUserName", V(text, route_user), .def = "", .shown = "none",
  .flags = CONF_DOMAIN, .iis = "none",
  .help = "The user for AUTH; where it is set, mail goes only after AUTH.",
  .why = "A refused password defers mail and is logged as an alert; it never "
	 "returns a message. User and password are for the SmartHost they are "
	 "set with: where a later source (a section, the environment, -O) names "
	 "another, or -O says how the server is found or by what it is known, "
	 "they are not used unless they are given there too." },
{ "RoutePassword", V(text, route_password), .def = "", .shown = "none",
  .flags = CONF_DOMAIN, .iis = "none",
  .help = "Its password; better in RoutePasswordFile." },
{ "RoutePasswordFile", V(path, route_password_file), .def = "",
  .shown = "none", .flags = CONF_DOMAIN,
  .help = "The file whose first line is the password; nobody but root and "
	  "mailroot's group should read it." },
{ "RoutePasswordCommand", V(text, route_password_command), .def = "",
  .shown = "none", .flags = CONF_DOMAIN | CONF_GUARDED,
  .help = "A shell command whose first line of output is the password or, for "
	  "OAUTHBEARER and XOAUTH2, the access token.",
  .why = "It must end within 10 seconds, in which nothing is sent, and runs at "
	 "most once a minute. It gets PATH=/usr/bin:/bin and no standard input." },
{ "AuthMechanisms", V(text, auth_mechanisms), .def = "", .shown = "all",
  .flags = CONF_DOMAIN,
  .help = "The mechanisms that may be used: SCRAM-SHA-256, SCRAM-SHA-1, "
	  "CRAM-MD5, PLAIN, LOGIN, OAUTHBEARER, XOAUTH2, EXTERNAL.",
  .why = "The strongest that is offered is taken; the token ones and EXTERNAL "
	 "only when they are named." },
{ "AllowAuthInClear", V(flag, auth_in_clear), .def = "false",
  .flags = CONF_DOMAIN,
  .help = "Allows AUTH without TLS to a server on a loopback address.",
  .why = "For a relay on the same machine. To any other address never." },

{ "MaxRecipients", R(number, max_recipients, 1, RECIPIENTS_MAX),
  .def = "100", .flags = CONF_DOMAIN, .iis = "100", .group = "Limits",
  .help = "Recipients in one transaction; more are split, not refused.",
  .why = "Every server must take 100." },
{ "MaxBatchedMessages", R(number, max_batched, 0, 1000000),
  .def = "100", .flags = CONF_DOMAIN, .iis = "20",
  .help = "Messages on one connection; 0 is no limit." },
{ "MaxSessionSize", R(size, max_session_size, 0, INT64_C(1) << 50),
  .def = "0", .flags = CONF_DOMAIN, .iis = "10485760",
  .help = "Octets of messages on one connection; 0 is no limit.",
  .why = "MaxBatchedMessages is enough." },
{ "MaxOutConnections", R(number, max_connections, 1, 100000),
  .def = "500", .iis = "1000",
  .help = "Connections at a time.",
  .why = "Fewer where the file descriptors do not reach." },
{ "MaxOutConnectionsPerDomain",
  R(number, max_connections_per_domain, 1, 100000), .def = "20",
  .shown = "20; 3 where RouteUserName is set",
  .flags = CONF_DOMAIN, .iis = "100",
  .help = "Connections at a time to one domain.",
  .why = "Large providers refuse more, and count it against the sender." },
{ "MessagesPerMinute", R(number, messages_per_minute, 0, 60000), .def = "0",
  .flags = CONF_DOMAIN,
  .help = "Messages a minute to one next hop, evenly spread; 0 is no limit. "
	  "Each process counts for itself.",
  .why = "For [domain] sections of hosts that ask for it." },

{ "LogFile", V(log, log_file), .def = "",
  .shown = "none", .flags = CONF_GUARDED, .group = "Log",
  .help = "Where events are logged.",
  .why = "Without it they go to syslog, and where there is none to log in "
	 "StateDirectory. The word stderr is for queue runs only." },
{ "LogFormat", W(choice, log_format, formats), .def = "text",
  .help = "Lines of text or JSON objects.",
  .why = "A line that is a warning or worse has level= with syslog's word: "
	 "warning, err, crit or alert." },
{ "SyslogFacility", W(name, syslog_facility, facilities),
  .def = "mail",
  .help = "The facility of lines sent to syslog." },
};

#define NSETTINGS (sizeof table / sizeof table[0])

/* ---- the two forms of its own ---------------------------------------------------- */

static bool set_retries(const struct confvalue *v, void *base,
			const char *text, char *why)
{
	struct conf *c = base;
	const char *const *list = confvalue_split(text, &c->nretry);
	int64_t n;
	size_t i;

	(void)why;
	for (i = 0; i < c->nretry && i < RETRY_MAX; i++) {
		if (!confread_int(list[i], v->min, v->max, &n))
			return false;
		c->retry[i] = (unsigned)n;
	}
	return i > 0 && i == c->nretry;
}

static bool set_hosts(const struct confvalue *v, void *base, const char *text,
		      char *why)
{
	struct conf *c = base;
	const char *const *list = confvalue_split(text, &c->nsmart_hosts);
	struct smart_host *hosts;
	char host[HOST_SIZE];
	const char *bad, *word;
	size_t i, n = c->nsmart_hosts;

	(void)v;
	hosts = confvalue_keep(xcalloc(n, sizeof *hosts));
	c->smart_hosts = list;
	c->smart_host_list = hosts;
	for (i = 0; i < n; i++) {
		word = list[i];
		hosts[i].tls = strncasecmp(word, "smtps://", 8) == 0;
		if (hosts[i].tls)
			word += 8;
		bad = confread_host(word, strlen(word), host,
				    &hosts[i].literal, &hosts[i].port);
		if (bad && n > 1)
			snprintf(why, CONFVALUE_WHY,
				 "holds \"%.80s\", which %s", list[i], bad);
		else if (bad)
			snprintf(why, CONFVALUE_WHY, "%s", bad);
		if (bad)
			return false;
		/* RFC 8314 7.3: port 465 has TLS from the first octet. */
		if (hosts[i].tls && !hosts[i].port)
			hosts[i].port = 465;
		hosts[i].tls |= hosts[i].port == 465;
		hosts[i].host = confvalue_keep(xstrdup(host));
	}
	return true;
}

static bool set_text(const struct confvalue *v, void *base, const char *text,
		     char *why)
{
	(void)why;
	*(const char **)((char *)base + v->at) = text;
	return true;
}

static bool set_list(const struct confvalue *v, void *base, const char *text,
		     char *why)
{
	const char *const *list;
	size_t n;

	(void)why;
	list = confvalue_split(text, &n);
	*(const char *const **)((char *)base + v->at) = list;
	return true;
}

/* ---- what follows from other settings ------------------------------------------------- */

static struct conf base;
static bool unreadable;		/* mailroot.conf is there, and not for us */
static size_t nlocal;		/* names in base.local_domains */
static struct conf spare;
static struct confsource sources = { .rows = table, .nrows = NSETTINGS,
				     .spare = &spare };

/* Is there a text for the setting with this field? */
static bool given(const char *const *texts, size_t at)
{
	size_t i;

	for (i = 0; i < NSETTINGS; i++)
		if (table[i].v.at == at)
			return texts && texts[i];
	return false;
}
#define GIVEN(texts, f) given((const char *const *)(texts), \
			      offsetof(struct conf, f))

static void apply(struct conf *c, size_t i, const char *text)
{
	char why[CONFVALUE_WHY];

	if (!confvalue_set(&table[i].v, c, text, why))
		bug("a setting's text or default does not read twice");
}

static void child(struct conf *c, const char **dir, const char *name)
{
	size_t n = strlen(c->mailroot) + strlen(name) + 2;
	char *path;

	if (**dir)
		return;
	*dir = path = confvalue_keep(xcalloc(n, 1));
	snprintf(path, n, "%s/%s",
		 strcmp(c->mailroot, "/") ? c->mailroot : "", name);
}

static void directories(struct conf *c)
{
	if (!*c->mailroot)
		c->mailroot = PATH_MAILROOT;
	child(c, &c->queue_dir, "Queue");
	child(c, &c->drop_dir, "Drop");
	child(c, &c->badmail_dir, "Badmail");
	child(c, &c->pickup_dir, "Pickup");
	child(c, &c->state_dir, "State");
}

static const char *qualified(const char *addr, const char *domain)
{
	return confvalue_keep(addr_qualify(addr, domain));
}

static void names(struct conf *c)
{
	char host[HOST_SIZE] = "", name[HOST_SIZE];

	if (!*c->fqdn) {
		if (gethostname(host, sizeof host - 1) != 0)
			host[0] = '\0';
		confread_fqdn(name, host, PATH_MAILNAME, PATH_HOSTS);
		c->fqdn = confvalue_keep(xstrdup(name));
	}
	if (!*c->default_domain) {
		/* A name without a dot makes no address anyone can answer. */
		if (confread_mailname(name, PATH_MAILNAME) &&
		    addr_is_fqdn(name))
			c->default_domain = confvalue_keep(xstrdup(name));
		else
			c->default_domain = c->fqdn;
	}
	c->postmaster = qualified(*c->postmaster ? c->postmaster : "postmaster",
				  c->default_domain);
	c->send_ndr_to = qualified(c->send_ndr_to, c->default_domain);
	c->send_bad_to = qualified(c->send_bad_to, c->default_domain);
	if (strcmp(c->envelope_from, "own") != 0)
		c->envelope_from = qualified(c->envelope_from,
					     c->default_domain);
	if (strcmp(c->header_from, "own") != 0)
		c->header_from = qualified(c->header_from, c->default_domain);
}

/* texts: those that stand where SmartHost may have been given just now. */
static void smart_host_type(struct conf *c, const char **texts)
{
	if (c->nsmart_hosts == 0)
		c->smart_host_type = 0;
	else if (c->smart_host_type == 0 && GIVEN(texts, smart_hosts) &&
		 !GIVEN(texts, smart_host_type))
		c->smart_host_type = 2;
}

/*
 * What RouteUserName brings with it.  outer: the texts outside sections.  It
 * wants a server that has proved its name, unless a level was asked for in so
 * many words; and providers count the connections of a user.
 */
static void credentials(struct conf *c, const char **texts, const char **outer)
{
	c->tls_level_asked = GIVEN(texts, tls_level) || GIVEN(outer, tls_level);
	if (!c->tls_level_asked)
		c->tls_level = *c->route_user ? TLS_VERIFY : TLS_MAY;
	if (c->always_use_ssl && c->tls_level < TLS_ENCRYPT)
		c->tls_level = TLS_ENCRYPT;
	if (*c->route_user && !GIVEN(texts, max_connections_per_domain) &&
	    !GIVEN(outer, max_connections_per_domain))
		c->max_connections_per_domain = 3;
}

static void settle_section(struct confsection *s)
{
	struct conf *c = s->conf = xcalloc(1, sizeof *c);
	size_t i;

	*c = base;
	for (i = 0; i < NSETTINGS; i++)
		if (s->texts[i])
			apply(c, i, s->texts[i]);
	smart_host_type(c, s->texts);
	confguard_section(s->texts, c);
	credentials(c, s->texts, sources.texts);
}

/* From texts to values: conf() first, then its variations. */
static void settle(void)
{
	const char **texts = sources.texts;
	const struct confword *w;
	size_t i;

	for (i = 0; i < NSETTINGS; i++)
		apply(&base, i, texts && texts[i] ? texts[i] : table[i].def);
	directories(&base);
	names(&base);
	smart_host_type(&base, texts);
	credentials(&base, texts, texts);
	if (!GIVEN(texts, drop_quota))
		base.drop_quota = base.max_message_size * 10;
	for (w = facilities; w->word; w++)
		if (strcmp(w->word, base.syslog_facility) == 0)
			base.syslog_number = w->value;
	for (nlocal = 0; base.local_domains[nlocal]; )
		nlocal++;
	for (i = 0; i < sources.nslots; i++)
		if (sources.slot[i])
			settle_section(sources.slot[i]);
}

/* A file that nobody but root could have written. */
static bool is_roots(const char *file)
{
	struct stat st;

	return stat(file, &st) == 0 && st.st_uid == 0 &&
		!(st.st_mode & (S_IWGRP | S_IWOTH));
}

int conf_load(const char *file, char *const *environ_list,
	      const struct conf_option *options, size_t noptions,
	      const struct conf_caller *caller, char *error, size_t errsize)
{
	char other[256];
	size_t i;
	int status;

	confsource_forget(&sources);
	sources.error = error;
	sources.errsize = errsize;
	sources.guarded = caller->guarded && file && !is_roots(file);
	status = confsource_file(&sources, file ? file : PATH_CONF, !file);
	sources.guarded = false;
	unreadable = status && !file &&
		faccessat(AT_FDCWD, PATH_CONF, R_OK, AT_EACCESS) != 0;
	if (unreadable) {
		status = 0;
		sources.error = other;
		sources.errsize = sizeof other;
	}
	confguard_begin(&sources);
	if (!status && !caller->borrowed)
		status = confsource_environ(&sources, environ_list);
	confguard_source(&sources, false);
	sources.guarded = caller->guarded;
	for (i = 0; i < noptions && !status; i++)
		status = confsource_option(&sources, options[i].text,
					   caller->borrowed);
	confguard_source(&sources, true);
	/* Half of what the operator meant is worse than the defaults. */
	if (status)
		confsource_forget(&sources);
	settle();
	return unreadable ? EXIT_CONFIG : status;
}

bool conf_unreadable(void)
{
	return unreadable;
}

/* ---- the questions ---------------------------------------------------------------------------- */

const struct conf *conf(void)
{
	return &base;
}

const struct conf *conf_for(const char *domain)
{
	const struct confsection *s = confsource_find(&sources, domain);

	return s ? s->conf : &base;
}

bool conf_is_local(const char *domain)
{
	if (base.smart_host_type == 0 && strcasecmp(domain, "localhost") == 0)
		return true;
	return bsearch(&domain, base.local_domains, nlocal, sizeof domain,
		       confvalue_by_name);
}

void conf_given(void (*each)(void *arg, const char *name, const char *text),
		void *arg)
{
	size_t i;

	for (i = 0; i < NSETTINGS && sources.texts; i++)
		if (sources.texts[i])
			each(arg, table[i].name, sources.texts[i]);
}

void conf_manual(struct buf *out, bool mdoc)
{
	confmanual_print(table, NSETTINGS, mdoc, out);
}
