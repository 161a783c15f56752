<?php
// SPDX-License-Identifier: ISC
// Copyright (c) 2026 the mailroot authors
require 'Mail.php';
$mail = Mail::factory('sendmail', ['sendmail_path' => '/usr/sbin/sendmail']);
$done = $mail->send(['bob@far.test', 'carol@far.test'],
	['From' => 'alice@here.test', 'To' => 'bob@far.test',
	 'Return-Path' => 'bounce@here.test', 'Subject' => 'the dots'],
	rtrim(file_get_contents('/clients/text')));
if ($done !== true)
	exit($done->getMessage());
