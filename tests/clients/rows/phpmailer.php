<?php
// SPDX-License-Identifier: ISC
// Copyright (c) 2026 the mailroot authors
//
// phpmailer.php isMail|isSendmail
require 'libphp-phpmailer/autoload.php';
$mail = new PHPMailer\PHPMailer\PHPMailer(true);
$mail->{$argv[1]}();
$mail->setFrom('alice@here.test', 'Alice');
$mail->addAddress('bob@far.test', 'Bob');
$mail->addCC('carol@far.test');
$mail->addBCC('blind@far.test');
$mail->Subject = 'the dots';
$mail->Body = file_get_contents('/clients/text');
$mail->send();
