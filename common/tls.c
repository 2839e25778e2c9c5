/* tls: what https needs, over OpenSSL. See tls.h. */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <string.h>

const bool tls_is_built_in = true;

/* Offered by ALPN: a server of several protocols must not guess (RFC 7301). */
static const unsigned char protocols[] = "\x08http/1.1";

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

static int make_context_locked(struct tls *tls)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    int error = context == NULL ? -ENOMEM : configure(context, tls->options);
    if (error == 0)
        tls->context = context;
    else
        SSL_CTX_free(context);
    return error;
}

int tls_open(struct tls *tls, const struct options *options,
             const char **cause)
{
    *tls = (struct tls){.options = options};
    int error = -pthread_mutex_init(&tls->lock, NULL);
    /* Without --cacert there may be no https at all, and OpenSSL is large: it
     * is set up when the first session begins. */
    if (error != 0 || options->cacert == NULL)
        return error;
    ERR_clear_error();
    error = make_context_locked(tls);
    if (error != 0) {
        unsigned long reason = ERR_peek_error();
        if (ERR_SYSTEM_ERROR(reason))
            *cause = strerror(ERR_GET_REASON(reason));
        else if (error == -EINVAL)
            *cause = "it holds no certificates";
        (void)pthread_mutex_destroy(&tls->lock);
    }
    ERR_clear_error();
    return error;
}

void tls_close(struct tls *tls)
{
    SSL_CTX_free(tls->context);
    tls->context = NULL;
    (void)pthread_mutex_destroy(&tls->lock);
}

/* --- Sessions ----------------------------------------------------------- */

/* Whom the certificate must name. An address is no name (RFC 6066, 3: it is
 * not sent; RFC 9110, 4.3.4: it is looked for among the addresses). */
static bool expect_host(SSL *session, const char *host)
{
    X509_VERIFY_PARAM *expected = SSL_get0_param(session);
    X509_VERIFY_PARAM_set_hostflags(expected,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
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

struct ssl_st *tls_begin(struct tls *tls, const char *host, int fd)
{
    SSL *session = NULL;
    pthread_mutex_lock(&tls->lock);
    if (tls->context != NULL || make_context_locked(tls) == 0)
        session = SSL_new(tls->context);
    pthread_mutex_unlock(&tls->lock);
    if (session != NULL && (!expect_host(session, host) ||
                            (fd != -1 && SSL_set_fd(session, fd) != 1))) {
        SSL_free(session);
        session = NULL;
    }
    if (session != NULL)
        SSL_set_connect_state(session);
    ERR_clear_error(); /* the queue is the thread's: for the next who looks */
    return session;
}

/* RFC 8446, 6.1: whoever closes says so. Once, and not waiting for the peer to
 * do it, too. */
void tls_shutdown(struct ssl_st *session)
{
    /* Without one, OpenSSL is not to be touched: it would set itself up. */
    if (session == NULL)
        return;
    if (SSL_is_init_finished(session))
        (void)SSL_shutdown(session);
    ERR_clear_error();
}

void tls_free(struct ssl_st *session)
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

int tls_handshake(struct ssl_st *session, short *events)
{
    errno = 0;
    int result = SSL_do_handshake(session);
    if (result == 1)
        return 0;
    int error = failure(session, result, events);
    return error != 0 ? error : -TLS_CUT;
}

ssize_t tls_read(struct ssl_st *session, void *p, size_t n, short *events)
{
    size_t got = 0;
    errno = 0;
    int result = SSL_read_ex(session, p, n, &got);
    return result == 1 ? (ssize_t)got : failure(session, result, events);
}

ssize_t tls_write(struct ssl_st *session, const void *p, size_t n,
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

bool tls_is_quiet(const struct ssl_st *session)
{
    return session == NULL || SSL_has_pending(session) == 0;
}

const char *tls_cause(const struct ssl_st *session, int error)
{
    if (error == TLS_CUT)
        return "the server closed without close_notify";
    if (error != TLS_BROKEN || session == NULL)
        return strerror(error);
    long verified = SSL_get_verify_result(session);
    if (verified != X509_V_OK)
        return X509_verify_cert_error_string(verified);
    const char *words = SSL_get_app_data(session);
    return words != NULL ? words : "TLS is broken";
}
