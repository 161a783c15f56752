/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The alias file (aliases(5)): whose mail goes elsewhere.  Bare names, and
 * names at LocalDomains, DefaultDomain and our own name, without case.
 */
#ifndef IN_ALIAS_H
#define IN_ALIAS_H

#include "lib/addr.h"

/*
 * Every address of the list that is an alias becomes what the file says, to
 * ALIAS_DEPTH; "\name" is that name and no alias.  What would run a program,
 * write a file or read a list ("|", "/", ":include:") is not obeyed: the name
 * stays as it is, and a log line says so.  Each mailbox stays once.  A file
 * that is missing has no aliases; one that cannot be read is logged.
 */
void alias_expand(struct addr_list *list);

/*
 * The addresses of from as they will stand in the envelope, appended to to:
 * aliases expanded, names without a domain left bare or, where all mail goes
 * to a smart host, qualified; each with this origin.  from is changed.  0, or
 * an exit status with a sentence in error (256 octets): 65 an address that may
 * not stand in an envelope, or more than RECIPIENTS_MAX of them.
 */
int alias_resolve(struct addr_list *to, struct addr_list *from, size_t origin,
		  char *error);

/* The next question reads the file anew: for a process that stays. */
void alias_forget(void);

/* Would this address be expanded?  For -bv. */
bool alias_known(const char *addr);

#endif
