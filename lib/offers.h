/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * What a server offers: the keywords of its reply to EHLO, RFC 5321 4.1.1.1.
 */
#ifndef LIB_OFFERS_H
#define LIB_OFFERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-filled is a server that offers nothing. */
struct offers {
	uint64_t verbs;		/* announced, and not masked */
	uint64_t size_limit;	/* 0: none */
	bool starttls;
	char auth[512];		/* SASL mechanisms, blank separated */
};

/* One line of the reply, behind its code; not the first, which greets. */
void offers_learn(struct offers *o, uint64_t mask, const char *line, size_t n);

#endif
