/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Makes man/mailroot.conf.5 out of its .in: copies standard input, with the
 * settings' table in place of the line @SETTINGS@ and the verbs' in place of
 * @VERBS@.  So the page cannot say anything the program does not do.
 */
#include "conf.h"
#include "lib/util.h"
#include "lib/verb.h"

#include <stdio.h>
#include <string.h>

static void put_verbs(struct buf *out)
{
	const struct verb *v;

	for (v = verbs; v->name; v++) {
		buf_printf(out, ".It ");
		if (v->bit <= UINT32_MAX)
			buf_printf(out, "%u", (unsigned)v->bit);
		else
			buf_puts(out, "-");
		buf_printf(out, " Ta %s Ta %s\n", v->name, v->note);
	}
}

int main(void)
{
	char line[1024];
	struct buf out;

	buf_init(&out, 1024 * 1024);
	while (fgets(line, sizeof line, stdin)) {
		if (strcmp(line, "@SETTINGS@\n") == 0)
			conf_manual(&out, true);
		else if (strcmp(line, "@VERBS@\n") == 0)
			put_verbs(&out);
		else
			buf_puts(&out, line);
	}
	if (out.failed || ferror(stdin) ||
	    write_full(1, buf_data(&out), buf_len(&out)) != 0)
		return 1;
	buf_free(&out);
	return 0;
}
