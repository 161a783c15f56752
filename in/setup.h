/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * sendmail --setup: a host or an image is made ready by one command.
 */
#ifndef IN_SETUP_H
#define IN_SETUP_H

/*
 * Makes, or corrects, in this order: group and user mailroot, the folders
 * that conf() names, the settings file and the secret from what conf_given()
 * has, the set-group-id bit of the running program.  After conf_load(), and
 * before anything is opened under MailRoot.  conf_file: the argument of -C;
 * then no settings are written.  NULL without it.
 *
 * For root alone, else 77.  It may be repeated: what is as it should be is
 * not touched and not mentioned.  A line on standard output for each thing
 * changed ("made", "corrected", "wrote") or lacking; a failure is a line on
 * standard error.  0: mail can be sent, with what is said to be lacking; 73:
 * something could not be made; 78: a setting cannot stand in a file.
 */
int setup(const char *conf_file);

#endif
