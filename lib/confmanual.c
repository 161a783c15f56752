/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* The table of settings as text: see confmanual.h. */
#include "lib/confmanual.h"

#include <ctype.h>
#include <string.h>

/* Prose into mdoc: a new sentence begins a new line, long lines are broken,
 * and nothing of it is read as a request. */
static void put_prose(struct buf *out, const char *s)
{
	const char *start = s;
	unsigned column = 0;

	for (; *s; s++, column++) {
		bool sentence = s > start && s[-1] == '.' &&
				(isupper((unsigned char)s[1]) || s[1] == '-');

		if (*s == ' ' && (sentence || column > 64)) {
			buf_putc(out, '\n');
			column = 0;
			continue;
		}
		if (column == 0 && (*s == '.' || *s == '\''))
			buf_puts(out, "\\&");
		if (*s == '\\')
			buf_puts(out, "\\e");
		else
			buf_putc(out, *s);
	}
	buf_putc(out, '\n');
}

static const char *shown_default(const struct confrow *s)
{
	return s->shown ? s->shown : s->def;
}

static void put_elsewhere(struct buf *out, const char *where, const char *name,
			  const char *def)
{
	buf_printf(out, "In %s%s%s: %s.\n", where, *name ? " it is " : "",
		   name, def);
}

static void put_setting(struct buf *out, const struct confrow *s)
{
	struct buf form;

	buf_printf(out, ".It Cm %s\n", s->name);
	put_prose(out, s->help);
	if (s->why)
		put_prose(out, s->why);
	buf_init(&form, CONFVALUE_WHY);
	buf_puts(&form, "Value: ");
	confvalue_form(&s->v, &form);
	buf_putc(&form, '.');
	buf_puts(out, ".Pp\n");
	put_prose(out, buf_str(&form));
	buf_free(&form);
	buf_printf(out, "Default: %s.\n", shown_default(s));
	if (s->iis)
		put_elsewhere(out, "IIS", "", s->iis);
	if (s->sendmail)
		put_elsewhere(out, "sendmail", strcmp(s->sendmail, s->name) ?
			      s->sendmail : "", s->sendmail_def);
	if (s->flags & CONF_DOMAIN)
		buf_puts(out, "May stand in a section.\n");
	if (s->flags & CONF_GUARDED)
		buf_puts(out, "Only root may set it by\n.Fl O ,\nor by\n.Fl C\n"
			 "with a file that others can write.\n");
	if (s->flags & CONF_ANYONE)
		buf_puts(out, "Anyone may set it.\n");
}

void confmanual_print(const struct confrow *rows, size_t n, bool mdoc,
		      struct buf *out)
{
	size_t i;

	for (i = 0; i < n; i++) {
		const struct confrow *s = &rows[i];

		if (!mdoc) {
			buf_printf(out, "  %-34s %s (%s)\n", s->name, s->help,
				   *shown_default(s) ? shown_default(s) :
				   "none");
			continue;
		}
		if (s->group)
			buf_printf(out, "%s.Ss %s\n.Bl -tag -width Ds\n",
				   i ? ".El\n" : "", s->group);
		put_setting(out, s);
	}
	if (mdoc)
		buf_puts(out, ".El\n");
}
