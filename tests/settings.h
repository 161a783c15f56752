/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * What both tests of the settings need: load them from texts, and struct conf
 * as text, one key at a time.  The file is named F, in a directory of the
 * test's own.
 */
#ifndef TESTS_SETTINGS_H
#define TESTS_SETTINGS_H

#include "conf.h"
#include "tests/check.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- struct conf as text, one key at a time ---------------------------------- */

#define S(field) snprintf(dst, size, "%s", c->field)
#define N(field) snprintf(dst, size, "%lld", (long long)c->field)

static void show_list(char *dst, size_t size, const char *const *list)
{
	size_t n = 0;

	for (dst[0] = '\0'; *list && n < size; list++)
		n += (size_t)snprintf(dst + n, size - n, "%s%s", n ? "," : "",
				      *list);
}

/* host:port, a literal in brackets. */
static void show_hosts(char *dst, size_t size, const struct conf *c)
{
	size_t n = 0, i;

	for (i = 0, dst[0] = '\0'; i < c->nsmart_hosts; i++)
		n += (size_t)snprintf(dst + n, size - n,
				      c->smart_host_list[i].literal ?
				      "%s[%s]:%u" : "%s%s:%u", n ? "," : "",
				      c->smart_host_list[i].host,
				      c->smart_host_list[i].port);
}

static void show_retry(char *dst, size_t size, const struct conf *c)
{
	size_t n = 0, i;

	for (i = 0, dst[0] = '\0'; i < c->nretry; i++)
		n += (size_t)snprintf(dst + n, size - n, "%s%u", n ? "," : "",
				      c->retry[i]);
}

#define IS(name) else if (strcmp(key, name) == 0)

static inline const char *show(const struct conf *c, const char *key)
{
	static char dst[2048];
	size_t size = sizeof dst;

	if (strcmp(key, "MailRoot") == 0) S(mailroot);
	IS("QueueDirectory") S(queue_dir);
	IS("DropDirectory") S(drop_dir);
	IS("BadMailDirectory") S(badmail_dir);
	IS("PickupDirectory") S(pickup_dir);
	IS("StateDirectory") S(state_dir);
	IS("FullyQualifiedDomainName") S(fqdn);
	IS("DefaultDomain") S(default_domain);
	IS("LocalDomains") show_list(dst, size, c->local_domains);
	IS("PostmasterAddress") S(postmaster);
	IS("MasqueradeDomain") S(masquerade_domain);
	IS("SenderMap") S(sender_map);
	IS("EnvelopeFrom") S(envelope_from);
	IS("HeaderFrom") S(header_from);
	IS("HeaderFromMode") N(header_from_mode);
	IS("AddSender") N(add_sender);
	IS("SendNdrTo") S(send_ndr_to);
	IS("SendBadTo") S(send_bad_to);
	IS("DeliveryMode") N(delivery_mode);
	IS("ErrorMode") N(error_mode);
	IS("IgnoreDots") N(ignore_dots);
	IS("PickupDotStuffed") N(pickup_dot_stuffed);
	IS("Verbose") N(verbose);
	IS("ImmediateTimeout") N(immediate_timeout);
	IS("ConnectTimeout") N(connect_timeout);
	IS("RemoteTimeout") N(remote_timeout);
	IS("SmartHost") show_hosts(dst, size, c);
	IS("smart_hosts") show_list(dst, size, c->smart_hosts);
	IS("SmartHostType") N(smart_host_type);
	IS("RemoteSmtpPort") N(remote_port);
	IS("SmtpOutboundCommandSupportOptions") N(outbound_mask);
	IS("SmtpInboundCommandSupportOptions") N(inbound_mask);
	IS("AddressFamily") N(family);
	IS("BindAddress") S(bind_address);
	IS("NameServers") S(name_servers);
	IS("SmtpRemoteProgressiveRetry") show_retry(dst, size, c);
	IS("SmtpRemoteDelayExpireMinutes") N(delay_expire);
	IS("SmtpRemoteNDRExpireMinutes") N(ndr_expire);
	IS("SmtpLocalDelayExpireMinutes") N(local_delay_expire);
	IS("SmtpLocalNDRExpireMinutes") N(local_ndr_expire);
	IS("BadMailKeeps") N(badmail_keeps);
	IS("MaxBadMailFolderSize") N(badmail_max_kb);
	IS("DropDirectoryQuota") N(drop_quota);
	IS("MaxMessageSize") N(max_message_size);
	IS("MaxRecipients") N(max_recipients);
	IS("MaxBatchedMessages") N(max_batched);
	IS("MaxSessionSize") N(max_session_size);
	IS("MaxOutConnections") N(max_connections);
	IS("MaxOutConnectionsPerDomain") N(max_connections_per_domain);
	IS("HopCount") N(hop_count);
	IS("LogFile") S(log_file);
	IS("LogFormat") N(log_format);
	IS("SyslogFacility") S(syslog_facility);
	IS("syslog_number") N(syslog_number);
	IS("operators") S(operators);
	else snprintf(dst, size, "(the test does not know %s)", key);
	return dst;
}

/* ---- loading ------------------------------------------------------------------- */

static char error[1024];

static void put_file(const char *name, const char *text, size_t n)
{
	FILE *f = fopen(name, "w");

	if (!f || fwrite(text, 1, n, f) != n || fclose(f) != 0)
		exit(2);
}

/* text NULL: no file is named.  env and option: NULL or one each. */
static inline int load(const char *text, const char *env, const char *option,
		bool borrowed)
{
	struct conf_option opt = { option };
	struct conf_caller caller = { .borrowed = borrowed };
	char copy[256];
	char *list[] = { copy, NULL };

	if (text)
		put_file("F", text, strlen(text));
	snprintf(copy, sizeof copy, "%s", env ? env : "PATH=/bin");
	error[0] = '\0';
	return conf_load(text ? "F" : NULL, list, &opt, option != NULL,
			 &caller, error, sizeof error);
}

/* A directory for F, and gone again. */
static char where[] = "/tmp/confXXXXXX";

static inline void begin(void)
{
	if (!mkdtemp(where) || chdir(where) != 0)
		exit(2);
}

static inline int end(const char *program)
{
	unlink("F");
	unlink("M");
	unlink("H");
	if (chdir("/") == 0)
		rmdir(where);
	return check_done(program);
}

#endif
