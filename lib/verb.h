/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The ESMTP verbs and their mask: one table of bits, names and defaults, used
 * by the settings SmtpOutboundCommandSupportOptions and
 * SmtpInboundCommandSupportOptions, by the dialogue and by the manual.
 */
#ifndef LIB_VERB_H
#define LIB_VERB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bits of Microsoft's table stand at their published values in the low 32;
 * verbs that no number covers stand above and are switched by name only.  All
 * are 64 bits wide, so that mask & ~VERB_X takes away X and nothing else. */
#define VERB_DSN		UINT64_C(64)
#define VERB_ETRN		UINT64_C(128)
#define VERB_TURN		UINT64_C(1024)		/* ATRN too: one bit */
#define VERB_ENHANCEDSTATUS	UINT64_C(4096)
#define VERB_CHUNKING		UINT64_C(1048576)
#define VERB_BINARYMIME		UINT64_C(2097152)
#define VERB_8BITMIME		UINT64_C(4194304)
#define VERB_SIZE		(UINT64_C(1) << 32)
#define VERB_PIPELINING		(UINT64_C(1) << 33)
#define VERB_SMTPUTF8		(UINT64_C(1) << 34)

/* 1, 8192, 16384, 65536, 262144: in the default, without a public name. */
#define VERB_UNNAMED		UINT64_C(352257)
#define VERB_DEFAULT		(UINT64_C(7697601) | VERB_SIZE | \
				 VERB_PIPELINING | VERB_SMTPUTF8)
/* The one value that means HELO and plain SMTP. */
#define VERB_NONE		UINT64_C(0)

struct verb {
	uint64_t bit;
	const char *name;	/* as EHLO spells it */
	const char *note;	/* one sentence for the manual */
};
/* The table, ended by a row without a name. */
extern const struct verb verbs[];

/*
 * Reads a mask (mailroot.conf(5) tells the story): a number (decimal, 0x..., -1, 4294967295), or
 * words separated by blanks or commas: a first word "all", "none" or a number
 * is the start, else the default; then "-X" off, "X" or "+X" on, left to
 * right, case-free.  outbound: the numbers 1 to 7 are read in IIS's other
 * numbering (bit 2 set: all; clear: all but CHUNKING); a mask without
 * CHUNKING has no BINARYMIME.  0 alone is VERB_NONE; "none" alone is EHLO
 * with no verb used, and is not 0: it keeps the bit VERB_EHLO_ONLY.
 * Returns NULL, or a constant or static sentence that names the unknown word
 * and lists the known ones.
 */
#define VERB_EHLO_ONLY		(UINT64_C(1) << 40)
const char *verb_parse(const char *text, bool outbound, uint64_t *mask);
/* The mask in words, for -bv and the log: "all -CHUNKING -BINARYMIME". */
void verb_print(uint64_t mask, char *dst, size_t size);

#endif
