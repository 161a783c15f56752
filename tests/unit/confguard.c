/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * A password never goes to another host than the one it is configured for:
 * what of user and password is left, for each way to name another server or to
 * weaken how it is known.
 */
#include "tests/settings.h"

#define FILE_ "SmartHost = a.test\nRouteUserName = u\nRoutePassword = p\n"
#define SECTION "\n[domain x.test]\n"

static const struct {
	const char *name, *file, *env[4], *options[4];
	const char *base;	/* "user/password+file+command" */
	const char *section;	/* the same for x.test; NULL: not looked at */
} table[] = {
	{ "the file alone", FILE_, { 0 }, { 0 }, "u/p++", "u/p++" },
	{ "all by the environment", "", { "SENDMAIL_SMARTHOST=a",
	  "SENDMAIL_ROUTEUSERNAME=u", "SENDMAIL_ROUTEPASSWORD=p" }, { 0 },
	  "u/p++", NULL },
	{ "all by -O", "", { 0 }, { "SmartHost=a", "RouteUserName=u",
	  "RoutePassword=p" }, "u/p++", NULL },
	{ "the host in the file, the password in the environment",
	  "SmartHost = a\nRouteUserName = u\n",
	  { "SENDMAIL_ROUTEPASSWORD=p" }, { 0 }, "u/p++", NULL },
	{ "the password in the file, by -O nothing of it", FILE_, { 0 },
	  { "RemoteTimeout=9", "Verbose=true" }, "u/p++", NULL },

	/* another host */
	{ "another host by the environment", FILE_,
	  { "SENDMAIL_SMARTHOST=b" }, { 0 }, "/++", NULL },
	{ "another host by -O", FILE_, { 0 }, { "SmartHost=b" }, "/++", NULL },
	{ "one more host by -O", FILE_, { 0 }, { "SmartHost=a.test, b" },
	  "/++", NULL },
	{ "another port by -O", FILE_, { 0 }, { "SmartHost=a.test:26" },
	  "/++", NULL },
	{ "the same host by -O", FILE_, { 0 }, { "SmartHost=a.test" },
	  "u/p++", NULL },
	{ "another host and user by -O", FILE_, { 0 },
	  { "SmartHost=b", "RouteUserName=v" }, "v/++", NULL },
	{ "another host, user and password", FILE_, { 0 },
	  { "RoutePassword=q", "SmartHost=b", "RouteUserName=v" }, "v/q++",
	  NULL },
	{ "another host by -O, the password in the environment", FILE_,
	  { "SENDMAIL_ROUTEPASSWORD=q" }, { "SmartHost=b" }, "/++", NULL },
	{ "a host by -O where there was none",
	  "RouteUserName = u\nRoutePassword = p\n", { 0 }, { "SmartHost=b" },
	  "/++", NULL },

	/* the same host, found or known in another way */
	{ "port", FILE_, { 0 }, { "RemoteSmtpPort=26" }, "/++", NULL },
	{ "names", FILE_, { 0 }, { "NameServers=192.0.2.1" }, "/++", NULL },
	{ "level", FILE_, { 0 }, { "TlsSecurityLevel=may" }, "/++", NULL },
	{ "trust", FILE_, { 0 }, { "TlsCAFile=/ca" }, "/++", NULL },
	{ "trusted directory", FILE_, { 0 }, { "TlsCADirectory=/ca" }, "/++",
	  NULL },
	{ "pin", FILE_, { 0 }, { "TlsFingerprint=00" }, "/++", NULL },
	{ "protocol", FILE_, { 0 }, { "TlsMinProtocol=TLSv1" }, "/++", NULL },
	{ "ciphers", FILE_, { 0 }, { "TlsCiphers=eNULL" }, "/++", NULL },
	{ "in clear", FILE_, { 0 }, { "AllowAuthInClear=true" }, "/++", NULL },
	{ "trust by the environment is the operator's", FILE_,
	  { "SENDMAIL_TLSCAFILE=/ca" }, { 0 }, "u/p++", NULL },

	/* a password of another kind */
	{ "a file by the environment", FILE_,
	  { "SENDMAIL_ROUTEPASSWORDFILE=/f" }, { 0 }, "u/+/f+", NULL },
	{ "a command by -O", FILE_, { 0 }, { "RoutePasswordCommand=c" },
	  "u/++c", NULL },

	/* sections */
	{ "a section's host", FILE_ SECTION "SmartHost = b\n", { 0 }, { 0 },
	  "u/p++", "/++" },
	{ "a section's host and user", FILE_ SECTION "SmartHost = b\n"
	  "RouteUserName = v\n", { 0 }, { 0 }, "u/p++", "v/++" },
	{ "and password", FILE_ SECTION "SmartHost = b\nRouteUserName = v\n"
	  "RoutePassword = q\n", { 0 }, { 0 }, "u/p++", "v/q++" },
	{ "and a file", FILE_ SECTION "SmartHost = b\nRouteUserName = v\n"
	  "RoutePasswordFile = /f\n", { 0 }, { 0 }, "u/p++", "v/+/f+" },
	{ "a section's file, the same host", FILE_ SECTION
	  "RoutePasswordFile = /f\n", { 0 }, { 0 }, "u/p++", "u/+/f+" },
	{ "a section's user, another host by -O", "SmartHost = a\n" SECTION
	  "RouteUserName = v\nRoutePassword = q\n", { 0 }, { "SmartHost=b" },
	  "/++", "/++" },
	{ "a section's host and user, another host by -O",
	  "SmartHost = a\n" SECTION "SmartHost = s\nRouteUserName = v\n"
	  "RoutePassword = q\n", { 0 }, { "SmartHost=b" }, "/++", "v/q++" },
	{ "the same, names by -O", "SmartHost = a\n" SECTION "SmartHost = s\n"
	  "RouteUserName = v\nRoutePassword = q\n", { 0 },
	  { "NameServers=192.0.2.1" }, "/++", "/++" },
};

static const char *shown(const struct conf *c)
{
	static char text[200];

	snprintf(text, sizeof text, "%s/%s+%s+%s", c->route_user,
		 c->route_password, c->route_password_file,
		 c->route_password_command);
	return text;
}

int main(void)
{
	struct conf_caller caller = { .borrowed = false };
	struct conf_option options[4];
	char env[4][60], *list[5];
	size_t i, n, e;

	begin();
	for (i = 0; i < sizeof table / sizeof table[0]; i++) {
		put_file("F", table[i].file, strlen(table[i].file));
		for (n = 0; n < 4 && table[i].options[n]; n++)
			options[n].text = table[i].options[n];
		for (e = 0; e < 4 && table[i].env[e]; e++) {
			snprintf(env[e], sizeof env[e], "%s",
				 table[i].env[e]);
			list[e] = env[e];
		}
		list[e] = NULL;
		error[0] = '\0';
		check_int(table[i].name, conf_load("F", list, options, n,
			  &caller, error, sizeof error), 0);
		check_str(table[i].name, error, "");
		check_str(table[i].name, shown(conf()), table[i].base);
		if (table[i].section)
			check_str(table[i].name, shown(conf_for("x.test")),
				  table[i].section);
	}
	return end("confguard");
}
