/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The settings: what a file makes of struct conf and of its variations for a
 * domain.  What is refused, and the other sources: confsource.c.
 */
#include "config.h"
#include "lib/util.h"
#include "tests/settings.h"

/* ---- the defaults ---------------------------------------------------------------- */

static const char mailroot[] = PATH_MAILROOT;

static const struct {
	const char *key, *want;		/* "/x": below MailRoot */
} defaults[] = {
	{ "QueueDirectory", "/Queue" },
	{ "DropDirectory", "/Drop" },
	{ "BadMailDirectory", "/Badmail" },
	{ "PickupDirectory", "/Pickup" },
	{ "StateDirectory", "/State" },
	{ "LocalDomains", "" },
	{ "SendNdrTo", "" },
	{ "SendBadTo", "" },
	{ "DeliveryMode", "0" },
	{ "ErrorMode", "0" },
	{ "IgnoreDots", "0" },
	{ "PickupDotStuffed", "0" },
	{ "Verbose", "0" },
	{ "ImmediateTimeout", "15" },
	{ "ConnectTimeout", "0" },
	{ "RemoteTimeout", "600" },
	{ "SmartHost", "" },
	{ "smart_hosts", "" },
	{ "SmartHostType", "0" },
	{ "RemoteSmtpPort", "25" },
	{ "SmtpOutboundCommandSupportOptions", "30072468673" },
	{ "SmtpInboundCommandSupportOptions", "30072468673" },
	{ "AddressFamily", "0" },
	{ "BindAddress", "" },
	{ "NameServers", "" },
	{ "SmtpRemoteProgressiveRetry", "2,5,15,30,60,240" },
	{ "SmtpRemoteDelayExpireMinutes", "720" },
	{ "SmtpRemoteNDRExpireMinutes", "7200" },
	{ "SmtpLocalDelayExpireMinutes", "720" },
	{ "SmtpLocalNDRExpireMinutes", "7200" },
	{ "BadMailKeeps", "0" },
	{ "MaxBadMailFolderSize", "1048576" },
	{ "DropDirectoryQuota", "524288000" },
	{ "MaxMessageSize", "52428800" },
	{ "MaxRecipients", "100" },
	{ "MaxBatchedMessages", "100" },
	{ "MaxSessionSize", "0" },
	{ "MaxOutConnections", "500" },
	{ "MaxOutConnectionsPerDomain", "20" },
	{ "HopCount", "100" },
	{ "LogFile", "" },
	{ "LogFormat", "0" },
	{ "SyslogFacility", "mail" },
	{ "syslog_number", "16" },
	{ "operators", "" },
	{ "MasqueradeDomain", "" },
	{ "SenderMap", "" },
	{ "EnvelopeFrom", "" },
	{ "HeaderFrom", "" },
	{ "HeaderFromMode", "0" },
	{ "AddSender", "0" },
};

static void test_defaults(void)
{
	char want[256], name[128];
	size_t i;

	check_int("empty file", load("", NULL, NULL, false), 0);
	check_str("default MailRoot", conf()->mailroot, mailroot);
	for (i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
		snprintf(want, sizeof want, "%s%s",
			 *defaults[i].want == '/' ? mailroot : "",
			 defaults[i].want);
		snprintf(name, sizeof name, "default %s", defaults[i].key);
		check_str(name, show(conf(), defaults[i].key), want);
	}
	/* This machine's own names, whatever they are. */
	check(*conf()->fqdn != '\0', "default FullyQualifiedDomainName");
	check(*conf()->default_domain != '\0', "default DefaultDomain");
	check(strncmp(conf()->postmaster, "postmaster@", 11) == 0,
	      "default PostmasterAddress");
}

/* ---- values ----------------------------------------------------------------------- */

static const struct {
	const char *text, *key, *want;
} values[] = {
	/* lines */
	{ "HopCount=5", "HopCount", "5" },
	{ "  hopcount\t =  5  \r\n", "HopCount", "5" },
	{ "HopCount = 5\nHOPCOUNT = 6\n", "HopCount", "6" },
	{ "# HopCount = 5\n\n \t\n", "HopCount", "100" },
	{ "HopCount = 5 # a note", "HopCount", "5" },
	{ "LogFile = /var/log/a#b", "LogFile", "/var/log/a#b" },
	{ "\xef\xbb\xbfHopCount = 5", "HopCount", "5" },
	{ "PostmasterAddress = a=b@c.test", "PostmasterAddress", "a=b@c.test" },
	/* flags and words */
	{ "Verbose = TRUE", "Verbose", "1" },
	{ "Verbose = yes", "Verbose", "1" },
	{ "Verbose = on", "Verbose", "1" },
	{ "Verbose = 1", "Verbose", "1" },
	{ "IgnoreDots = 1\nIgnoreDots = no", "IgnoreDots", "0" },
	{ "IgnoreDots = 1\nIgnoreDots = Off", "IgnoreDots", "0" },
	{ "IgnoreDots = 1\nIgnoreDots = false", "IgnoreDots", "0" },
	{ "IgnoreDots = 1\nIgnoreDots = 0", "IgnoreDots", "0" },
	{ "DeliveryMode = background", "DeliveryMode", "1" },
	{ "DeliveryMode = QueueOnly", "DeliveryMode", "2" },
	{ "DeliveryMode = d", "DeliveryMode", "3" },
	{ "DeliveryMode = b", "DeliveryMode", "1" },
	{ "DeliveryMode = q", "DeliveryMode", "2" },
	{ "DeliveryMode = b\nDeliveryMode = i", "DeliveryMode", "0" },
	{ "ErrorMode = m", "ErrorMode", "1" },
	{ "ErrorMode = write", "ErrorMode", "2" },
	{ "ErrorMode = e", "ErrorMode", "3" },
	{ "ErrorMode = mail-back-and-0", "ErrorMode", "3" },
	{ "ErrorMode = q", "ErrorMode", "4" },
	{ "ErrorMode = q\nErrorMode = p", "ErrorMode", "0" },
	{ "AddressFamily = IPv4", "AddressFamily", "1" },
	{ "AddressFamily = ipv6", "AddressFamily", "2" },
	{ "BadMailKeeps = all", "BadMailKeeps", "2" },
	{ "BadMailKeeps = unreturnable", "BadMailKeeps", "1" },
	{ "LogFormat = json", "LogFormat", "1" },
	{ "SyslogFacility = LOCAL3", "SyslogFacility", "local3" },
	{ "SyslogFacility = local3", "syslog_number", "152" },
	/* times and sizes */
	{ "ConnectTimeout = 90", "ConnectTimeout", "90" },
	{ "ConnectTimeout = 90s", "ConnectTimeout", "90" },
	{ "ConnectTimeout = 2M", "ConnectTimeout", "120" },
	{ "ConnectTimeout = 1h", "ConnectTimeout", "3600" },
	{ "RemoteTimeout = 1d", "RemoteTimeout", "86400" },
	{ "MaxMessageSize = 2048", "MaxMessageSize", "2048" },
	{ "MaxMessageSize = 3k", "MaxMessageSize", "3072" },
	{ "MaxMessageSize = 25M", "MaxMessageSize", "26214400" },
	{ "MaxMessageSize = 1G", "MaxMessageSize", "1073741824" },
	{ "MaxMessageSize = 0", "MaxMessageSize", "0" },
	{ "MaxMessageSize = 512G", "MaxMessageSize", "549755813888" },
	/* the ends of each range */
	{ "ImmediateTimeout = 1", "ImmediateTimeout", "1" },
	{ "ImmediateTimeout = 86400", "ImmediateTimeout", "86400" },
	{ "ConnectTimeout = 0", "ConnectTimeout", "0" },
	{ "RemoteTimeout = 1", "RemoteTimeout", "1" },
	{ "SmartHost = h.test\nSmartHostType = 0", "SmartHostType", "0" },
	{ "RemoteSmtpPort = 1", "RemoteSmtpPort", "1" },
	{ "RemoteSmtpPort = 65535", "RemoteSmtpPort", "65535" },
	{ "HopCount = 1", "HopCount", "1" },
	{ "HopCount = 1000", "HopCount", "1000" },
	{ "SmtpRemoteDelayExpireMinutes = -1", "SmtpRemoteDelayExpireMinutes",
	  "-1" },
	{ "SmtpRemoteNDRExpireMinutes = 0", "SmtpRemoteNDRExpireMinutes", "0" },
	{ "SmtpRemoteNDRExpireMinutes = 527040", "SmtpRemoteNDRExpireMinutes",
	  "527040" },
	{ "SmtpLocalDelayExpireMinutes = -1", "SmtpLocalDelayExpireMinutes",
	  "-1" },
	{ "SmtpLocalNDRExpireMinutes = 0", "SmtpLocalNDRExpireMinutes", "0" },
	{ "MaxBadMailFolderSize = -1", "MaxBadMailFolderSize", "-1" },
	{ "MaxBadMailFolderSize = 0", "MaxBadMailFolderSize", "0" },
	{ "MaxBadMailFolderSize = 1099511627776", "MaxBadMailFolderSize",
	  "1099511627776" },
	{ "DropDirectoryQuota = 0", "DropDirectoryQuota", "0" },
	{ "MaxRecipients = 1", "MaxRecipients", "1" },
	{ "MaxRecipients = 100000", "MaxRecipients", "100000" },
	{ "MaxBatchedMessages = 0", "MaxBatchedMessages", "0" },
	{ "MaxBatchedMessages = 1000000", "MaxBatchedMessages", "1000000" },
	{ "MaxSessionSize = 10M", "MaxSessionSize", "10485760" },
	{ "MaxOutConnections = 1", "MaxOutConnections", "1" },
	{ "MaxOutConnections = 100000", "MaxOutConnections", "100000" },
	{ "MaxOutConnectionsPerDomain = 1", "MaxOutConnectionsPerDomain", "1" },
	{ "MaxOutConnectionsPerDomain = 100000", "MaxOutConnectionsPerDomain",
	  "100000" },
	{ "SmtpRemoteProgressiveRetry = 1", "SmtpRemoteProgressiveRetry", "1" },
	{ "SmtpRemoteProgressiveRetry = 15, 30 60,10080",
	  "SmtpRemoteProgressiveRetry", "15,30,60,10080" },
	{ "SmtpRemoteProgressiveRetry = 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 "
	  "1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 9", "SmtpRemoteProgressiveRetry",
	  "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,9" },
	/* directories */
	{ "MailRoot = /m/", "MailRoot", "/m" },
	{ "MailRoot = /m", "QueueDirectory", "/m/Queue" },
	{ "MailRoot = /m", "PickupDirectory", "/m/Pickup" },
	{ "PickupDirectory = /p\nMailRoot = /m", "PickupDirectory", "/p" },
	{ "PickupDotStuffed = yes", "PickupDotStuffed", "1" },
	{ "MailRoot = /", "StateDirectory", "/State" },
	{ "MailRoot =", "MailRoot", PATH_MAILROOT },
	{ "BadMailDirectory = /b\nMailRoot = /m", "BadMailDirectory", "/b" },
	{ "DropDirectory = /d\nDropDirectory =\nMailRoot = /m",
	  "DropDirectory", "/m/Drop" },
	/* names */
	{ "FullyQualifiedDomainName = w.example.com.",
	  "FullyQualifiedDomainName", "w.example.com" },
	{ "FullyQualifiedDomainName = bare", "FullyQualifiedDomainName",
	  "bare" },
	{ "DefaultDomain = example.com", "PostmasterAddress",
	  "postmaster@example.com" },
	{ "DefaultDomain = example.com\nPostmasterAddress = root",
	  "PostmasterAddress", "root@example.com" },
	/* senders: own is a word, another name an address without a domain */
	{ "EnvelopeFrom = own", "EnvelopeFrom", "own" },
	{ "HeaderFrom = own", "HeaderFrom", "own" },
	{ "DefaultDomain = example.com\nEnvelopeFrom = web", "EnvelopeFrom",
	  "web@example.com" },
	{ "DefaultDomain = example.com\nHeaderFrom = web", "HeaderFrom",
	  "web@example.com" },
	{ "HeaderFromMode = Always", "HeaderFromMode", "1" },
	{ "HeaderFromMode = always\nHeaderFromMode = missing",
	  "HeaderFromMode", "0" },
	{ "AddSender = yes", "AddSender", "1" },
	{ "MasqueradeDomain = example.com", "MasqueradeDomain",
	  "example.com" },
	{ "DefaultDomain = example.com\nSendNdrTo = ops\n", "SendNdrTo",
	  "ops@example.com" },
	{ "SendBadTo = a@b.test", "SendBadTo", "a@b.test" },
	{ "LocalDomains = b.test, A.test", "LocalDomains", "A.test,b.test" },
	{ "LocalDomains =", "LocalDomains", "" },
	/* routes */
	{ "SmartHost = h.test", "SmartHost", "h.test:0" },
	{ "SmartHost = h.test", "SmartHostType", "2" },
	{ "SmartHost = h.test\nSmartHostType = 1", "SmartHostType", "1" },
	{ "SmartHostType = 2", "SmartHostType", "0" },
	{ "SmartHost = H.test.:587", "SmartHost", "H.test:587" },
	{ "SmartHost = H.test.:587", "smart_hosts", "H.test.:587" },
	{ "SmartHost = relay", "SmartHost", "relay:0" },
	{ "SmartHost = [192.0.2.1]", "SmartHost", "[192.0.2.1]:0" },
	{ "SmartHost = [192.0.2.1]:26", "SmartHost", "[192.0.2.1]:26" },
	{ "SmartHost = 192.0.2.1:26", "SmartHost", "[192.0.2.1]:26" },
	{ "SmartHost = [IPv6:2001:db8::1]", "SmartHost", "[2001:db8::1]:0" },
	{ "SmartHost = [ipv6:2001:db8::1]:26", "SmartHost",
	  "[2001:db8::1]:26" },
	{ "SmartHost = [2001:db8::1]:26", "SmartHost", "[2001:db8::1]:26" },
	{ "SmartHost = [h.test]:587", "SmartHost", "h.test:587" },
	{ "SmartHost = a.test:587, [::1]:26,,b.test", "SmartHost",
	  "a.test:587,[::1]:26,b.test:0" },
	{ "SmtpOutboundCommandSupportOptions = 0",
	  "SmtpOutboundCommandSupportOptions", "0" },
	{ "SmtpOutboundCommandSupportOptions = 7",
	  "SmtpOutboundCommandSupportOptions", "30072468673" },
	{ "SmtpOutboundCommandSupportOptions = 5",
	  "SmtpOutboundCommandSupportOptions", "30069322945" },
	/* inbound there is one numbering */
	{ "SmtpInboundCommandSupportOptions = 0",
	  "SmtpInboundCommandSupportOptions", "0" },
	{ "SmtpInboundCommandSupportOptions = 7",
	  "SmtpInboundCommandSupportOptions", "30064771079" },
	{ "SmtpInboundCommandSupportOptions = 4551873",
	  "SmtpInboundCommandSupportOptions", "30069322945" },
	{ "SmtpOutboundCommandSupportOptions = -CHUNKING",
	  "SmtpOutboundCommandSupportOptions", "30069322945" },
	{ "BindAddress = 192.0.2.9", "BindAddress", "192.0.2.9" },
	{ "BindAddress = ::1", "BindAddress", "::1" },
	{ "NameServers = 192.0.2.53", "NameServers", "192.0.2.53:53" },
	{ "NameServers = 192.0.2.53:5353 ::1, [::2]:54 [::3]", "NameServers",
	  "192.0.2.53:5353,[::1]:53,[::2]:54,[::3]:53" },
	/* what follows */
	{ "MaxMessageSize = 1M", "DropDirectoryQuota", "10485760" },
	{ "MaxMessageSize = 0", "DropDirectoryQuota", "0" },
	{ "MaxMessageSize = 1M\nDropDirectoryQuota = 5K", "DropDirectoryQuota",
	  "5120" },
	{ "LogFile = stderr", "LogFile", "stderr" },
	/* a section is none of conf()'s */
	{ "HopCount = 5\n[domain x.test]\nRemoteSmtpPort = 26",
	  "RemoteSmtpPort", "25" },
};

static void test_values(void)
{
	size_t i;

	for (i = 0; i < sizeof values / sizeof values[0]; i++) {
		if (!check_int(values[i].text,
			       load(values[i].text, NULL, NULL, false), 0))
			printf("  %s\n", error);
		check_str(values[i].text, show(conf(), values[i].key),
			  values[i].want);
	}
}

/* ---- sections ------------------------------------------------------------------------ */

static const char sections[] =
	"SmartHost = out.test\n"
	"MaxRecipients = 7\n"
	"[domain example.com]\n"
	"RemoteSmtpPort = 1001\n"
	"SmartHost =\n"
	"[domain *.example.com]\n"
	"RemoteSmtpPort = 1002\n"
	"[ DOMAIN  *.Deep.Example.com ] # a note\n"
	"RemoteSmtpPort = 1003\n"
	"[domain Example.COM.]\n"
	"MaxRecipients = 8\n"
	"RemoteTimeout = 1m\n"
	"[domain x.deep.example.com]\n"
	"SmartHost = in.test\n"
	"SmartHostType = 1\n"
	"[domain [192.0.2.1]]\n"
	"RemoteSmtpPort = 1004\n"
	"[domain *.test]\n"
	"ConnectTimeout = 9\n"
	"AddressFamily = ipv4\n"
	"BindAddress = 192.0.2.7\n"
	"SmtpOutboundCommandSupportOptions = 0\n"
	"SmtpRemoteProgressiveRetry = 3\n"
	"SmtpRemoteDelayExpireMinutes = 10\n"
	"SmtpRemoteNDRExpireMinutes = 20\n"
	"MaxBatchedMessages = 2\n"
	"MaxSessionSize = 3K\n"
	"MaxOutConnectionsPerDomain = 4\n"
	"[domain empty.example]\n";

static const struct {
	const char *domain, *key, *want;
} fits[] = {
	{ "example.com", "RemoteSmtpPort", "1001" },
	{ "EXAMPLE.com", "RemoteSmtpPort", "1001" },
	{ "example.com.", "RemoteSmtpPort", "1001" },
	{ "example.com", "SmartHost", "" },
	{ "example.com", "SmartHostType", "0" },
	{ "example.com", "MaxRecipients", "8" },
	{ "example.com", "RemoteTimeout", "60" },
	{ "a.example.com", "RemoteSmtpPort", "1002" },
	{ "a.example.com", "MaxRecipients", "7" },
	{ "a.example.com", "RemoteTimeout", "600" },
	{ "a.b.example.com", "RemoteSmtpPort", "1002" },
	{ "deep.example.com", "RemoteSmtpPort", "1002" },
	{ "a.deep.example.com", "RemoteSmtpPort", "1003" },
	{ "b.a.DEEP.example.com", "RemoteSmtpPort", "1003" },
	{ "a.deep.example.com", "SmartHost", "out.test:0" },
	{ "x.deep.example.com", "RemoteSmtpPort", "25" },
	{ "x.deep.example.com", "SmartHost", "in.test:0" },
	{ "x.deep.example.com", "SmartHostType", "1" },
	{ "notexample.com", "RemoteSmtpPort", "25" },
	{ ".example.com", "RemoteSmtpPort", "25" },
	{ "com", "RemoteSmtpPort", "25" },
	{ "", "RemoteSmtpPort", "25" },
	{ ".", "RemoteSmtpPort", "25" },
	{ "a..example.com", "RemoteSmtpPort", "1002" },
	{ "example.com.au", "RemoteSmtpPort", "25" },
	{ "[192.0.2.1]", "RemoteSmtpPort", "1004" },
	{ "[192.0.2.2]", "RemoteSmtpPort", "25" },
	{ "a.test", "ConnectTimeout", "9" },
	{ "a.test", "AddressFamily", "1" },
	{ "a.test", "BindAddress", "192.0.2.7" },
	{ "a.test", "SmtpOutboundCommandSupportOptions", "0" },
	{ "a.test", "SmtpRemoteProgressiveRetry", "3" },
	{ "a.test", "SmtpRemoteDelayExpireMinutes", "10" },
	{ "a.test", "SmtpRemoteNDRExpireMinutes", "20" },
	{ "a.test", "MaxBatchedMessages", "2" },
	{ "a.test", "MaxSessionSize", "3072" },
	{ "a.test", "MaxOutConnectionsPerDomain", "4" },
	{ "empty.example", "MaxRecipients", "7" },
};

static void test_sections(void)
{
	char text[64], *big;
	size_t i, n = 0, size = 200000;

	check_int("sections", load(sections, NULL, NULL, false), 0);
	for (i = 0; i < sizeof fits / sizeof fits[0]; i++)
		check_str(fits[i].domain,
			  show(conf_for(fits[i].domain), fits[i].key),
			  fits[i].want);
	/* A section beats -O, and sees it. */
	load(sections, NULL, "RemoteSmtpPort=99", false);
	check_int("section over -O", conf_for("example.com")->remote_port,
		  1001);
	check_int("-O elsewhere", conf_for("y.invalid")->remote_port, 99);
	check_int("-O in a section silent about it",
		  conf_for("x.deep.example.com")->remote_port, 99);
	/* Who names a SmartHost in a section wants it used. */
	load("[domain a.test]\nSmartHost = h", NULL, NULL, false);
	check_int("outside none", conf()->smart_host_type, 0);
	check_int("inside 2", conf_for("a.test")->smart_host_type, 2);
	load("SmartHostType = 0\n[domain a.test]\nSmartHost = h", NULL, NULL,
	     false);
	check_int("outside 0", conf_for("a.test")->smart_host_type, 2);
	load("SmartHost = g\nSmartHostType = 1\n[domain a.test]\nSmartHost = h",
	     NULL, NULL, false);
	check_int("outside 1", conf_for("a.test")->smart_host_type, 1);
	load("[domain a.test]\nSmartHost = h\nSmartHostType = 0", NULL, NULL,
	     false);
	check_int("0 said inside", conf_for("a.test")->smart_host_type, 0);

	big = xcalloc(size, 1);
	for (i = 1; i <= 2000; i++)
		n += (size_t)snprintf(big + n, size - n, "[domain %sd%zu.test]"
				      "\nRemoteSmtpPort = %zu\n",
				      i & 1 ? "*." : "", i, i);
	check_int("2000 sections", load(big, NULL, NULL, false), 0);
	for (i = 1; i <= 2000; i++) {
		snprintf(text, sizeof text, "%sD%zu.test", i & 1 ? "m." : "",
			 i);
		if (conf_for(text)->remote_port != i)
			break;
	}
	check_int("each of 2000 found", (long long)i, 2001);
	free(big);
}

static void test_local(void)
{
	load("LocalDomains = c.test a.test B.test", NULL, NULL, false);
	check(conf_is_local("a.test"), "local a");
	check(conf_is_local("b.TEST"), "local b");
	check(conf_is_local("c.test"), "local c");
	check(!conf_is_local("d.test"), "not local");
	check(!conf_is_local("x.a.test"), "not below local");
	check(!conf_is_local(""), "nothing is not local");
	check(conf_is_local("LocalHost"), "localhost");
	load("SmartHost = a", NULL, NULL, false);
	check(!conf_is_local("localhost"), "localhost with a SmartHost");
	load("SmartHost = a\nLocalDomains = localhost", NULL, NULL, false);
	check(conf_is_local("localhost"), "localhost listed");
	load("SmartHost = a\nSmartHostType = 0", NULL, NULL, false);
	check(conf_is_local("localhost"), "localhost, SmartHost unused");
}

/* ---- the manual ---------------------------------------------------------------------------------- */

static void test_manual(void)
{
	struct buf out;
	char item[80];
	size_t i;

	buf_init(&out, 1 << 20);
	conf_manual(&out, true);
	for (i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
		if (strchr("abcdefghijklmnopqrstuvwxyz", *defaults[i].key))
			continue;		/* a field, not a key */
		snprintf(item, sizeof item, ".It Cm %s\n", defaults[i].key);
		check(strstr(buf_str(&out), item), item);
	}
	check(strstr(buf_str(&out), "In sendmail it is MaxHopCount: 25.\n"),
	      "a sendmail name");
	check(!strstr(buf_str(&out), "(null)"), "no hole");
	buf_clear(&out);
	conf_manual(&out, false);
	check(strstr(buf_str(&out), "\n  HopCount ") && !out.failed, "--help");
	buf_free(&out);
}

int main(void)
{
	begin();
	test_defaults();
	test_values();
	test_sections();
	test_local();
	test_manual();
	return end("conf");
}
