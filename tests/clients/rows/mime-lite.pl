# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
use strict;
use warnings;
use MIME::Lite;
open my $file, '<', '/clients/text' or die;
MIME::Lite->new(From => 'alice@here.test', To => 'bob@far.test',
	Bcc => 'blind@far.test', Subject => 'the dots',
	Data => join '', <$file>)->send('sendmail') or die;
