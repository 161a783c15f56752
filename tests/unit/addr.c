/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* Tests of lib/addr and lib/addrlist. */
#include "lib/addr.h"

#include "config.h"
#include "tests/check.h"

#include <stdlib.h>
#include <time.h>

#define COUNT(table) (sizeof (table) / sizeof *(table))

/* ---- lists --------------------------------------------------------------- */

/*
 * want: the addresses with a blank behind each; "!" where the parser must
 * complain.  Each address found in text at [from, to) is, in these cases, the
 * address again unless the case has blanks, comments or folds inside it.
 */
struct list_case {
	const char *name, *text, *want;
};

static const struct list_case list_cases[] = {
	/* plain */
	{ "one", "a@b", "a@b " },
	{ "bare", "root", "root " },
	{ "two", "a@b,c@d", "a@b c@d " },
	{ "blanks", "  a@b ,\tc@d  ", "a@b c@d " },
	{ "empty", "", "" },
	{ "only blanks", " \t ", "" },
	{ "only commas", ", ,,", "" },
	{ "trailing comma", "a@b,", "a@b " },
	{ "leading comma", ", a@b", "a@b " },
	{ "semicolons", "a@b; c@d;", "a@b c@d " },
	{ "subaddress", "a+b-c_d=e@f.g", "a+b-c_d=e@f.g " },
	{ "atom signs", "!#$%&'*+-/=?^_`{|}~@x", "!#$%&'*+-/=?^_`{|}~@x " },
	{ "case is kept", "Bob@EXAMPLE.Org", "Bob@EXAMPLE.Org " },
	{ "uucp", "host!user", "host!user " },
	{ "percent", "user%far@near", "user%far@near " },
	{ "two dots in a row", "a..b@docomo.test", "a..b@docomo.test " },
	{ "dot before @", "a.@docomo.test", "a.@docomo.test " },
	{ "dot at the end", "a@b.test.", "a@b.test " },
	{ "one of a crontab", "ops@example.org,b@example.org",
	  "ops@example.org b@example.org " },
	{ "no comma", "a@b c@d", "a@b c@d " },
	{ "no comma, folded", "a@b\r\n c@d", "a@b c@d " },
	/* angles */
	{ "angle", "<a@b>", "a@b " },
	{ "angle, blanks", "< a@b >", "a@b " },
	{ "bare angle", "<root>", "root " },
	{ "null", "<>", " " },
	{ "null with blanks", "< >", " " },
	{ "null among others", "a@b,<>,c@d", "a@b  c@d " },
	{ "name", "Alice <a@b>", "a@b " },
	{ "names", "Alice B. Smith <a@b>, Bob <c@d>", "a@b c@d " },
	{ "quoted name", "\"Smith, Alice\" <a@b>", "a@b " },
	{ "quoted name with <", "\"x <y@z>\" <a@b>", "a@b " },
	{ "quoted pair", "\"a \\\" <x@y>, b\" <a@b>", "a@b " },
	{ "name without a blank", "Alice<a@b>", "a@b " },
	{ "quoted and word", "\"A\"B <a@b>", "a@b " },
	{ "address as name", "a@b <a@b>", "a@b " },
	{ "broken address as name", "a@b@c .. <a@b>", "a@b " },
	{ "@ in a name", "Tom @ Home <a@b>", "a@b " },
	{ "apostrophe", "O'Brien <o'b@c>", "o'b@c " },
	{ "encoded word", "=?utf-8?Q?J=C3=B6rg?= <a@b>", "a@b " },
	{ "encoded word with comma", "=?utf-8?Q?M=C3=BC,_J?= <a@b>", "a@b " },
	{ "encoded words, folded",
	  "=?utf-8?B?w7w=?=\r\n =?utf-8?B?w7w=?= <a@b>", "a@b " },
	{ "no encoded word", "=?a,b@c", "=?a b@c " },
	{ "raw utf-8 name", "J\303\266rg <a@b>", "a@b " },
	{ "brackets in a name", "[List] Foo <a@b>", "a@b " },
	{ "dots in a name", "A. ... B. <a@b>", "a@b " },
	{ "colon in a name", "Re: foo <a@b>", "a@b " },
	{ "comment behind", "<a@b> (Alice)", "a@b " },
	/* comments */
	{ "cron", "root (Cron Daemon)", "root " },
	{ "comment", "a@b (Alice)", "a@b " },
	{ "comment before", "(Alice) a@b", "a@b " },
	{ "comment with comma", "a@b (Smith, Alice), c@d", "a@b c@d " },
	{ "comment with @", "a@b (was: x@y)", "a@b " },
	{ "nested comment", "a@b (x (y) z)", "a@b " },
	{ "quoted paren", "a@b (x \\) y)", "a@b " },
	{ "quote in a comment", "a@b (it\"s)", "a@b " },
	{ "comments everywhere", "(1)a(2)@(3)b(4).(5)c(6)", "a@b.c " },
	{ "only a comment", "(nobody)", "" },
	{ "comment in <>", "A (x) <a@b(y)> (z)", "a@b " },
	/* quoted local parts, literals, blanks */
	{ "quoted local", "\"a b\"@c", "\"a b\"@c " },
	{ "quoted local with @", "\"a@b\"@c", "\"a@b\"@c " },
	{ "quoted local with comma", "\"a,b\"@c, d@e", "\"a,b\"@c d@e " },
	{ "quoted local with pairs", "\"a\\\"b\\\\\"@c", "\"a\\\"b\\\\\"@c " },
	{ "quoted and atom", "\"a\".b@c", "\"a\".b@c " },
	{ "quoted bare", "\"a b\"", "\"a b\" " },
	{ "empty quotes", "\"\"@c", "\"\"@c " },
	{ "literal", "a@[192.0.2.1]", "a@[192.0.2.1] " },
	{ "literal 6", "a@[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1] " },
	{ "literal, blanks", "a@[ 192.0.2.1 ]", "a@[192.0.2.1] " },
	{ "blanks at signs", "a . b @ c . d", "a.b@c.d " },
	{ "folds at signs", "a\r\n @\r\n b", "a@b " },
	/* folding */
	{ "folded", "a@b,\r\n c@d,\r\n\te@f", "a@b c@d e@f " },
	{ "folded with lf", "a@b,\n c@d", "a@b c@d " },
	{ "line end at the end", "a@b\r\n", "a@b " },
	{ "lf at the end", "a@b\n", "a@b " },
	{ "folded name", "\"A\r\n B\" <a@b>", "a@b " },
	{ "folded comment", "a@b (x\r\n y)", "a@b " },
	/* groups and routes */
	{ "empty group", "undisclosed-recipients:;", "" },
	{ "empty group, blanks", "Undisclosed recipients : ;", "" },
	{ "empty group, open", "undisclosed-recipients:", "" },
	{ "group", "Friends: a@b, C <c@d>;", "a@b c@d " },
	{ "group and more", "x@y, G: a@b;, z@w", "x@y a@b z@w " },
	{ "two groups", "G: a@b; H: c@d;", "a@b c@d " },
	{ "quoted group", "\"a, b\": c@d;", "c@d " },
	{ "open group", "G: a@b, c@d", "a@b c@d " },
	{ "route", "<@x:a@b>", "a@b " },
	{ "long route", "<@x,@y,@z:a@b>", "a@b " },
	{ "route, empty hop", "<@x,,@y:a@b>", "a@b " },
	{ "name and route", "A <@x.y:a@b>", "a@b " },
	/* faults */
	{ "words", "John Smith", "!" },
	{ "words and address", "John a@b", "!" },
	{ "address and word", "a@b John", "!" },
	{ "the first stays", "a@b, John Smith", "a@b !" },
	{ "address, open comment", "a@b (x", "!" },
	{ "open comment", "x@y, a@b (x (y)", "x@y !" },
	{ "open quote", "\"a@b", "!" },
	{ "open quote, pair", "\"a\\", "!" },
	{ "open comment, pair", "(a\\", "!" },
	{ "open angle", "A <a@b", "!" },
	{ "open angle, comma", "<a@b, c@d>", "!" },
	{ "open literal", "a@[1.2", "!" },
	{ "open literal, comma", "a@[1.2, b@c]", "!" },
	{ "closed twice", "<a@b>>", "!" },
	{ "paren", "a@b)", "!" },
	{ "bracket", "a]@b", "!" },
	{ "backslash", "a\\b@c", "!" },
	{ "angle in angle", "<<a@b>>", "!" },
	{ "two angles", "<a@b> <c@d>", "!" },
	{ "word behind", "<a@b> c", "!" },
	{ "blank in angle", "<a b@c>", "!" },
	{ "two @", "a@b@c", "!" },
	{ "no local", "@b", "!" },
	{ "dot local", ".@b", "!" },
	{ "no domain", "a@", "!" },
	{ "no domain in <>", "<a@>", "!" },
	{ "dot domain", "a@.", "!" },
	{ "dot", ".", "!" },
	{ "route only", "<@a,@b:>", "!" },
	{ "route without end", "<@a,@b>", "!" },
	{ "mailto", "<mailto:a@b>", "!" },
	{ "include", ":include:/etc/passwd", "!" },
	{ "no group name", ": a@b;", "!" },
	{ "group in group", "A: B: c@d;;", "!" },
	{ "address as group", "a@b: c@d;", "!" },
	{ "angle as group", "<a@b>: c@d;", "!" },
	{ "beside quotes", "a\"b\"@c", "!" },
	/* injection */
	{ "lf", "a@b\nRCPT TO:<x@y>", "!" },
	{ "crlf", "a@b>\r\nDATA", "!" },
	{ "crlf in quotes", "\"a\r\nb\"@c", "!" },
	{ "crlf in <>", "<a@b\r\nc@d>", "!" },
	{ "crlf in a comment", "a@b (x\r\ny)", "!" },
	{ "crlf in a literal", "a@[1\r\n2]", "!" },
	{ "bare cr", "a@b\rc", "!" },
	{ "cr at the end", "a@b\r", "!" },
	{ "quoted crlf", "\"a\\\r\n b\"@c", "!" },
	{ "escape", "a\033@b", "!" },
	{ "delete", "a\177@b", "!" },
	{ "tab in a literal", "a@[1\0012]", "!" },
};

static bool parse_to(char *dst, size_t size, const char *text, size_t n)
{
	struct addr_list list = { 0 };
	const char *fault = addr_list_parse(&list, text, n);
	size_t at = 0;

	dst[0] = '\0';
	for (size_t i = 0; i < list.n && at < size; i++)
		at += (size_t)snprintf(dst + at, size - at, "%s ",
				       list.found[i].addr);
	if (fault && at < size)
		snprintf(dst + at, size - at, "!");
	addr_list_free(&list);
	return !fault;
}

static void test_lists(void)
{
	char got[1000];

	for (size_t i = 0; i < COUNT(list_cases); i++) {
		const struct list_case *c = &list_cases[i];
		/* A copy without a NUL: reading past it is seen. */
		size_t n = strlen(c->text);
		char *copy = malloc(n ? n : 1);

		memcpy(copy, c->text, n);
		parse_to(got, sizeof got, copy, n);
		check_str(c->name, got, c->want);
		free(copy);
	}
	parse_to(got, sizeof got, "a\0b@c", 5);
	check_str("NUL", got, "!");
	parse_to(got, sizeof got, "\"a\0b\"@c", 7);
	check_str("NUL in quotes", got, "!");
	parse_to(got, sizeof got, "a@[1\0]", 6);
	check_str("NUL in a literal", got, "!");
}

/* Where an address stands: the text of [from, to) of the last one. */
static const struct list_case place_cases[] = {
	{ "bare", "root", "root" },
	{ "comment", "root (Cron Daemon)", "root" },
	{ "angle", "Root <root>", "root" },
	{ "blanks", "  a@b  ,  root  ", "root" },
	{ "angle blanks", "X < root > (y)", "root" },
	{ "comments", "(x) root (y)", "root" },
	{ "inner blanks", "a @ b", "a @ b" },
	{ "route", "<@x:root>", "root" },
	{ "group", "G: root;", "root" },
	{ "name is an address", "x@y <root>", "root" },
	{ "no comma", "a@b c@d", "c@d" },
	{ "null", "x <>", "" },
	{ "quoted", "X <\"a b\">", "\"a b\"" },
};

static void test_places(void)
{
	for (size_t i = 0; i < COUNT(place_cases); i++) {
		const struct list_case *c = &place_cases[i];
		struct addr_list list = { 0 };
		const struct addr_found *f;

		check(!addr_list_parse(&list, c->text, strlen(c->text)),
		      c->name);
		if (check(list.n > 0, c->name)) {
			f = &list.found[list.n - 1];
			check_bytes(c->name, c->text + f->from, f->to - f->from,
				    c->want, strlen(c->want));
		}
		addr_list_free(&list);
	}
}

/* ---- the check for the envelope ------------------------------------------ */

enum { NO, YES, BARE, NULL_SENDER };

#define L63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"
#define L253 L63 "." L63 "." L63 "." \
	"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeefffffffff."

static const struct { const char *addr; int good; } check_cases[] = {
	{ "a@b", YES }, { "a.b@c.d", YES }, { "\"a b\"@c", YES },
	{ "\"a\\\"b\"@c", YES }, { "\"a\\\\\"@c", YES }, { "\"a@b\"@c", YES },
	{ "\"a\".b@c", YES }, { "a.\"b\"@c", YES }, { "\"\"@c", YES },
	{ "a..b@c", YES }, { "a.@c", YES }, { ".a@c", YES },
	{ "a@b_c.d", YES }, { "a@1.test", YES }, { "a@b-c", YES },
	{ "a@[192.0.2.1]", YES }, { "a@[IPv6:::1]", YES },
	{ "a@[ipv6:2001:db8::1]", YES }, { "o'b@c", YES }, { "a/b=c@d", YES },
	{ "a@" L63, YES }, { "a@" L253 "a", YES },
	{ "root", BARE }, { "\"a b\"", BARE }, { "\"a@b\"", BARE },
	{ "", NULL_SENDER },
	{ "@b", NO }, { "a@", NO }, { "@", NO }, { ".@b", NO }, { "..", NO },
	{ "a@b@c", NO }, { "a b@c", NO }, { "a@b c", NO }, { "a@b.", NO },
	{ "a@.b", NO }, { "a@b..c", NO }, { "a@" L63 "a", NO },
	{ "a@" L253 "aa", NO }, { "a@b,c", NO }, { "a@b>", NO },
	{ "<a@b>", NO },
	{ "a<b@c", NO }, { "a(b)@c", NO }, { "a,b@c", NO }, { "a:b@c", NO },
	{ "a\\b@c", NO }, { "\"a@b", NO }, { "a\"b\"@c", NO },
	{ "\"a\"b@c", NO }, { "\"a\"\"b\"@c", NO }, { "\"a\\\"@c", NO },
	{ "a\r@c", NO }, { "a\n@c", NO }, { "\"a\nb\"@c", NO },
	{ "a@b\r\nDATA", NO }, { "a\t@b", NO }, { "\177@b", NO },
	{ "\303\274@b", NO }, { "a@\303\274", NO }, { "\"\303\274\"@b", NO },
	{ "a@[]", NO }, { "a@[1.2.3]", NO }, { "a@[1.2.3.4", NO },
	{ "a@1.2.3.4]", NO }, { "a@[1.2.3.4]x", NO }, { "a@[999.1.1.1]", NO },
	{ "a@[::1]", NO }, { "a@[IPv6:1.2.3.4]", NO }, { "a@[IPv6:::g]", NO },
	{ "a@[x@y]", NO }, { "a@[IPv6:fe80::1%eth0]", NO }, { "a@b/c", NO },
	{ "a@b%c", NO }, { "a@b:25", NO },
};

static void test_check(void)
{
	static char longest[ADDRESS_MAX + 2];

	for (size_t i = 0; i < COUNT(check_cases); i++) {
		const char *addr = check_cases[i].addr;
		int good = check_cases[i].good;

		check_int(addr, !addr_check(addr, false, false), good == YES);
		check_int(addr, !addr_check(addr, true, false),
			  good == YES || good == BARE);
		check_int(addr, !addr_check(addr, false, true),
			  good == YES || good == NULL_SENDER);
	}
	memset(longest, 'a', ADDRESS_MAX + 1);
	memcpy(longest + ADDRESS_MAX - 2, "@b", 3);
	check(!addr_check(longest, false, false), "as long as allowed");
	memcpy(longest + ADDRESS_MAX - 2, "a@b", 4);
	check(addr_check(longest, false, false) != NULL, "too long");
}

/* ---- small questions ----------------------------------------------------- */

static const struct { const char *addr, *domain, *full; } domain_cases[] = {
	{ "a@b", "b", "a@b" },
	{ "root", NULL, "root@here" },
	{ "", NULL, "" },
	{ "\"a@b\"", NULL, "\"a@b\"@here" },
	{ "\"a@b\"@c", "c", "\"a@b\"@c" },
	{ "\"a\\\"@b\"", NULL, "\"a\\\"@b\"@here" },
	{ "\"a\\\\\"@b", "b", "\"a\\\\\"@b" },
	{ "a@b@c", "c", "a@b@c" },
	{ "a@", "", "a@" },
};

static const struct { const char *a, *b; bool same; } same_cases[] = {
	{ "a@b", "a@b", true }, { "a@B", "a@b", true }, { "A@b", "a@b", false },
	{ "a", "a", true }, { "a", "A", false }, { "a", "a@b", false },
	{ "", "", true }, { "", "a", false }, { "a@b", "a@bc", false },
	{ "a@b", "ab@b", false }, { "\"a@X\"@b", "\"a@x\"@b", false },
};

static const struct { const char *name; bool host, fqdn; } name_cases[] = {
	{ "a.b", true, true }, { "a", true, false }, { "", false, false },
	{ "localhost", true, false }, { "mx1.example.com", true, true },
	{ "a.b.", false, false }, { ".a.b", false, false },
	{ "a..b", false, false }, { ".", false, false },
	{ "my_app.test", true, false }, { "-a.b", true, false },
	{ "a.-b", true, false }, { "a-.b", true, false },
	{ "a.b-", true, false }, { "a-b.c--d", true, true },
	{ "192.0.2.1", true, false }, { "1.2.3.4a", true, true },
	{ "[192.0.2.1]", false, false }, { "a b.c", false, false },
	{ "\303\274.de", false, false }, { "a.b\n", false, false },
	{ "15b0717dc4c2", true, false }, { "sub2.", false, false },
	{ L63 ".b", true, true }, { L63 "a.b", false, false },
	{ L253 "a", true, true }, { L253 "aa", false, false },
};

static void test_questions(void)
{
	for (size_t i = 0; i < COUNT(domain_cases); i++) {
		const char *addr = domain_cases[i].addr;
		const char *want = domain_cases[i].domain;
		char *full = addr_qualify(addr, "here");

		check_str(addr, addr_domain(addr), want ? want : "(null)");
		check_int(addr, (long long)addr_local_len(addr),
			  (long long)(strlen(addr) -
				      (want ? strlen(want) + 1 : 0)));
		check_str(addr, full, domain_cases[i].full);
		free(full);
	}
	for (size_t i = 0; i < COUNT(same_cases); i++) {
		check_int(same_cases[i].a, addr_same(same_cases[i].a,
			  same_cases[i].b), same_cases[i].same);
		check_int(same_cases[i].a, addr_same(same_cases[i].b,
			  same_cases[i].a), same_cases[i].same);
	}
	for (size_t i = 0; i < COUNT(name_cases); i++) {
		check_int(name_cases[i].name,
			  addr_is_hostname(name_cases[i].name),
			  name_cases[i].host);
		check_int(name_cases[i].name, addr_is_fqdn(name_cases[i].name),
			  name_cases[i].fqdn);
	}
}

static const struct list_case dedupe_cases[] = {
	{ "none", "", "" },
	{ "one", "a@b", "a@b " },
	{ "order", "c@d,a@b,b@c", "c@d a@b b@c " },
	{ "the first stays", "a@B,x@y,a@b,x@Y", "a@B x@y " },
	{ "case of the local part", "A@b,a@b", "A@b a@b " },
	{ "bare", "a,a@b,a", "a a@b " },
	{ "three", "a@b,a@b,a@b", "a@b " },
	{ "null", "<>,a@b,<>", " a@b " },
};

static void test_dedupe(void)
{
	char got[200];

	for (size_t i = 0; i < COUNT(dedupe_cases); i++) {
		const struct list_case *c = &dedupe_cases[i];
		struct addr_list list = { 0 };
		size_t at = 0;

		addr_list_parse(&list, c->text, strlen(c->text));
		addr_list_dedupe(&list);
		got[0] = '\0';
		for (size_t k = 0; k < list.n; k++)
			at += (size_t)snprintf(got + at, sizeof got - at,
					       "%s ", list.found[k].addr);
		check_str(c->name, got, c->want);
		addr_list_free(&list);
	}
}

/* ---- display names ------------------------------------------------------- */

static const struct { size_t size; const char *in, *want; } phrase_cases[] = {
	{ 100, "", "" },
	{ 100, "Alice", "Alice" },
	{ 100, "Alice Smith", "Alice Smith" },
	{ 100, "  Alice  ", "Alice" },
	{ 100, "Alice B. Smith", "\"Alice B. Smith\"" },
	{ 100, "Smith, Alice", "\"Smith, Alice\"" },
	{ 100, "a\"b\\c", "\"a\\\"b\\\\c\"" },
	{ 100, "x <a@b>", "\"x <a@b>\"" },
	{ 100, "a\r\nBcc: x@y", "\"a  Bcc: x@y\"" },
	{ 100, "a\tb", "a b" },
	{ 100, "\n", "" },
	{ 100, "=?utf-8?Q?x?=", "\"=?utf-8?Q?x?=\"" },
	{ 100, "Alice \303\234n\303\257code",
	  "=?utf-8?Q?Alice_=C3=9Cn=C3=AFcode?=" },
	{ 100, "J\366rg", "=?iso-8859-1?Q?J=F6rg?=" },
	{ 0, "Alice", "kept" },
	{ 1, "Alice", "" },
	{ 6, "Alice", "Alice" },
	{ 5, "Alice", "Alic" },
	{ 6, "a.b.c.d", "\"a.b\"" },
	{ 5, "\"\"\"\"\"", "\"\\\"\"" },
	{ 20, "\303\274\303\274\303\274", "=?utf-8?Q?=C3=BC?=" },
	{ 10, "\303\274\303\274\303\274", "" },
};

static void test_phrases(void)
{
	char got[100];

	for (size_t i = 0; i < COUNT(phrase_cases); i++) {
		memset(got, 0, sizeof got);
		memcpy(got, "kept", 5);
		addr_phrase(got, phrase_cases[i].size, phrase_cases[i].in);
		check_str(phrase_cases[i].in, got, phrase_cases[i].want);
	}
}

/* ---- size ---------------------------------------------------------------- */

/* Text that would be slow for a parser that looks at things twice.  Generous:
 * what is meant to fail here takes minutes. */
static void test_size(void)
{
	static const char *const units[] = {
		"(", ")", "\"", "<", "a ", "a@b,", "=?", "=?,", "\\", "[", "@",
		"a@b ", "a:", "<@a,", ".", "\r\n ", "(\\", "a(b)", "<>,", ",",
		"\"a\" ", "a@b <x@y>,",
	};
	enum { SIZE = 1 << 20 };
	char *text = malloc(SIZE);
	clock_t begin;

	for (size_t i = 0; i < COUNT(units); i++) {
		struct addr_list list = { 0 };
		size_t n = strlen(units[i]);

		for (size_t k = 0; k < SIZE; k++)
			text[k] = units[i][k % n];
		begin = clock();
		addr_list_parse(&list, text, SIZE);
		addr_list_dedupe(&list);
		addr_list_free(&list);
		check((clock() - begin) / CLOCKS_PER_SEC < 3, units[i]);
	}
	free(text);
}

static void test_deep(void)
{
	char text[2 * NESTING_MAX + 10] = "";

	for (int deep = NESTING_MAX; deep <= NESTING_MAX + 1; deep++) {
		struct addr_list list = { 0 };

		memset(text, '(', (size_t)deep);
		memset(text + deep, ')', (size_t)deep);
		memcpy(text + 2 * deep, "a@b", 4);
		check_int("nesting", !addr_list_parse(&list, text,
			  strlen(text)), deep == NESTING_MAX);
		addr_list_free(&list);
	}
}

static void test_many(void)
{
	struct addr_list list = { 0 };
	char addr[64];

	for (unsigned i = 0; i < 200000; i++) {
		snprintf(addr, sizeof addr, "user%u@example.%s",
			 i * 7919u % 100000u, i < 100000 ? "COM" : "com");
		addr_list_add(&list, addr);
	}
	addr_list_dedupe(&list);
	check_int("many", (long long)list.n, 100000);
	check_str("the first stays", list.found[0].addr, "user0@example.COM");
	addr_list_free(&list);
}

static void test_long(void)
{
	static char text[3 * ADDRESS_MAX];
	char got[ADDRESS_MAX + 10];

	memset(text, 'a', ADDRESS_MAX);
	check(parse_to(got, sizeof got, text, ADDRESS_MAX), "long");
	memset(text, 'a', sizeof text);
	check(!parse_to(got, sizeof got, text, ADDRESS_MAX + 1), "too long");
	memcpy(text + 2 * ADDRESS_MAX, " <a@b>", 6);
	check(parse_to(got, sizeof got, text, 2 * ADDRESS_MAX + 6),
	      "a long name");
	check_str("a long name", got, "a@b ");
}

int main(void)
{
	test_lists();
	test_places();
	test_check();
	test_questions();
	test_dedupe();
	test_phrases();
	test_size();
	test_deep();
	test_many();
	test_long();
	return check_done("addr");
}
