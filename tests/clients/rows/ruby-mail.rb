# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# ruby-mail.rb [ARGUMENTS]: the setting of that name.
require 'mail'
Mail.defaults do
  delivery_method :sendmail, ARGV[0] ? { arguments: ARGV[0] } : {}
end
Mail.deliver do
  from 'Alice <alice@here.test>'
  to 'bob@far.test'
  bcc 'blind@far.test'
  subject 'the dots'
  body File.read('/clients/text')
end
