/* tls_load: tls, by way of a module that is loaded when it is needed. See
 * tls.h and tls_module.h. */
#include "tls.h"

#include "module.h"
#include "tls_module.h"

#include <errno.h>
#include <string.h>

/* Written once, behind the lock of struct tls, before there is a session or an
 * error to be told. */
static struct module loaded = {MODULE_TLS, "triptych_tls_module", NULL, ""};

/* Its functions, once it is loaded. */
static const struct tls_module *module(void)
{
    return loaded.table;
}

void tls_load(struct tls *tls)
{
    pthread_mutex_lock(&tls->lock);
    (void)module_load_locked(&loaded);
    pthread_mutex_unlock(&tls->lock);
}

static int make_context_locked(struct tls *tls, const char **cause)
{
    if (tls->context != NULL)
        return 0;
    int error = module_load_locked(&loaded);
    if (error == 0)
        return module()->context_new(tls->options, &tls->context, cause);
    if (error == -TLS_NOT_THERE)
        *cause = loaded.fault;
    return error;
}

/* --- What the sessions share -------------------------------------------- */

int tls_open(struct tls *tls, const struct options *options,
             const char **cause)
{
    *tls = (struct tls){.options = options};
    int error = -pthread_mutex_init(&tls->lock, NULL);
    if (error != 0 || options->cacert == NULL)
        return error;
    error = make_context_locked(tls, cause);
    if (error != 0)
        (void)pthread_mutex_destroy(&tls->lock);
    return error;
}

void tls_close(struct tls *tls)
{
    if (tls->context != NULL)
        module()->context_free(tls->context);
    tls->context = NULL;
    (void)pthread_mutex_destroy(&tls->lock);
}

/* --- Sessions ----------------------------------------------------------- */

int tls_begin(struct tls *tls, const char *host, int fd,
              struct ssl_st **session)
{
    const char *cause; /* tls_cause tells it as well */
    *session = NULL;
    pthread_mutex_lock(&tls->lock);
    int error = make_context_locked(tls, &cause);
    pthread_mutex_unlock(&tls->lock);
    if (error != 0)
        return error;
    *session = module()->begin(tls->context, host, fd);
    return *session != NULL ? 0 : -ENOMEM;
}

void tls_shutdown(struct ssl_st *session)
{
    if (session != NULL)
        module()->shutdown(session);
}

void tls_free(struct ssl_st *session)
{
    if (session != NULL)
        module()->free(session);
}

int tls_handshake(struct ssl_st *session, short *events)
{
    return module()->handshake(session, events);
}

ssize_t tls_read(struct ssl_st *session, void *p, size_t n, short *events)
{
    return module()->read(session, p, n, events);
}

ssize_t tls_write(struct ssl_st *session, const void *p, size_t n,
                  short *events)
{
    return module()->write(session, p, n, events);
}

bool tls_is_quiet(const struct ssl_st *session)
{
    return session == NULL || module()->is_quiet(session);
}

const char *tls_cause(const struct ssl_st *session, int error)
{
    if (error == TLS_CUT)
        return "the server closed without close_notify";
    if (error == TLS_NOT_THERE && loaded.fault[0] != '\0')
        return loaded.fault;
    if (error == TLS_BROKEN && session != NULL)
        return module()->cause(session);
    return strerror(error);
}

struct bufferevent *tls_bufferevent(struct ssl_st *session,
                                    struct event_base *base, int fd)
{
    return module()->bufferevent(session, base, fd);
}

int tls_bufferevent_failure(struct ssl_st *session, struct bufferevent *bev)
{
    return module()->bufferevent_failure(session, bev);
}
