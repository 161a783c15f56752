/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* The fuzz target of the dialogue in make check: the transcripts as its corpus,
 * then random servers from fixed seeds. */
#define STANDALONE
#include "tests/fuzz/esmtp.c"
