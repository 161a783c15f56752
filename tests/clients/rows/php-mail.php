<?php
// SPDX-License-Identifier: ISC
// Copyright (c) 2026 the mailroot authors
//
// php-mail.php [PARAMETERS]: mail() with all it has.  It ends the text with a
// line end of its own.
$text = rtrim(file_get_contents('/clients/text'));
var_dump(mail('bob@far.test', 'the dots', $text,
	"From: A <a@here.test>\r\nBcc: blind@far.test", $argv[1] ?? ''));
