/* tls: what takes its place in a build without OpenSSL. See tls.h. Nobody
 * begins a session when tls_is_built_in is false. */
#include "tls.h"

#include <errno.h>
#include <string.h>

const bool tls_is_built_in = false;

int tls_open(struct tls *tls, const struct options *options,
             const char **cause)
{
    *tls = (struct tls){.options = options};
    (void)cause;
    return 0;
}

void tls_close(struct tls *tls)
{
    (void)tls;
}

struct ssl_st *tls_begin(struct tls *tls, const char *host, int fd)
{
    (void)tls;
    (void)host;
    (void)fd;
    return NULL;
}

void tls_shutdown(struct ssl_st *session)
{
    (void)session;
}

void tls_free(struct ssl_st *session)
{
    (void)session;
}

int tls_handshake(struct ssl_st *session, short *events)
{
    (void)session;
    (void)events;
    return -ENOSYS;
}

ssize_t tls_read(struct ssl_st *session, void *p, size_t n, short *events)
{
    (void)session;
    (void)p;
    (void)n;
    (void)events;
    return -ENOSYS;
}

ssize_t tls_write(struct ssl_st *session, const void *p, size_t n,
                  short *events)
{
    (void)session;
    (void)p;
    (void)n;
    (void)events;
    return -ENOSYS;
}

bool tls_is_quiet(const struct ssl_st *session)
{
    (void)session;
    return true;
}

const char *tls_cause(const struct ssl_st *session, int error)
{
    (void)session;
    return strerror(error);
}
