/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * lib/verb: a table of texts and the masks they must give, both ways; the
 * numbers are those an administrator of IIS would carry over.
 */
#include "lib/verb.h"
#include "tests/check.h"

#define NAMED	(VERB_SIZE | VERB_PIPELINING | VERB_SMTPUTF8)
#define ALL	VERB_DEFAULT
#define NOBDAT	(ALL & ~(VERB_CHUNKING | VERB_BINARYMIME))
#define NO8BIT	(ALL & ~VERB_8BITMIME)

static const struct {
	const char *text;
	uint64_t in, out;	/* as inbound and as outbound mask */
	const char *words;	/* the outbound mask printed */
} good[] = {
	{ "", ALL, ALL, "all" },
	{ " \t, ", ALL, ALL, "all" },
	{ "7697601", ALL, ALL, "all" },
	{ "0x7574C1", ALL, ALL, "all" },
	{ "0X7574c1", ALL, ALL, "all" },
	{ "4551873", NOBDAT, NOBDAT, "all -BINARYMIME -CHUNKING" },
	{ "3503297", NO8BIT, NO8BIT, "all -8BITMIME" },
	{ "352257", VERB_UNNAMED | NAMED, VERB_UNNAMED | NAMED,
	  "none +SIZE +PIPELINING +SMTPUTF8" },
	/* IIS's other numbering, outbound only */
	{ "1", 1 | NAMED, NOBDAT, "all -BINARYMIME -CHUNKING" },
	{ "2", 2 | NAMED, ALL, "all" },
	{ "3", 3 | NAMED, ALL, "all" },
	{ "4", 4 | NAMED, NOBDAT, "all -BINARYMIME -CHUNKING" },
	{ "5", 5 | NAMED, NOBDAT, "all -BINARYMIME -CHUNKING" },
	{ "6", 6 | NAMED, ALL, "all" },
	{ "7", 7 | NAMED, ALL, "all" },
	{ "0x7", 7 | NAMED, ALL, "all" },
	{ "8", 8 | NAMED, 8 | NAMED, "none +SIZE +PIPELINING +SMTPUTF8" },
	{ "64", VERB_DSN | NAMED, VERB_DSN | NAMED,
	  "none +SIZE +PIPELINING +DSN +SMTPUTF8" },
	/* the rule about BINARYMIME looks at the end, not at each step */
	{ "5 +CHUNKING", 5 | NAMED | VERB_CHUNKING, ALL, "all" },
	{ "64 +BINARYMIME", VERB_DSN | NAMED, VERB_DSN | NAMED,
	  "none +SIZE +PIPELINING +DSN +SMTPUTF8" },
	{ "7 -DSN", 7 | NAMED, ALL & ~VERB_DSN, "all -DSN" },
	/* all bits */
	{ "-1", 0xffffffff | NAMED, 0xffffffff | NAMED, "all" },
	{ "4294967295", 0xffffffff | NAMED, 0xffffffff | NAMED, "all" },
	{ "0xFFFFFFFF", 0xffffffff | NAMED, 0xffffffff | NAMED, "all" },
	{ "-1 -SIZE", 0xffffffff | (NAMED & ~VERB_SIZE),
	  0xffffffff | (NAMED & ~VERB_SIZE), "all -SIZE" },
	/* nothing, in its two senses */
	{ "0", VERB_NONE, VERB_NONE, "0" },
	{ " 0 ", VERB_NONE, VERB_NONE, "0" },
	{ "0x0", VERB_NONE, VERB_NONE, "0" },
	{ "0 -DSN", VERB_EHLO_ONLY, VERB_EHLO_ONLY, "none" },
	{ "0 +DSN", VERB_DSN, VERB_DSN, "none +DSN" },
	{ "none", VERB_EHLO_ONLY, VERB_EHLO_ONLY, "none" },
	{ "NONE +dsn,size", VERB_EHLO_ONLY | VERB_DSN | VERB_SIZE,
	  VERB_EHLO_ONLY | VERB_DSN | VERB_SIZE, "none +SIZE +DSN" },
	/* names */
	{ "all", ALL, ALL, "all" },
	{ "all -CHUNKING", NOBDAT, NOBDAT, "all -BINARYMIME -CHUNKING" },
	{ "-chunking", NOBDAT, NOBDAT, "all -BINARYMIME -CHUNKING" },
	{ "-8BITMIME, +DSN", NO8BIT, NO8BIT, "all -8BITMIME" },
	{ "-8bitmime,-DSN,DSN", NO8BIT, NO8BIT, "all -8BITMIME" },
	{ "-DSN +DSN -DSN", ALL & ~VERB_DSN,
	  ALL & ~VERB_DSN, "all -DSN" },
	{ "-CHUNKING +BINARYMIME", NOBDAT, NOBDAT,
	  "all -BINARYMIME -CHUNKING" },
	{ "-ATRN", ALL & ~VERB_TURN, ALL & ~VERB_TURN,
	  "all -TURN" },
	{ "-PIPELINING -SMTPUTF8 -SIZE -ENHANCEDSTATUSCODES -ETRN",
	  ALL & ~(NAMED | VERB_ENHANCEDSTATUS | VERB_ETRN),
	  ALL & ~(NAMED | VERB_ENHANCEDSTATUS | VERB_ETRN),
	  "all -SIZE -ETRN -PIPELINING -ENHANCEDSTATUSCODES -SMTPUTF8" },
};

static const char *const bad[] = {
	"EXPN", "all EXPN", "-2", "- DSN", "+", "4294967296", "0xG", "0x",
	"12a", "all 64", "DSN all", "none none", "STARTTLS", "--DSN",
	"18446744073709551616", "99999999999999999999999999",
};

static void test_good(void)
{
	char words[300], again[300];
	uint64_t mask, back;
	size_t i;

	for (i = 0; i < sizeof good / sizeof *good; i++) {
		const char *t = good[i].text;

		check(!verb_parse(t, false, &mask) && mask == good[i].in, t);
		check(!verb_parse(t, true, &mask) && mask == good[i].out, t);
		verb_print(mask, words, sizeof words);
		check_str(t, words, good[i].words);
		/* What is printed can be read, and prints the same. */
		check(!verb_parse(words, true, &back), words);
		verb_print(back, again, sizeof again);
		check_str(words, again, words);
		check((back == VERB_NONE) == (mask == VERB_NONE), words);
	}
}

static void test_bad(void)
{
	const struct verb *v;
	const char *error;
	uint64_t mask = 4711;
	size_t i;

	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		error = verb_parse(bad[i], true, &mask);
		if (!check(error != NULL, bad[i]))
			continue;
		check(mask == 4711, "the mask is left alone");
		for (v = verbs; v->name; v++)
			check(strstr(error, v->name) != NULL, v->name);
	}
	error = verb_parse("all, -expn", false, &mask);
	check(error && strstr(error, "\"-expn\""), "the word is named");
	error = verb_parse("A\033[31mB", false, &mask);
	check(error && !strchr(error, '\033'), "the error is printable");
}

static void test_short(void)
{
	char small[8];

	verb_print(VERB_DEFAULT & ~VERB_SIZE, small, sizeof small);
	check_str("print: cut", small, "all -SI");
	verb_print(VERB_DEFAULT, small, 1);
	check_str("print: no room", small, "");
}

int main(void)
{
	test_good();
	test_bad();
	test_short();
	return check_done("verb");
}
