// SPDX-License-Identifier: ISC
// Copyright (c) 2026 the mailroot authors
//
// nodemailer.js JSON: options for the transport.
const transport = require('nodemailer').createTransport(Object.assign(
	{ sendmail: true, path: '/usr/sbin/sendmail' },
	JSON.parse(process.argv[2])));
transport.sendMail({
	from: 'Alice <alice@here.test>', to: 'bob@far.test',
	bcc: 'blind@far.test', subject: 'the dots',
	text: require('fs').readFileSync('/clients/text', 'utf8'),
}, (error) => { if (error) throw error; });
