/*
 * database_module: the part of database that is made of libpq:
 * triptych-database.so, which database_load.c loads when the first connection
 * begins.
 *
 * libpq brings OpenSSL, Kerberos, LDAP and GnuTLS with it: more than twenty
 * libraries, with their memory and their time (tests/bench/MEASURED.md). Most
 * runs ask no database.
 *
 * The module exports one table of functions. What they do, database.h says of
 * those of the same names.
 */
#ifndef TRIPTYCH_DATABASE_MODULE_H
#define TRIPTYCH_DATABASE_MODULE_H

#include "database.h"

struct database_module {
    const char *version; /* TRIPTYCH_VERSION */

    int (*begin)(const struct url *url, const struct addrinfo *address,
                 struct database **db);
    int (*fd)(const struct database *db);
    int (*connect)(struct database *db, short *events);
    void (*ask)(struct database *db, const char *query, size_t n);
    ssize_t (*read)(struct database *db, char *p, size_t n, short *events);
    const char *(*cause)(const struct database *db, int error);
    void (*end)(struct database *db);
    void (*settle)(void);
};

/* --- Inside the module -------------------------------------------------- */

/* All that it exports. */
extern const struct database_module triptych_database_module
    __attribute__((visibility("default")));

struct pg_cancel; /* libpq's PGcancel */

/* Cancels what it stands for, in a helper thread, and frees it. NULL, and
 * what there is no memory or thread for, is left to the server. */
void database_cancel(struct pg_cancel *cancel);

/* database_settle */
void database_cancels_settle(void);

#endif
