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

/* Would this address be expanded?  For -bv. */
bool alias_known(const char *addr);

#endif
