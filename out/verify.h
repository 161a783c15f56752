/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* -bv: what would happen to mail for an address, without sending any. */
#ifndef OUT_VERIFY_H
#define OUT_VERIFY_H

#include <stddef.h>

/*
 * Prints on standard output, for each address of the arguments (each a list):
 * what it becomes, whether it is local, goes to the smart host or to which MX
 * with which addresses, what is known to be down, the settings that hold, why
 * mail would wait whatever the server says (secure_possible), and what waits in
 * Queue for the same next hop, with the reason of the latest attempt.
 * Returns 0, or the exit status of the worst address (65 no address, 68 no
 * such domain).
 */
int verify(char *const *args, size_t n);

#endif
