# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
use strict;
use warnings;
use Email::Sender::Simple qw(sendmail);
use Email::Sender::Transport::Sendmail;
use Email::Simple;
open my $file, '<', '/clients/text' or die;
my $mail = Email::Simple->create(
	header => [ From => 'Alice <alice@here.test>', To => 'bob@far.test',
		Bcc => 'blind@far.test', Subject => 'the dots' ],
	body => join '', <$file>);
sendmail($mail, {
	from => 'bounce@here.test', to => [ 'bob@far.test', 'blind@far.test' ],
	transport => Email::Sender::Transport::Sendmail->new });
