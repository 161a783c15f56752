/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The sources of settings: the exact line for everything that is refused, the
 * environment, -O, who may set what, files that are none, and this machine's
 * name.
 */
#include "config.h"
#include "lib/confread.h"
#include "lib/util.h"
#include "tests/settings.h"

/* ---- refusals ---------------------------------------------------------------------- */

#define WRITE_HOST "write host, host:port, [ip] or [ip]:port"

static const struct {
	const char *text, *want;
} refused[] = {
	/* lines */
	{ "\n\nSmartHots = x", "F line 3: unknown setting \"SmartHots\" (did "
	  "you mean SmartHost?)" },
	{ "smarthostype = 1", "F line 1: unknown setting \"smarthostype\" (did "
	  "you mean SmartHostType?)" },
	{ "MaxRecipient = 1", "F line 1: unknown setting \"MaxRecipient\" (did "
	  "you mean MaxRecipients?)" },
	{ "HopCuont = 1", "F line 1: unknown setting \"HopCuont\" (did you "
	  "mean HopCount?)" },
	{ "SmtpRemoteNDR = 1", "F line 1: unknown setting \"SmtpRemoteNDR\" "
	  "(did you mean SmtpRemoteNDRExpireMinutes?)" },
	{ "Frobnicate = 1", "F line 1: unknown setting \"Frobnicate\" "
	  "(mailroot.conf(5) lists them)" },
	{ "MaxHopCount = 5", "F line 1: unknown setting \"MaxHopCount\" (did "
	  "you mean HopCount?)" },
	{ "DkimSelector = may", "F line 1: unknown setting "
	  "\"DkimSelector\" (mailroot.conf(5) lists them)" },
	{ "SmartHost relay", "F line 1: \"SmartHost relay\" is no setting: "
	  "write Key = value" },
	/* The caller is told, and he may be anybody. */
	{ "RoutePassword geheim", "F line 1: \"RoutePassword\" is no setting: "
	  "write Key = value" },
	{ "[x] routepassword=geheim", "F line 1: \"[x] routepassword\" has no "
	  "\"]\" at its end: write [domain example.com]" },
	{ "RoutePasswordFile = geheim", "F line 1: RoutePasswordFile \"...\" "
	  "must be a path that begins with /" },
	{ "HopCount = 5\n = 6", "F line 2: \"= 6\" is no setting: write Key = "
	  "value" },
	{ "Hop\001Count = 5", "F line 1: unknown setting \"Hop?Count\" (did "
	  "you mean HopCount?)" },
	/* sections */
	{ "[domain x.test", "F line 1: \"[domain x.test\" has no \"]\" at its "
	  "end: write [domain example.com]" },
	{ "[", "F line 1: \"[\" has no \"]\" at its end: write [domain "
	  "example.com]" },
	{ "[]", "F line 1: \"[]\" is no section known here: write [domain "
	  "example.com]" },
	{ "[server x.test]", "F line 1: \"[server x.test]\" is no section "
	  "known here: write [domain example.com]" },
	{ "[domain]", "F line 1: \"[domain]\" names no domain: write [domain "
	  "example.com] or [domain *.example.com]" },
	{ "[domain *]", "F line 1: \"[domain *]\" names no domain: write "
	  "[domain example.com] or [domain *.example.com]" },
	{ "[domain a b]", "F line 1: \"[domain a b]\" names no domain: write "
	  "[domain example.com] or [domain *.example.com]" },
	{ "[domain x*.test]", "F line 1: \"[domain x*.test]\" names no domain: "
	  "write [domain example.com] or [domain *.example.com]" },
	{ "[domain x.test]\nHopCount = 5", "F line 2: HopCount holds for all "
	  "domains: put it before the first [domain ...] line" },
	{ "[domain x.test]\nRemoteSmtpPort = 0", "F line 2: RemoteSmtpPort "
	  "\"0\" must be a number from 1 to 65535" },
	/* flags and words */
	{ "Verbose = maybe", "F line 1: Verbose \"maybe\" must be true or "
	  "false" },
	{ "Verbose =", "F line 1: Verbose \"\" must be true or false" },
	{ "DeliveryMode = x", "F line 1: DeliveryMode \"x\" must be one of "
	  "interactive, background, queueonly, deferred" },
	{ "ErrorMode = 7", "F line 1: ErrorMode \"7\" must be one of print, "
	  "mail, write, mail-back-and-0, quiet" },
	{ "AddressFamily = v4", "F line 1: AddressFamily \"v4\" must be one of "
	  "any, ipv4, ipv6" },
	{ "BadMailKeeps = none", "F line 1: BadMailKeeps \"none\" must be one "
	  "of expired, unreturnable, all" },
	{ "LogFormat = xml", "F line 1: LogFormat \"xml\" must be one of text, "
	  "json" },
	{ "SyslogFacility = kern", "F line 1: SyslogFacility \"kern\" must be "
	  "one of mail, daemon, user, local0, local1, local2, local3, local4, "
	  "local5, local6, local7" },
	/* ranges */
	{ "ImmediateTimeout = 0", "F line 1: ImmediateTimeout \"0\" must be a "
	  "time from 1 to 86400 seconds, or with s, m, h or d" },
	{ "ImmediateTimeout = 2d", "F line 1: ImmediateTimeout \"2d\" must be "
	  "a time from 1 to 86400 seconds, or with s, m, h or d" },
	{ "ConnectTimeout = 3601", "F line 1: ConnectTimeout \"3601\" must be "
	  "a time from 0 to 3600 seconds, or with s, m, h or d" },
	{ "RemoteTimeout = 0", "F line 1: RemoteTimeout \"0\" must be a time "
	  "from 1 to 86400 seconds, or with s, m, h or d" },
	{ "RemoteTimeout = 10x", "F line 1: RemoteTimeout \"10x\" must be a "
	  "time from 1 to 86400 seconds, or with s, m, h or d" },
	{ "RemoteTimeout = 10ms", "F line 1: RemoteTimeout \"10ms\" must be a "
	  "time from 1 to 86400 seconds, or with s, m, h or d" },
	{ "RemoteTimeout = -5", "F line 1: RemoteTimeout \"-5\" must be a time "
	  "from 1 to 86400 seconds, or with s, m, h or d" },
	{ "SmartHostType = 3", "F line 1: SmartHostType \"3\" must be a number "
	  "from 0 to 2" },
	{ "SmartHostType = -1", "F line 1: SmartHostType \"-1\" must be a "
	  "number from 0 to 2" },
	{ "RemoteSmtpPort = 65536", "F line 1: RemoteSmtpPort \"65536\" must "
	  "be a number from 1 to 65535" },
	{ "RemoteSmtpPort = 18446744073709551641", "F line 1: RemoteSmtpPort "
	  "\"18446744073709551641\" must be a number from 1 to 65535" },
	{ "RemoteSmtpPort = smtp", "F line 1: RemoteSmtpPort \"smtp\" must be "
	  "a number from 1 to 65535" },
	{ "HopCount = 0", "F line 1: HopCount \"0\" must be a number from 1 to "
	  "1000" },
	{ "HopCount = 1001", "F line 1: HopCount \"1001\" must be a number "
	  "from 1 to 1000" },
	{ "MaxRecipients = 0", "F line 1: MaxRecipients \"0\" must be a number "
	  "from 1 to 100000" },
	{ "MaxRecipients = 100001", "F line 1: MaxRecipients \"100001\" must "
	  "be a number from 1 to 100000" },
	{ "MaxBatchedMessages = 1000001", "F line 1: MaxBatchedMessages "
	  "\"1000001\" must be a number from 0 to 1000000" },
	{ "MaxOutConnections = 0", "F line 1: MaxOutConnections \"0\" must be "
	  "a number from 1 to 100000" },
	{ "MaxOutConnectionsPerDomain = 0", "F line 1: "
	  "MaxOutConnectionsPerDomain \"0\" must be a number from 1 to "
	  "100000" },
	{ "SmtpRemoteDelayExpireMinutes = -2", "F line 1: "
	  "SmtpRemoteDelayExpireMinutes \"-2\" must be a number of minutes "
	  "from -1 to 527040" },
	{ "SmtpRemoteNDRExpireMinutes = -1", "F line 1: "
	  "SmtpRemoteNDRExpireMinutes \"-1\" must be a number of minutes from "
	  "0 to 527040" },
	{ "SmtpRemoteNDRExpireMinutes = 5d", "F line 1: "
	  "SmtpRemoteNDRExpireMinutes \"5d\" must be a number of minutes from "
	  "0 to 527040" },
	{ "SmtpLocalDelayExpireMinutes = 527041", "F line 1: "
	  "SmtpLocalDelayExpireMinutes \"527041\" must be a number of minutes "
	  "from -1 to 527040" },
	{ "SmtpLocalNDRExpireMinutes = -1", "F line 1: "
	  "SmtpLocalNDRExpireMinutes \"-1\" must be a number of minutes from 0 "
	  "to 527040" },
	{ "MaxBadMailFolderSize = -2", "F line 1: MaxBadMailFolderSize \"-2\" "
	  "must be a number of KB from -1 to 1099511627776" },
	{ "MaxMessageSize = 513G", "F line 1: MaxMessageSize \"513G\" must be "
	  "a size from 0 to 549755813888 octets, or with K, M or G" },
	{ "MaxMessageSize = 10MB", "F line 1: MaxMessageSize \"10MB\" must be "
	  "a size from 0 to 549755813888 octets, or with K, M or G" },
	{ "MaxMessageSize = K", "F line 1: MaxMessageSize \"K\" must be a size "
	  "from 0 to 549755813888 octets, or with K, M or G" },
	{ "MaxSessionSize = 1125899906842625", "F line 1: MaxSessionSize "
	  "\"1125899906842625\" must be a size from 0 to 1125899906842624 "
	  "octets, or with K, M or G" },
	{ "DropDirectoryQuota = -1", "F line 1: DropDirectoryQuota \"-1\" must "
	  "be a size from 0 to 1125899906842624 octets, or with K, M or G" },
	{ "SmtpRemoteProgressiveRetry =", "F line 1: "
	  "SmtpRemoteProgressiveRetry \"\" must be a list of at most 32 "
	  "numbers of minutes, each from 1 to 10080" },
	{ "SmtpRemoteProgressiveRetry = 0,5", "F line 1: "
	  "SmtpRemoteProgressiveRetry \"0,5\" must be a list of at most 32 "
	  "numbers of minutes, each from 1 to 10080" },
	{ "SmtpRemoteProgressiveRetry = 10081", "F line 1: "
	  "SmtpRemoteProgressiveRetry \"10081\" must be a list of at most 32 "
	  "numbers of minutes, each from 1 to 10080" },
	{ "SmtpRemoteProgressiveRetry = 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 "
	  "1 1 1 1 1 1 1 1 1 1 1 1 1 1", "F line 1: "
	  "SmtpRemoteProgressiveRetry \"1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 "
	  "1 1 1 1 1 1 1 1 1 1 1 1 1 1\" must be a list of at most 32 numbers "
	  "of minutes, each from 1 to 10080" },
	/* texts */
	{ "MailRoot = spool", "F line 1: MailRoot \"spool\" must be a path "
	  "that begins with /" },
	{ "LogFile = log", "F line 1: LogFile \"log\" must be a path that "
	  "begins with /, or stderr" },
	{ "FullyQualifiedDomainName = a b", "F line 1: "
	  "FullyQualifiedDomainName \"a b\" must be a host name" },
	{ "DefaultDomain = x@y", "F line 1: DefaultDomain \"x@y\" must be a "
	  "host name" },
	{ "LocalDomains = a.test *.b.test", "F line 1: LocalDomains \"a.test "
	  "*.b.test\" must be a list of domains, and \"*.b.test\" is none" },
	{ "BindAddress = eth0", "F line 1: BindAddress \"eth0\" must be an "
	  "IPv4 or IPv6 address" },
	{ "NameServers = dns.test", "F line 1: NameServers \"dns.test\" must "
	  "be a list of addresses, each ip or ip:port" },
	{ "NameServers = 192.0.2.1:0", "F line 1: NameServers \"192.0.2.1:0\" "
	  "must be a list of addresses, each ip or ip:port" },
	/* hosts */
	{ "SmartHost = smtps://h.test:0", "F line 1: SmartHost "
	  "\"smtps://h.test:0\" has no port from 1 to 65535 behind the colon: "
	  WRITE_HOST },
	{ "SmartHost = h.test:0", "F line 1: SmartHost \"h.test:0\" has no "
	  "port from 1 to 65535 behind the colon: " WRITE_HOST },
	{ "SmartHost = h.test:", "F line 1: SmartHost \"h.test:\" has no port "
	  "from 1 to 65535 behind the colon: " WRITE_HOST },
	{ "SmartHost = h.test:25:26", "F line 1: SmartHost \"h.test:25:26\" "
	  "has no port from 1 to 65535 behind the colon: " WRITE_HOST },
	{ "SmartHost = 2001:db8::1", "F line 1: SmartHost \"2001:db8::1\" may "
	  "end in an address or a port: write [ip] or [ip]:port" },
	{ "SmartHost = [192.0.2.1", "F line 1: SmartHost \"[192.0.2.1\" has no "
	  "\"]\": " WRITE_HOST },
	{ "SmartHost = [192.0.2.1]x", "F line 1: SmartHost \"[192.0.2.1]x\" "
	  "has more behind the \"]\" than a port: " WRITE_HOST },
	{ "SmartHost = [IPv6:192.0.2.1]", "F line 1: SmartHost "
	  "\"[IPv6:192.0.2.1]\" is no IPv6 address: " WRITE_HOST },
	{ "SmartHost = [2001:db8]", "F line 1: SmartHost \"[2001:db8]\" is no "
	  "address: " WRITE_HOST },
	{ "SmartHost = a.test, b/c", "F line 1: SmartHost \"a.test, b/c\" "
	  "holds \"b/c\", which is no host: " WRITE_HOST },
	{ "SmartHost = :25", "F line 1: SmartHost \":25\" is no host: "
	  WRITE_HOST },
};

static const struct {
	const char *text, *want;
} begins[] = {
	{ "SmtpOutboundCommandSupportOptions = -FOO", "F line 1: "
	  "SmtpOutboundCommandSupportOptions \"-FOO\" must be a verb mask: "
	  "unknown verb \"-FOO\"" },
	{ "PostmasterAddress = a b@c", "F line 1: PostmasterAddress "
	  "\"a b@c\" must be an address: " },
};

static void test_refused(void)
{
	size_t i;

	for (i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		check_int(refused[i].text,
			  load(refused[i].text, NULL, NULL, false),
			  EXIT_CONFIG);
		check_str(refused[i].text, error, refused[i].want);
	}
	/* Those whose ends are others' words. */
	for (i = 0; i < 2; i++) {
		load(begins[i].text, NULL, NULL, false);
		check(strncmp(error, begins[i].want, strlen(begins[i].want)) ==
		      0, error);
	}
	/* What is refused leaves the defaults, whole. */
	load("HopCount = 5\n[domain x.test]\nRemoteSmtpPort = 26\nBad", NULL,
	     NULL, false);
	check_int("defaults after an error", conf()->hop_count, 100);
	check(conf_for("x.test") == conf(), "no sections after an error");
}

/* ---- environment and -O ------------------------------------------------------------------ */

static const struct {
	const char *text, *env, *option;
	bool borrowed;
	int status;
	const char *key, *want;		/* with a status: want is the error */
} sources[] = {
	/* the environment */
	{ "", "SENDMAIL_HOPCOUNT=5", NULL, false, 0, "HopCount", "5" },
	{ "HopCount = 4", "SENDMAIL_HOPCOUNT=5", NULL, false, 0, "HopCount",
	  "5" },
	{ "", "SENDMAIL_SMARTHOST=mail:2525", NULL, false, 0, "SmartHost",
	  "mail:2525" },
	{ "", "SENDMAIL_SMARTHOST=mail:2525", NULL, false, 0, "SmartHostType",
	  "2" },
	{ "SmartHost = a", "SENDMAIL_SMARTHOST=", NULL, false, 0, "SmartHost",
	  "" },
	{ "", "SENDMAIL_FROBNICATE=1", NULL, false, 0, "HopCount", "100" },
	{ "", "SENDMAIL_MAXHOPCOUNT=5", NULL, false, 0, "HopCount", "100" },
	{ "", "SENDMAILHOPCOUNT=5", NULL, false, 0, "HopCount", "100" },
	{ "", "HOPCOUNT=5", NULL, false, 0, "HopCount", "100" },
	{ "", "SENDMAIL_HOPCOUNT=many", NULL, false, EXIT_CONFIG, NULL,
	  "environment SENDMAIL_HOPCOUNT: HopCount \"many\" must be a number "
	  "from 1 to 1000" },
	{ "[domain a.test]", "SENDMAIL_HOPCOUNT=5", NULL, false, 0, "HopCount",
	  "5" },
	{ "", "SENDMAIL_HOPCOUNT=5", NULL, true, 0, "HopCount", "100" },
	{ "", "SENDMAIL_HOPCOUNT=many", NULL, true, 0, "HopCount", "100" },
	{ "", "SENDMAIL_MAILROOT=/tmp/x", NULL, true, 0, "MailRoot",
	  PATH_MAILROOT },
	/* -O */
	{ "", NULL, "HopCount=5", false, 0, "HopCount", "5" },
	{ "", NULL, " hopcount = 5 ", false, 0, "HopCount", "5" },
	{ "HopCount = 3", "SENDMAIL_HOPCOUNT=4", "HopCount=5", false, 0,
	  "HopCount", "5" },
	{ "", NULL, "MaxHopCount=5", false, 0, "HopCount", "5" },
	{ "", NULL, "QueueDirectory=/q", false, 0, "QueueDirectory", "/q" },
	{ "", NULL, "MaxMessageSize=0", false, 0, "MaxMessageSize", "0" },
	{ "", NULL, "DeliveryMode=b", false, 0, "DeliveryMode", "1" },
	{ "", NULL, "ErrorMode=quiet", false, 0, "ErrorMode", "4" },
	{ "SmartHost = a", NULL, "SmartHost=", false, 0, "SmartHost", "" },
	{ "", NULL, "HopCount", false, EXIT_USAGE, NULL,
	  "-O: \"HopCount\" is no setting: write -O Key=value" },
	{ "", NULL, "", false, EXIT_USAGE, NULL,
	  "-O: \"\" is no setting: write -O Key=value" },
	{ "", NULL, "=5", false, EXIT_USAGE, NULL,
	  "-O: \"=5\" is no setting: write -O Key=value" },
	{ "", NULL, "HopCounts=5", false, EXIT_USAGE, NULL,
	  "-O: unknown setting \"HopCounts\" (did you mean HopCount?)" },
	/* Sendmail's own names say nothing here, and are no errors. */
	{ "", NULL, "Timeout.connect=5", false, 0, "HopCount", "100" },
	{ "", NULL, "Timeouts=5", false, EXIT_USAGE, NULL,
	  "-O: unknown setting \"Timeouts\" (mailroot.conf(5) lists "
	  "them)" },
	{ "", NULL, "HopCount=x", false, EXIT_USAGE, NULL,
	  "-O: HopCount \"x\" must be a number from 1 to 1000" },
	/* borrowed rights */
	{ "", NULL, "DeliveryMode=q", true, 0, "DeliveryMode", "2" },
	{ "", NULL, "ErrorMode=m", true, 0, "ErrorMode", "1" },
	{ "", NULL, "IgnoreDots=true", true, 0, "IgnoreDots", "1" },
	{ "", NULL, "Verbose=1", true, 0, "Verbose", "1" },
	{ "HopCount = 3", NULL, NULL, true, 0, "HopCount", "3" },
	{ "", NULL, "QueueDirectory=/q", true, EXIT_USAGE, NULL,
	  "-O: QueueDirectory \"/q\" is refused: only root may set it here" },
	{ "", NULL, "MaxHopCount=5", true, EXIT_USAGE, NULL,
	  "-O: HopCount \"5\" is refused: only root may set it here" },
	{ "", NULL, "smarthost=evil.test", true, EXIT_USAGE, NULL,
	  "-O: SmartHost \"evil.test\" is refused: only root may set it "
	  "here" },
	{ "", NULL, "Verbose=x", true, EXIT_USAGE, NULL,
	  "-O: Verbose \"x\" must be true or false" },
};

static void test_sources(void)
{
	struct conf_option two[] = { { "HopCount=5" }, { "HopCount=6" } };
	struct conf_caller root = { .borrowed = false };
	char name[256];
	size_t i;
	int status;

	for (i = 0; i < sizeof sources / sizeof sources[0]; i++) {
		status = load(sources[i].text, sources[i].env,
			      sources[i].option, sources[i].borrowed);
		snprintf(name, sizeof name, "env %s -O %s%s",
			 sources[i].env ? sources[i].env : "",
			 sources[i].option ? sources[i].option : "",
			 sources[i].borrowed ? " borrowed" : "");
		check_int(name, status, sources[i].status);
		check_str(name, sources[i].status ? error :
			  show(conf(), sources[i].key), sources[i].want);
	}
	check_int("two -O", conf_load("F", NULL, two, 2, &root, error,
				      sizeof error), 0);
	check_int("the last -O counts", conf()->hop_count, 6);
}

/* ---- files --------------------------------------------------------------------------------- */

static void test_files(void)
{
	struct conf_caller root = { .borrowed = false };
	static const char nul[] = "HopCount = 5\n\0\n";
	char small[24];
	int status;

	status = conf_load("none", NULL, NULL, 0, &root, error, sizeof error);
	check_int("-C of no file", status, EXIT_CONFIG);
	check_str("-C of no file", error, "none: cannot be read (No such file "
		  "or directory): correct its name or its mode");
	status = conf_load("/", NULL, NULL, 0, &root, error, sizeof error);
	check_int("a directory", status, EXIT_CONFIG);
	check_str("a directory", error, "/: cannot be read (Is a directory): "
		  "correct its name or its mode");
	put_file("F", nul, sizeof nul - 1);
	status = conf_load("F", NULL, NULL, 0, &root, error, sizeof error);
	check_int("NUL", status, EXIT_CONFIG);
	check_str("NUL", error, "F: holds a NUL octet: it is no text file");
	put_file("F", "Verbose = x", 11);
	conf_load("F", NULL, NULL, 0, &root, small, sizeof small);
	check_str("a short buffer", small, "F line 1: Verbose \"x\" m");
	/* As on a machine where nothing was configured; where something was,
	 * that cannot be tested. */
	if (access(PATH_CONF, F_OK) != 0)
		check_int("no mailroot.conf", load(NULL, NULL, NULL, false), 0);
}

/* ---- names ----------------------------------------------------------------------------------- */

static const struct {
	const char *host, *mailname, *hosts, *want;
} names[] = {
	{ "w.example.com", "m.example.com", "", "w.example.com" },
	{ "w.example.com.", "", "", "w.example.com" },
	{ "w", "m.example.com\n", "1.2.3.4 w.x.test w\n", "m.example.com" },
	{ "w", "m.example.com.\n", "", "m.example.com" },
	{ "w", "# who we are\n\n  m.example.com \n", "", "m.example.com" },
	{ "w", "m\n", "127.0.1.1 w.x.test w\n", "w.x.test" },
	{ "w", "", "127.0.1.1\tw w.x.test y.x.test\n", "w.x.test" },
	{ "W", "", "127.0.1.1 w.x.test w\n", "w.x.test" },
	{ "w", "", "127.0.1.1 w.x.test. w\n", "w.x.test" },
	{ "w", "", "1.1.1.1 v.x.test v\n# 1.1.1.2 n.x.test w\n"
	  "1.1.1.3 w.x.test w # w\n", "w.x.test" },
	{ "w", "", "127.0.0.1 localhost.localdomain localhost w\n", "w" },
	{ "w", "", "127.0.0.1 localhost.localdomain w.x.test w\n",
	  "w.x.test" },
	{ "w", "", "127.0.1.1 w\n1.1.1.1 w.y.test w", "w.y.test" },
	{ "w", "", "1.1.1.1 w.y.test\n", "w" },
	{ "15b0717dc4c2", "", "172.17.0.2\t15b0717dc4c2\n", "15b0717dc4c2" },
	{ "w", "bad name\n", "", "w" },
	{ "w", "a@b\n", "", "w" },
	{ "my host", "", "", "localhost" },
	{ "", "", "", "localhost" },
	{ "", "m.example.com", "", "m.example.com" },
};

static void test_names(void)
{
	char name[HOST_SIZE];
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		put_file("M", names[i].mailname, strlen(names[i].mailname));
		put_file("H", names[i].hosts, strlen(names[i].hosts));
		confread_fqdn(name, names[i].host, "M", "H");
		check_str(names[i].hosts, name, names[i].want);
	}
	confread_fqdn(name, "w", "none", "none");
	check_str("no files", name, "w");
	check_int("swap", confread_distance("SmartHots", "smarthost"), 1);
	check_int("kitten", confread_distance("kitten", "sitting"), 3);
	check_int("empty", confread_distance("", "abc"), 3);
	check(confread_distance("a", "a234567890123456789012345678901234567890"
				"123456789012345678901234567890") > 100,
	      "too long to compare");
}

int main(void)
{
	begin();
	test_refused();
	test_sources();
	test_files();
	test_names();
	return end("confsource");
}
