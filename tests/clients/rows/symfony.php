<?php
// SPDX-License-Identifier: ISC
// Copyright (c) 2026 the mailroot authors
//
// symfony.php COMMAND N: sends N messages.
require 'Symfony/Component/Mailer/autoload.php';
require 'Symfony/Component/Mime/autoload.php';
use Symfony\Component\Mime\Email;
$mailer = new Symfony\Component\Mailer\Mailer(
	new Symfony\Component\Mailer\Transport\SendmailTransport($argv[1]));
for ($n = 1; $n <= $argv[2]; $n++)
	$mailer->send((new Email())->from('Alice <alice@here.test>')
		->to("bob$n@far.test")->bcc('blind@far.test')
		->subject("number $n")->text(file_get_contents('/clients/text')));
