/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* The fuzz target of requests in make check: the lines of the dialogues as its
 * corpus, then random lines from fixed seeds. */
#define STANDALONE
#include "tests/fuzz/request.c"
