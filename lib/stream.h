/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * A connected, non-blocking socket in a loop, that can turn into TLS; nobody
 * above will notice, which is why writing goes through here.
 */
#ifndef LIB_STREAM_H
#define LIB_STREAM_H

#include "lib/buf.h"
#include "lib/loop.h"
#include "lib/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct stream;

struct stream_ops {
	/* n octets have arrived; valid during the call. */
	void (*input)(void *ctx, const char *p, size_t n);
	/* the socket took what it had refused before: more may be written */
	void (*writable)(void *ctx);
	/* the end: why is "lost connection" for a clean close by the other
	 * side, else the system's words.  Called once; the stream is then only
	 * good for stream_close. */
	void (*down)(void *ctx, const char *why);
	/* the handshake is over.  Not ok: why is one sentence, and it is
	 * called instead of down; with NULL here down is. */
	void (*secured)(void *ctx, bool ok, const char *why);
};

/*
 * Begins a non-blocking connect: a descriptor, or -1 with errno.  The
 * descriptor is ready for writing when it is decided; stream_connected()
 * then gives 0 or the error.  TCP_NODELAY is set.  bind_to may be NULL.
 */
int stream_connect(const struct sockaddr *to, socklen_t len,
		   const struct sockaddr *bind_to, socklen_t bind_len);
int stream_connected(int fd);

/* Takes over a connected descriptor.  ops is borrowed for the stream's life.
 * Callbacks come only from loop_turn, never from a call made here.  Never
 * NULL: a descriptor the loop refuses ends with ops->down. */
struct stream *stream_open(struct loop *l, int fd, const struct stream_ops *ops,
			   void *ctx);
/* Writes what the socket takes now and drops it from out; what is left is
 * asked for again with ops->writable.  Returns the octets written. */
size_t stream_write(struct stream *s, struct buf *out);
/* Turns into TLS with host (see tls_new).  The handshake begins in the next
 * turn; until ops->secured nothing is written and no input comes.  What the
 * other side has sent before is taken for a part of the handshake, and ends
 * it. */
void stream_secure(struct stream *s, struct tls_context *c, const char *host);
/* For tls_describe and tls_why; NULL before stream_secure. */
const struct tls *stream_tls(const struct stream *s);
/* Octets at the front of the buffer last written from that wait, encrypted,
 * for the socket (TLS; a plain socket keeps nothing back).  They are still in
 * the buffer, and must stay: the next write must begin with them. */
size_t stream_pending(const struct stream *s);
/* Stop or resume reading. */
void stream_reading(struct stream *s, bool on);
/* Closes the descriptor; allowed in any callback of the stream. */
void stream_close(struct stream *s);
int stream_fd(const struct stream *s);

/* "192.0.2.1" or "2001:db8::1" into dst (64 octets are enough). */
void address_print(char *dst, size_t size, const struct sockaddr *sa);
/* "192.0.2.1" or an IPv6 address to a sockaddr with that port; its length, 0
 * if it is no address. */
socklen_t address_parse(const char *text, unsigned port,
			struct sockaddr_storage *sa);

#endif
