/*
 * tls: what https needs, over OpenSSL, which is loaded when the first session
 * begins (tls_module.h).
 *
 * A session stands on a connected socket, which stays the caller's. The three
 * functions that do I/O never wait: they say -EAGAIN, and in *events what to
 * poll the socket for before calling again. (That can be POLLOUT for reading:
 * TLS has messages of its own.)
 *
 * The peer's certificate and the host's name in it are verified, unless
 * --insecure says otherwise. TLS 1.2 is the oldest version spoken.
 *
 * The first session reads files - OpenSSL, the certificates of the system -,
 * which takes some milliseconds, in the event loop as well. It does so under
 * the lock of struct tls, where only those wait who cannot go on without.
 *
 * struct ssl_st is OpenSSL's SSL.
 */
#ifndef TRIPTYCH_TLS_H
#define TRIPTYCH_TLS_H

#include "module.h"
#include "options.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct bufferevent;
struct event_base;
struct ssl_st;
struct ssl_ctx_st;

/* An errno of our own use, beside the system's: the peer broke TLS, or has no
 * certificate that we trust. */
#define TLS_BROKEN EPROTO

/* ... and: it closed the connection without saying so first. A third party may
 * have cut it (RFC 8446, 6.1). */
#define TLS_CUT ENODATA

/* ... and: OpenSSL cannot be loaded. */
#define TLS_NOT_THERE MODULE_NOT_THERE

/* What the sessions of a run share. Any thread may use it. */
struct tls {
    const struct options *options;
    pthread_mutex_t lock;
    struct ssl_ctx_st *context; /* NULL until the first session */
};

/* Prepares; reads --cacert, which must hold certificates: this loads OpenSSL.
 * 0; or a negative errno, perhaps with words that say it better in *cause. */
int tls_open(struct tls *tls, const struct options *options,
             const char **cause);

void tls_close(struct tls *tls);

/* Loads OpenSSL now, for a caller that is going to fork. If it cannot be
 * loaded, tls_begin tells. */
void tls_load(struct tls *tls);

/* Begins a session with the named host on the socket `fd`, which stays the
 * caller's, in *session. One thread at a time may use it. 0 or a negative
 * errno: memory, or what else it takes to load OpenSSL, is short; or
 * TLS_NOT_THERE. */
int tls_begin(struct tls *tls, const char *host, int fd,
              struct ssl_st **session);

/* Tells the peer that this is the end, if that is possible at once. The socket
 * must still be open. Neither this nor tls_free does anything for NULL. */
void tls_shutdown(struct ssl_st *session);

void tls_free(struct ssl_st *session);

/* Goes on with the handshake. 0 when it is complete; -EAGAIN; or a negative
 * errno. A peer that sends without end keeps neither this nor tls_read: then,
 * too, they return -EAGAIN now and then. */
int tls_handshake(struct ssl_st *session, short *events);

/* Like read and write: a count; 0 when the peer has closed in good order; or a
 * negative errno. What tls_write was called with must be given to it again
 * after -EAGAIN. */
ssize_t tls_read(struct ssl_st *session, void *p, size_t n, short *events);
ssize_t tls_write(struct ssl_st *session, const void *p, size_t n,
                  short *events);

/* True if the session has read no byte beyond the last answer. */
bool tls_is_quiet(const struct ssl_st *session);

/* What went wrong, in words that live for ever: of this session, if the error
 * is TLS_BROKEN or TLS_CUT; of the loading, if it is TLS_NOT_THERE; else the
 * system's. `error` is positive. */
const char *tls_cause(const struct ssl_st *session, int error);

/* For a caller that lets libevent make the calls: a bufferevent over the
 * connected socket `fd`, the session's, which begins with the handshake. NULL when memory is
 * short. */
struct bufferevent *tls_bufferevent(struct ssl_st *session,
                                    struct event_base *base, int fd);

/* ... and what has failed there, as a negative errno. To be asked first thing
 * in a callback: errno is of the call that failed. */
int tls_bufferevent_failure(struct ssl_st *session, struct bufferevent *bev);

#endif
