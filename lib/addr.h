/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Addresses: the only place that knows their grammar (RFC 5322 3.4 with its
 * obsolete forms for what people write, RFC 5321 4.1.2 for what goes into an
 * envelope).  An address elsewhere is a plain string: "local@domain", or a
 * bare "local", without angle brackets; "" is the null sender.
 */
#ifndef LIB_ADDR_H
#define LIB_ADDR_H

#include <stdbool.h>
#include <stddef.h>

/* One mailbox found in a list. */
struct addr_found {
	char *addr;		/* "local@domain" or "local" or "" (for <>);
				 * comments, blanks and routes taken out, the
				 * local part otherwise byte for byte */
	size_t from, to;	/* where the addr-spec stands in the text: the
				 * bytes to change when it is qualified */
	size_t origin;		/* the caller's: which of his recipients it
				 * was, before aliases */
};

struct addr_list {
	struct addr_found *found;
	size_t n, cap;
};

/*
 * Parses a list as a header or an argument holds it: commas (and the
 * semicolons people write), display names, quoted strings, comments, groups
 * (an empty group yields nothing), routes, "root (Cron Daemon)", folded
 * lines, encoded words in phrases.  Appends to list; never recurses deeper
 * than NESTING_MAX.  Returns NULL, or a constant sentence saying what is
 * wrong; found addresses before the fault are kept in the list.
 */
const char *addr_list_parse(struct addr_list *list, const char *text, size_t n);
void addr_list_free(struct addr_list *list);
/* Appends one address (copied), with from = to = 0. */
void addr_list_add(struct addr_list *list, const char *addr);
/* Removes later copies of the same mailbox (addr_same), order kept.  Must be
 * fast for 100,000. */
void addr_list_dedupe(struct addr_list *list);

/*
 * May this stand in an envelope?  NULL, or a constant sentence why not:
 * control octets, blanks outside quotes, no local part, a bad domain (labels
 * 1-63 of letters, digits, - and _, 253 in all, or a well-formed
 * address literal), longer than ADDRESS_MAX, octets above 127 (SMTPUTF8 is
 * not built).  A bare local part is allowed if bare is set; "" if null is.
 */
const char *addr_check(const char *addr, bool bare, bool null);

/* May c stand in an atom (RFC 5322 3.2.3, atext)?  Octets above 127 may:
 * display names have them, although they must not, and an address that has
 * them is refused by addr_check. */
bool addr_atom(unsigned char c);

/* The domain: a pointer behind the last @ outside quotes, or NULL for a bare
 * local part. */
const char *addr_domain(const char *addr);
/* Octets of the local part, without the @. */
size_t addr_local_len(const char *addr);
/* "local@domain" if addr is bare, else a copy; "" stays "".  Caller frees. */
char *addr_qualify(const char *addr, const char *domain);
/* The same mailbox: local part byte for byte, domain without case. */
bool addr_same(const char *a, const char *b);

/* A host name fit for EHLO: at least one dot inside, every label legal; a
 * trailing dot is not.  (An address literal is not a host name.)  Stricter
 * than addr_is_hostname, because servers check it: no _, no - at a label's
 * ends, the last label not all digits. */
bool addr_is_fqdn(const char *name);
/* A legal DNS name, dot or not. */
bool addr_is_hostname(const char *name);

/* A display name as RFC 5322 wants it before an addr-spec: atoms as they are,
 * else a quoted string, else (octets above 127) RFC 2047 encoded words.
 * Control octets become blanks.  Writes at most size - 1 octets and a NUL. */
void addr_phrase(char *dst, size_t size, const char *name);

#endif
