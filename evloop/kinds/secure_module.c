/* secure_module: what libevent has to do with TLS: in the module, for it takes
 * a library that is linked with OpenSSL. See tls.h and tls_module.h. */
#include "tls_module.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/util.h>
#include <openssl/err.h>

struct bufferevent *secure_bufferevent(struct ssl_st *session,
                                       struct event_base *base, int fd)
{
    return bufferevent_openssl_socket_new(base, fd, session,
                                          BUFFEREVENT_SSL_CONNECTING, 0);
}

int secure_bufferevent_failure(struct ssl_st *session, struct bufferevent *bev)
{
    int error = EVUTIL_SOCKET_ERROR();
    unsigned long reason = 0;
    unsigned long next;
    /* The newest comes first, and the oldest is the cause; libevent's own
     * notes between them, which no library's are, say nothing. */
    while ((next = bufferevent_get_openssl_error(bev)) != 0) {
        if (ERR_GET_LIB(next) != 0)
            reason = next;
    }
    errno = error;
    return tls_note_failure(session, reason);
}
