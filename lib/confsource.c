/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The sources of settings: see confsource.h.  The one idea: whatever the
 * source, all ends in take(), which tries one text for one row and keeps it;
 * a source only knows how to split itself and how to name the place of an
 * error.  In reading order: sections, the error line, one value, the file,
 * the environment, -O.
 */
#include "lib/confsource.h"
#include "lib/confread.h"
#include "lib/log.h"
#include "lib/reply.h"
#include "lib/util.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A thousand sections fit many times; a log file given by mistake does not. */
#define CONF_FILE_MAX (4 * 1024 * 1024)

/* ---- sections ------------------------------------------------------------- */

/* The slot of a name, or the free one where it would stand.  FNV-1a: the
 * names come from the operator, nobody else chooses them. */
static struct confsection **slot_of(const struct confsource *src,
				    const char *name, size_t n)
{
	uint32_t h = 2166136261u;
	struct confsection **s;
	size_t i;

	for (i = 0; i < n; i++)
		h = (h ^ (uint32_t)tolower((unsigned char)name[i])) * 16777619u;
	for (i = h;; i++) {
		s = &src->slot[i & (src->nslots - 1)];
		if (!*s || (strncasecmp((*s)->name, name, n) == 0 &&
			    (*s)->name[n] == '\0'))
			return s;
	}
}

static void grow(struct confsource *src)
{
	struct confsection **old = src->slot;
	size_t n = src->nslots, i;

	src->nslots = n ? n * 2 : 16;
	src->slot = xcalloc(src->nslots, sizeof *src->slot);
	for (i = 0; i < n; i++)
		if (old[i])
			*slot_of(src, old[i]->name, strlen(old[i]->name)) =
				old[i];
	free(old);
}

/* The section with this pattern, made if it is new: two with the same
 * pattern are one. */
static struct confsection *section_of(struct confsource *src,
				      const char *pattern)
{
	const char *name = pattern + (*pattern == '*');
	struct confsection **s;

	if (src->nsections * 2 >= src->nslots)
		grow(src);
	s = slot_of(src, name, strlen(name));
	if (!*s) {
		*s = xcalloc(1, sizeof **s);
		(*s)->name = name;
		(*s)->texts = xcalloc(src->nrows, sizeof *(*s)->texts);
		src->nsections++;
	}
	return *s;
}

const struct confsection *confsource_find(const struct confsource *src,
					  const char *domain)
{
	const char *p = domain, *end = domain + strlen(domain);
	const struct confsection *s;

	if (src->nsections == 0)
		return NULL;
	if (end > domain && end[-1] == '.')
		end--;
	/* The name itself, then ".its.parent" and so on: the longest first. A
	 * name that begins with a dot is none, and must not find a suffix. */
	if (p == end || *p == '.')
		return NULL;
	for (; p; p = memchr(p + 1, '.', (size_t)(end - p - 1))) {
		s = *slot_of(src, p, (size_t)(end - p));
		if (s)
			return s;
	}
	return NULL;
}

void confsource_forget(struct confsource *src)
{
	size_t i;

	for (i = 0; i < src->nslots; i++)
		if (src->slot[i]) {
			free(src->slot[i]->texts);
			free(src->slot[i]->conf);
			free(src->slot[i]);
		}
	free(src->slot);
	free(src->texts);
	src->slot = NULL;
	src->texts = NULL;
	src->nslots = src->nsections = 0;
	confvalue_forget();
}

/* ---- the error line --------------------------------------------------------- */

/* Where a text stands. */
struct place {
	const char *name;	/* of the file, or what stands for it */
	unsigned line;		/* 0: no file */
	const struct confsection *section;
	int status;		/* of a bad value */
};

static int fail(const struct confsource *src, const struct place *at,
		const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int fail(const struct confsource *src, const struct place *at,
		const char *fmt, ...)
{
	char line[32] = "", text[1024], shown[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	/* What is wrong with a value may be that it cannot be printed. */
	printable(shown, sizeof shown, text, strlen(text));
	if (at->line)
		snprintf(line, sizeof line, " line %u", at->line);
	snprintf(src->error, src->errsize, "%s%s: %s", at->name, line, shown);
	return at->status;
}

/* The nearest setting in words.  A quarter of the letters may be wrong: beyond
 * that a suggestion is a guess. */
static const char *nearest(const struct confsource *src, const char *key,
			   char hint[96])
{
	unsigned best = UINT_MAX, d;
	const char *name = NULL;
	size_t i, n = strlen(key);

	for (i = 0; i < src->nrows; i++) {
		d = confread_distance(key, src->rows[i].name);
		/* Only the end is missing, or another program's name. */
		if (n > 3 && (strncasecmp(key, src->rows[i].name, n) == 0 ||
			      (src->rows[i].sendmail &&
			       strcasecmp(key, src->rows[i].sendmail) == 0)))
			d = 1;
		if (d < best) {
			best = d;
			name = src->rows[i].name;
		}
	}
	if (name && best <= n / 4)
		snprintf(hint, 96, " (did you mean %s?)", name);
	else
		snprintf(hint, 96, " (mailroot.conf(5) lists them)");
	return hint;
}

/* ---- one value -------------------------------------------------------------- */

/* sendmail: its names count too. */
static const struct confrow *find(const struct confsource *src,
				  const char *key, bool sendmail)
{
	const struct confrow *r;

	for (r = src->rows; r < src->rows + src->nrows; r++)
		if (strcasecmp(r->name, key) == 0 ||
		    (sendmail && r->sendmail &&
		     strcasecmp(r->sendmail, key) == 0))
			return r;
	return NULL;
}

/* An error line is for whoever called us: of a line that speaks of a password
 * it has no more than that word. */
static void hide_password(char *line)
{
	char *at = strcasestr(line, "password");

	if (at)
		at[strlen("password")] = '\0';
}

static int take(struct confsource *src, const struct place *at,
		const struct confrow *r, const char *text)
{
	bool secret = strcasestr(r->name, "password");
	char why[CONFVALUE_WHY];
	const char **texts;

	if (at->section && !(r->flags & CONF_DOMAIN))
		return fail(src, at, "%s holds for all domains: put it before "
			    "the first [domain ...] line", r->name);
	if (src->guarded && (r->flags & CONF_GUARDED) && *text)
		return fail(src, at, "%s is refused here: it may stand in "
			    "mailroot.conf, in a file that only root may "
			    "write, or in the environment", r->name);
	if (!confvalue_set(&r->v, src->spare, text, why))
		return fail(src, at, "%s \"%.*s%s\" %s", r->name,
			    secret ? 0 : 80, text,
			    secret || strlen(text) > 80 ? "..." : "", why);
	if (!src->texts)
		src->texts = xcalloc(src->nrows, sizeof *src->texts);
	texts = at->section ? at->section->texts : src->texts;
	texts[r - src->rows] = text;
	return 0;
}

/* ---- sendmail's names ------------------------------------------------------- */

/*
 * What -O may name because sendmail 8 knows it, and there is no setting of
 * that name here.  Those that are about its daemon, its rules or its queue
 * change nothing, and a program that passes one has its mail sent as before.
 * The others say which way mail goes or whom to trust: they are read as the
 * setting that does the same, or, where none quite does, refused.
 */
static const char without_effect[] =
		"AliasWait AuthMaxBits AuthOptions AuthRealm BadRcptShutdown "
		"BadRcptShutdownGood BadRcptThrottle BlankSub CheckAliases "
		"CheckpointInterval CipherSuites ClassFactor ClientPortOptions "
		"ClientSSLOptions ColonOkInAddr ConnectionCacheSize "
		"ConnectionCacheTimeout ConnectionRateThrottle "
		"ConnectionRateWindowSize ControlSocketName DaemonPortOptions "
		"DataFileBufferSize DeadLetterDrop DefaultCharSet DefaultUser "
		"DelayLA DeliverByMin DHParameters DialDelay "
		"DirectSubmissionModifiers DontBlameSendmail DontExpandCnames "
		"DontInitGroups DontProbeInterfaces DontPruneRoutes "
		"DoubleBounceAddress EightBitMode ErrorHeader FastSplit "
		"ForkEachJob ForwardPath HelpFile HoldExpensive HostsFile "
		"HostStatusDirectory InputMailFilters LDAPDefaultSpec LogLevel "
		"MailboxDatabase MatchGECOS MaxAliasRecursion MaxDaemonChildren "
		"MaxHeadersLength MaxMimeHeaderLength MaxNOOPCommands "
		"MaxQueueChildren MaxQueueRunSize MaxRecipientsPerMessage "
		"MaxRunnersPerQueue MeToo MinFreeBlocks MinQueueAge "
		"MustQuoteChars NiceQueueRun NoRecipientAction OldStyleHeaders "
		"OperatorChars PidFile PrivacyOptions ProcessTitlePrefix "
		"QueueFactor QueueFileMode QueueLA QueueSortOrder QueueTimeout "
		"RandFile RecipientFactor RefuseLA RejectLogInterval RejectNUL "
		"RequiresDirfsync ResolverOptions RetryFactor RrtImpliesDsn "
		"SaveFromLine SendMimeErrors ServerCertFile ServerKeyFile "
		"ServerSSLOptions ServiceSwitchFile SevenBitInput SharedMemoryKey "
		"SharedMemoryKeyFile SingleLineFromHeader SingleThreadDelivery "
		"SmtpGreetingMessage SSLEngine SSLEnginePath StatusFile SuperSafe "
		"TempFileMode Timeout TimeZoneSpec TLSFallbacktoClear "
		"TLSSrvOptions TrustedUser TryNullMXList UnixFromLine "
		"UnsafeGroupWrites UseCompressedIPv6Addresses UseErrorsTo UseMSP "
		"UserDatabaseSpec XscriptFileBufferSize";
static const struct { const char *name, *here, *instead; } elsewhere[] = {
	{ "CACertFile", "TlsCAFile", NULL },
	{ "CACertPath", "TlsCADirectory", NULL },
	{ "CipherList", "TlsCiphers", NULL },
	{ "ClientCertFile", "TlsCertFile", NULL },
	{ "ClientKeyFile", "TlsKeyFile", NULL },
	{ "HeloName", "FullyQualifiedDomainName", NULL },
	{ "PostmasterCopy", "SendNdrTo", NULL },
	{ "ConnectOnlyTo", NULL, "SmartHost" },
	{ "CRLFile", NULL, "TlsFingerprint" },
	{ "CRLPath", NULL, "TlsFingerprint" },
	{ "DefaultAuthInfo", NULL, "RouteUserName and RoutePasswordFile" },
	{ "FallbackMXhost", NULL, "SmartHost and SmartHostType = 1" },
	{ "FallbackSmartHost", NULL, "SmartHost and SmartHostType = 1" },
	{ "RunAsUser", NULL, "the owner of the Queue directory" },
	{ "SafeFileEnvironment", NULL, "DropDirectory" },
	{ "SoftBounce", NULL, "-odq" },
};

/* Is key, up to a dot (Timeout.connect), in that list? */
static bool has_no_effect(const char *key)
{
	size_t n = strcspn(key, ".");
	const char *at = without_effect;

	while (at && *at) {
		if (strncasecmp(at, key, n) == 0 && (at[n] == ' ' || !at[n]))
			return n > 0;
		at = strchr(at, ' ');
		at += at != NULL;
	}
	return false;
}

/* The row for a key of -O, sendmail's names too.  NULL: *status is the whole
 * answer. */
static const struct confrow *find_option(struct confsource *src,
					 const struct place *at,
					 const char *key, int *status)
{
	const struct confrow *r = find(src, key, true);
	char hint[96];
	size_t i;

	*status = 0;
	for (i = 0; !r && i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
		if (strcasecmp(key, elsewhere[i].name) != 0)
			continue;
		if (elsewhere[i].here)
			return find(src, elsewhere[i].here, false);
		*status = fail(src, at, "%s is sendmail's: here it is a matter "
			       "of %s", elsewhere[i].name,
			       elsewhere[i].instead);
		return NULL;
	}
	if (!r && has_no_effect(key))
		log_note(LOG_NOTICE, "-O %.80s: a name of sendmail's that has "
			 "no meaning here: ignored", key);
	else if (!r)
		*status = fail(src, at, "unknown setting \"%.80s\"%s", key,
			       nearest(src, key, hint));
	return r;
}

/* ---- the sources ------------------------------------------------------------ */

static int read_line(struct confsource *src, struct place *at, char *text)
{
	struct confread_line line;
	const struct confrow *r;
	char shown[80], hint[96];
	const char *bad;

	/* Now, because the line is cut while it is read. */
	text = trim(text);
	printable(shown, sizeof shown, text, strlen(text));
	hide_password(shown);
	bad = confread_line(text, &line);
	if (bad)
		return fail(src, at, "\"%s\" %s", shown, bad);
	if (line.section)
		at->section = section_of(src, line.section);
	if (!line.key)
		return 0;
	r = find(src, line.key, false);
	if (!r)
		return fail(src, at, "unknown setting \"%.80s\"%s", line.key,
			    nearest(src, line.key, hint));
	return take(src, at, r, line.value);
}

int confsource_file(struct confsource *src, const char *file, bool missing)
{
	struct place at = { .name = file, .status = EXIT_CONFIG };
	char *text, *line;
	size_t n;
	int status = 0;

	text = read_file(file, CONF_FILE_MAX, &n);
	if (!text && missing && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!text)
		return fail(src, &at, "cannot be read (%s): correct its name "
			    "or its mode", strerror(errno));
	confvalue_keep(text);
	if (strlen(text) < n)
		return fail(src, &at, "holds a NUL octet: it is no text file");
	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;		/* the mark some editors write first */
	while (!status && (line = confread_next(&text))) {
		at.line++;
		status = read_line(src, &at, line);
	}
	return status;
}

#define PREFIX "SENDMAIL_"

int confsource_environ(struct confsource *src, char *const *list)
{
	char *key, *value, hint[96], name[128];
	struct place at = { .name = name, .status = EXIT_CONFIG };
	const struct confrow *r;
	int status = 0;

	for (; list && *list && !status; list++) {
		if (strncmp(*list, PREFIX, strlen(PREFIX)) != 0)
			continue;
		key = confvalue_keep(xstrdup(*list + strlen(PREFIX)));
		if (!confread_pair(key, &key, &value))
			continue;
		r = find(src, key, false);
		/* The environment is not ours alone. */
		if (!r) {
			log_note(LOG_NOTICE, "environment: " PREFIX "%.80s is "
				 "ignored: no such setting%s", key,
				 nearest(src, key, hint));
			continue;
		}
		snprintf(name, sizeof name, "environment " PREFIX "%s", key);
		status = take(src, &at, r, value);
	}
	return status;
}

int confsource_option(struct confsource *src, const char *text, bool borrowed)
{
	struct place at = { .name = "-O", .status = EXIT_USAGE };
	const struct confrow *r;
	char *key, *value;
	int status;

	key = confvalue_keep(xstrdup(text));
	if (!confread_pair(key, &key, &value))
		return fail(src, &at, "\"%.80s\" is no setting: write -O "
			    "Key=value", text);
	r = find_option(src, &at, key, &status);
	if (!r)
		return status;
	if (borrowed && !(r->flags & CONF_ANYONE))
		return fail(src, &at, "%s \"%.80s\" is refused: only root may "
			    "set it here", r->name, value);
	return take(src, &at, r, value);
}
