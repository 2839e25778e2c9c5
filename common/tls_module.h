/*
 * tls_module: the part of tls that is made of OpenSSL: triptych-tls.so, which
 * tls_load.c loads when the first session begins.
 *
 * Most runs have no https, and a program that is linked with OpenSSL takes
 * three times the memory and starts later (tests/bench/MEASURED.md). And a
 * program that is built or installed without OpenSSL is the same program.
 *
 * The module exports one table of functions. What they do, tls.h says of those
 * of the same names.
 */
#ifndef TRIPTYCH_TLS_MODULE_H
#define TRIPTYCH_TLS_MODULE_H

#include "options.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct bufferevent;
struct event_base;
struct ssl_st;
struct ssl_ctx_st;

struct tls_module {
    /* TRIPTYCH_VERSION: a program that runs while it is replaced by another
     * version meets the other's module. */
    const char *version;

    /* What sessions share, by the options --cacert and --insecure. */
    int (*context_new)(const struct options *options,
                       struct ssl_ctx_st **context, const char **cause);
    void (*context_free)(struct ssl_ctx_st *context);

    /* NULL when memory is short. */
    struct ssl_st *(*begin)(struct ssl_ctx_st *context, const char *host,
                            int fd);
    void (*shutdown)(struct ssl_st *session);
    void (*free)(struct ssl_st *session);
    int (*handshake)(struct ssl_st *session, short *events);
    ssize_t (*read)(struct ssl_st *session, void *p, size_t n, short *events);
    ssize_t (*write)(struct ssl_st *session, const void *p, size_t n,
                     short *events);
    bool (*is_quiet)(const struct ssl_st *session);
    const char *(*cause)(const struct ssl_st *session); /* of TLS_BROKEN */

    struct bufferevent *(*bufferevent)(struct ssl_st *session,
                                       struct event_base *base, int fd);
    int (*bufferevent_failure)(struct ssl_st *session,
                               struct bufferevent *bev);
};

/* --- Inside the module -------------------------------------------------- */

/* All that it exports. */
extern const struct tls_module triptych_tls_module
    __attribute__((visibility("default")));

/* A call has failed, and `reason` was in OpenSSL's queue of errors; 0: none
 * was, look at errno. Returns a negative errno. */
int tls_note_failure(struct ssl_st *session, unsigned long reason);

/* In evloop/kinds/secure_module.c: only the event loop has libevent's headers. */
struct bufferevent *secure_bufferevent(struct ssl_st *session,
                                       struct event_base *base, int fd);
int secure_bufferevent_failure(struct ssl_st *session,
                               struct bufferevent *bev);

#endif
