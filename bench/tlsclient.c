/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The least that a verified submission over STARTTLS by OpenSSL can be: one
 * context, one connection, as few turns as SMTP allows, and no file but those
 * of the library and the trusted issuers.  bench/tls measures others by it.
 *
 *	tlsclient PORT TRUST OCTETS [MESSAGES]
 *
 * to 127.0.0.1; TRUST is a directory with hash links, or a file.  It ends with
 * 0 when every message was taken, and after ten seconds in any case.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int fd;
static SSL *ssl;

static void die(const char *what)
{
	fprintf(stderr, "tlsclient: %s\n", what);
	exit(75);
}

static void say(const char *text, size_t n)
{
	if ((ssl ? SSL_write(ssl, text, (int)n) :
	     (int)send(fd, text, n, MSG_NOSIGNAL)) != (int)n)
		die("cannot write");
}

/* So many replies, each of any number of lines. */
static void hear(int replies)
{
	static char buf[8192];
	static int n;
	char *s, *e;
	int got;

	while (replies > 0) {
		got = ssl ? SSL_read(ssl, buf + n, (int)sizeof buf - n) :
			(int)recv(fd, buf + n, sizeof buf - (size_t)n, 0);
		if (got <= 0)
			die("the server is gone");
		n += got;
		for (s = buf; (e = memchr(s, '\n', (size_t)(buf + n - s)));
		     s = e + 1) {
			if (*s > '3')
				die("the server refuses");
			if (e - s > 3 && s[3] == ' ')
				replies--;
		}
		n = (int)(buf + n - s);
		memmove(buf, s, (size_t)n);
	}
}

static SSL_CTX *context(const char *trust)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct stat st;

	if (!ctx || stat(trust, &st) != 0 ||
	    (S_ISDIR(st.st_mode) ? SSL_CTX_load_verify_dir(ctx, trust) :
	     SSL_CTX_load_verify_file(ctx, trust)) != 1)
		die("no trusted issuers");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	return ctx;
}

static void secure(SSL_CTX *ctx)
{
	SSL *s = SSL_new(ctx);

	if (!s || !SSL_set_fd(s, fd) ||
	    !X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(s), "127.0.0.1") ||
	    SSL_connect(s) != 1)
		die("no handshake");
	ssl = s;
}

/* The envelope and the message, in one piece. */
static char *letter(size_t octets, size_t *n)
{
	char *s = malloc(octets + 1000);
	int head;

	if (!s)
		die("no memory");
	head = sprintf(s, "MAIL FROM:<alice@client.test>\r\n"
		       "RCPT TO:<bob@far.test>\r\nBDAT %zu LAST\r\n", octets);
	*n = (size_t)head + octets;
	memset(s + head, 'x', octets);
	for (size_t i = 70; i + 2 <= octets; i += 72)
		memcpy(s + head + i, "\r\n", 2);
	memcpy(s + head, "Subject: x\r\n\r\n", octets < 14 ? octets : 14);
	return s;
}

int main(int argc, char **argv)
{
	static const char ehlo[] = "EHLO client.test\r\n";
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int one = 1, messages;
	SSL_CTX *ctx;
	char *text;
	size_t n;

	if (argc < 4)
		return 64;
	alarm(10);
	messages = argc > 4 ? atoi(argv[4]) : 1;
	text = letter(strtoul(argv[3], NULL, 10), &n);
	ctx = context(argv[2]);
	sa.sin_port = htons((uint16_t)atoi(argv[1]));
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0)
		die("no connection");
	hear(1);
	say(ehlo, sizeof ehlo - 1);
	hear(1);
	say("STARTTLS\r\n", 10);
	hear(1);
	secure(ctx);
	say(ehlo, sizeof ehlo - 1);
	hear(1);
	for (; messages > 0; messages--) {
		say(text, n);
		hear(3);
	}
	say("QUIT\r\n", 6);
	hear(1);
	SSL_shutdown(ssl);
	return 0;
}
