# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
use strict;
use warnings;
use Mail::Mailer;
my $mailer = Mail::Mailer->new('sendmail');
$mailer->open({ From => 'alice@here.test',
	To => [ 'bob@far.test', 'carol@far.test' ], Bcc => 'blind@far.test',
	Subject => 'the dots' });
print $mailer "first line\n..two dots\n.\nbehind the end\n";
$mailer->close or die;
