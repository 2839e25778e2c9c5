/*
 * tls: what https needs, over OpenSSL.
 *
 * A session stands on a connected socket, which stays the caller's. The three
 * functions that do I/O never wait: they say -EAGAIN, and in *events what to
 * poll the socket for before calling again. (That can be POLLOUT for reading:
 * TLS has messages of its own.)
 *
 * The peer's certificate and the host's name in it are verified, unless
 * --insecure says otherwise. TLS 1.2 is the oldest version spoken.
 *
 * struct ssl_st is OpenSSL's SSL. A build without OpenSSL has tls_none.c for
 * this: then tls_is_built_in is false, and nothing else is called.
 */
#ifndef TRIPTYCH_TLS_H
#define TRIPTYCH_TLS_H

#include "options.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct ssl_st;
struct ssl_ctx_st;

/* An errno of our own use, beside the system's: the peer broke TLS, or has no
 * certificate that we trust. */
#define TLS_BROKEN EPROTO

/* ... and: it closed the connection without saying so first. Somebody else may
 * have cut it (RFC 8446, 6.1). */
#define TLS_CUT ENODATA

extern const bool tls_is_built_in;

/* What the sessions of a run share. Any thread may use it. */
struct tls {
    const struct options *options;
    pthread_mutex_t lock;
    struct ssl_ctx_st *context; /* NULL until the first session */
};

/* Prepares; reads --cacert, which must hold certificates. 0; or a negative
 * errno, perhaps with words that say it better in *cause. */
int tls_open(struct tls *tls, const struct options *options,
             const char **cause);

void tls_close(struct tls *tls);

/* Begins a session with the named host on the socket `fd` (-1: the caller will
 * give OpenSSL one). One thread at a time may use it. NULL when memory is
 * short. */
struct ssl_st *tls_begin(struct tls *tls, const char *host, int fd);

/* Tells the peer that this is the end, if that is possible at once. The socket
 * must still be open. */
void tls_shutdown(struct ssl_st *session);

/* Of these two, neither does anything for NULL. */
void tls_free(struct ssl_st *session);

/* Goes on with the handshake. 0 when it is complete; -EAGAIN; or a negative
 * errno. */
int tls_handshake(struct ssl_st *session, short *events);

/* Like read and write: a count; 0 when the peer has closed in good order; or a
 * negative errno. What tls_write was called with must be given to it again
 * after -EAGAIN. */
ssize_t tls_read(struct ssl_st *session, void *p, size_t n, short *events);
ssize_t tls_write(struct ssl_st *session, const void *p, size_t n,
                  short *events);

/* True if no byte has been read from the socket that nobody asked for. */
bool tls_is_quiet(const struct ssl_st *session);

/* What went wrong, in words that live for ever: of this session, if the error
 * is TLS_BROKEN or TLS_CUT; else the system's. `error` is positive. */
const char *tls_cause(const struct ssl_st *session, int error);

/* For whoever lets libevent make the calls: one has failed, and `reason` was
 * in OpenSSL's queue of errors; 0: none was, look at errno. Returns a negative
 * errno. */
int tls_note_failure(struct ssl_st *session, unsigned long reason);

#endif
