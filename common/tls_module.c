/* tls: what https needs, over OpenSSL: the module, but for what libevent has
 * to do with it. See tls.h and tls_module.h. */
#include "tls.h"

#include "tls_module.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Offered by ALPN: a server of several protocols must not guess (RFC 7301). */
static const unsigned char protocols[] = "\x08http/1.1";

/* So many messages that are no content are read past at once. */
#define RECORDS_SHARE 16

/* More than that is not read at once for a message that there is none of. */
#define WIRE_SHARE ((size_t)256 * 1024)

static BIO_METHOD *wire_method; /* the sessions' sockets are of it */

/* --- The socket, as OpenSSL sees it -------------------------------------- */

/* OpenSSL reads until it has a message that matters; in a handshake it passes
 * over any number of others (HelloRequest). A server that sends them without
 * end would keep it for ever, deaf to limits and signals. So now and then this
 * says that nothing is there, and the caller, who waits, finds that there is:
 * but in between it may look around. */
struct wire {
    int fd;
    size_t taken; /* since nothing was there, or the call began */
    bool ended;
};

static int wire_read(BIO *bio, char *p, int n)
{
    struct wire *wire = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (wire->taken >= WIRE_SHARE) {
        wire->taken = 0;
        errno = EAGAIN;
        BIO_set_retry_read(bio);
        return -1;
    }
    ssize_t got = recv(wire->fd, p, (size_t)n, 0);
    if (got > 0)
        wire->taken += (size_t)got;
    else if (got == 0)
        wire->ended = true;
    else if (BIO_sock_should_retry(-1))
        BIO_set_retry_read(bio);
    return (int)got;
}

static int wire_write(BIO *bio, const char *p, int n)
{
    const struct wire *wire = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t sent = send(wire->fd, p, (size_t)n, MSG_NOSIGNAL);
    if (sent == -1 && BIO_sock_should_retry(-1))
        BIO_set_retry_write(bio);
    return (int)sent;
}

static long wire_control(BIO *bio, int command, long number, void *p)
{
    const struct wire *wire = BIO_get_data(bio);
    (void)number;
    switch (command) {
    case BIO_C_GET_FD: /* libevent asks */
        if (p != NULL)
            memcpy(p, &wire->fd, sizeof wire->fd);
        return wire->fd;
    case BIO_CTRL_EOF:
        return wire->ended;
    case BIO_CTRL_FLUSH: /* nothing is kept here */
        return 1;
    default:
        return 0;
    }
}

static int wire_free(BIO *bio)
{
    free(BIO_get_data(bio)); /* the socket is the caller's */
    return 1;
}

static BIO_METHOD *new_wire_method(void)
{
    BIO_METHOD *method =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
    if (method != NULL && (BIO_meth_set_read(method, wire_read) != 1 ||
                           BIO_meth_set_write(method, wire_write) != 1 ||
                           BIO_meth_set_ctrl(method, wire_control) != 1 ||
                           BIO_meth_set_destroy(method, wire_free) != 1)) {
        BIO_meth_free(method);
        method = NULL;
    }
    return method;
}

/* Gives the session the socket. False: memory is short. */
static bool attach(SSL *session, int fd)
{
    struct wire *wire = calloc(1, sizeof *wire);
    BIO *bio = wire != NULL ? BIO_new(wire_method) : NULL;
    if (bio == NULL) {
        free(wire);
        return false;
    }
    wire->fd = fd;
    BIO_set_data(bio, wire);
    BIO_set_init(bio, 1);
    SSL_set_bio(session, bio, bio);
    return true;
}

/* A call begins. (libevent makes calls of its own, which are not told.) */
static void begin_call(const SSL *session)
{
    struct wire *wire = BIO_get_data(SSL_get_rbio(session));
    wire->taken = 0;
}

/* --- What the sessions share -------------------------------------------- */

static int configure(SSL_CTX *context, const struct options *options)
{
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_alpn_protos(context, protocols, sizeof protocols - 1) != 0)
        return -ENOMEM;
    /* A write may take a part, and be repeated from another buffer; buffers
     * that are empty are given back: idle connections hold none. */
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    /* A server may send messages without end that are no content (tickets for
     * later sessions); a read is not to go on by itself until there is some. */
    SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
    /* No longer part of TLS 1.3, and without it a write never has to read. */
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_verify(
        context, options->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (options->cacert != NULL)
        return SSL_CTX_load_verify_file(context, options->cacert) == 1
                   ? 0
                   : -EINVAL;
    return SSL_CTX_set_default_verify_paths(context) == 1 ? 0 : -ENOMEM;
}

static int context_new(const struct options *options,
                       struct ssl_ctx_st **context, const char **cause)
{
    ERR_clear_error();
    if (wire_method == NULL)
        wire_method = new_wire_method();
    *context = wire_method != NULL ? SSL_CTX_new(TLS_client_method()) : NULL;
    int error = *context == NULL ? -ENOMEM : configure(*context, options);
    if (error != 0) {
        unsigned long reason = ERR_peek_error();
        if (ERR_SYSTEM_ERROR(reason))
            *cause = strerror(ERR_GET_REASON(reason));
        else if (error == -EINVAL)
            *cause = "it holds no certificates";
        SSL_CTX_free(*context);
        *context = NULL;
    }
    ERR_clear_error();
    return error;
}

static void context_free(struct ssl_ctx_st *context)
{
    SSL_CTX_free(context);
    BIO_meth_free(wire_method);
    wire_method = NULL;
}

/* --- Sessions ----------------------------------------------------------- */

/* Whom the certificate must name. An address is no name (RFC 6066, 3: it is
 * not sent; RFC 9110, 4.3.4: it is looked for among the addresses). */
static bool expect_host(SSL *session, const char *host)
{
    X509_VERIFY_PARAM *expected = SSL_get0_param(session);
    /* The subject's common name is no name of a host, not even where the
     * certificate has no other (RFC 9110, 4.3.4). */
    X509_VERIFY_PARAM_set_hostflags(expected,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (X509_VERIFY_PARAM_set1_ip_asc(expected, host) == 1)
        return true;
    size_t length = strlen(host);
    char name[256];
    if (length > 0 && host[length - 1] == '.') /* fully qualified, says DNS */
        length--;
    if (length >= sizeof name)
        return false;
    memcpy(name, host, length);
    name[length] = '\0';
    return SSL_set1_host(session, name) == 1 &&
           SSL_set_tlsext_host_name(session, name) == 1;
}

static struct ssl_st *begin_session(struct ssl_ctx_st *context,
                                    const char *host, int fd)
{
    SSL *session = SSL_new(context);
    if (session != NULL &&
        (!expect_host(session, host) || !attach(session, fd))) {
        SSL_free(session);
        session = NULL;
    }
    if (session != NULL)
        SSL_set_connect_state(session);
    ERR_clear_error(); /* the queue is the thread's: for the next who looks */
    return session;
}

/* RFC 8446, 6.1: the side that closes says so. Once, and without waiting for
 * the peer to do it, too. */
static void shut_session(struct ssl_st *session)
{
    if (SSL_is_init_finished(session))
        (void)SSL_shutdown(session);
    ERR_clear_error();
}

static void free_session(struct ssl_st *session)
{
    SSL_free(session);
}

int tls_note_failure(struct ssl_st *session, unsigned long reason)
{
    if (reason == 0)
        return errno != 0 && errno != EAGAIN ? -errno : -TLS_CUT;
    if (ERR_SYSTEM_ERROR(reason))
        return -ERR_GET_REASON(reason);
    if (ERR_GET_LIB(reason) == ERR_LIB_SSL &&
        ERR_GET_REASON(reason) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return -TLS_CUT;
    if (ERR_GET_REASON(reason) == ERR_R_MALLOC_FAILURE)
        return -ENOMEM;
    const char *words = ERR_reason_error_string(reason);
    (void)SSL_set_app_data(session, (void *)words);
    return -TLS_BROKEN;
}

/* What a call that returned `result`, which is no success, means. */
static int failure(SSL *session, int result, short *events)
{
    int error;
    switch (SSL_get_error(session, result)) {
    case SSL_ERROR_WANT_READ:
        *events = POLLIN;
        return -EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        *events = POLLOUT;
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        error = tls_note_failure(session, ERR_peek_error());
        ERR_clear_error();
        return error;
    }
}

static int handshake(struct ssl_st *session, short *events)
{
    errno = 0;
    begin_call(session);
    int result = SSL_do_handshake(session);
    if (result == 1)
        return 0;
    int error = failure(session, result, events);
    return error != 0 ? error : -TLS_CUT;
}

static ssize_t read_session(struct ssl_st *session, void *p, size_t n,
                            short *events)
{
    begin_call(session);
    for (int left = RECORDS_SHARE;; left--) {
        size_t got = 0;
        errno = 0;
        int result = SSL_read_ex(session, p, n, &got);
        if (result == 1)
            return (ssize_t)got;
        /* Without an errno it was no content; what follows may be, and may
         * have to be read now, for a limit has passed since it came. */
        bool was_other = errno == 0;
        int error = failure(session, result, events);
        if (error != -EAGAIN || !was_other || left == 1)
            return error;
    }
}

static ssize_t write_session(struct ssl_st *session, const void *p, size_t n,
                             short *events)
{
    size_t taken = 0;
    errno = 0;
    int result = SSL_write_ex(session, p, n, &taken);
    if (result == 1)
        return (ssize_t)taken;
    int error = failure(session, result, events);
    return error != 0 ? error : -EPIPE;
}

static bool is_quiet(const struct ssl_st *session)
{
    return SSL_has_pending(session) == 0;
}

static const char *cause_of(const struct ssl_st *session)
{
    long verified = SSL_get_verify_result(session);
    if (verified != X509_V_OK)
        return X509_verify_cert_error_string(verified);
    const char *words = SSL_get_app_data(session);
    return words != NULL ? words : "TLS is broken";
}

const struct tls_module triptych_tls_module = {
    .version = TRIPTYCH_VERSION,
    .context_new = context_new,
    .context_free = context_free,
    .begin = begin_session,
    .shutdown = shut_session,
    .free = free_session,
    .handshake = handshake,
    .read = read_session,
    .write = write_session,
    .is_quiet = is_quiet,
    .cause = cause_of,
    .bufferevent = secure_bufferevent,
    .bufferevent_failure = secure_bufferevent_failure,
};
