/*
 * database: a query to a PostgreSQL server, over libpq, which is loaded when
 * the first connection begins (database_module.h).
 *
 * libpq makes its own socket and speaks its own protocol on it. It fits all
 * four models all the same, because none of its calls that are made here
 * waits: each says what to poll the socket for before it is called again. So a
 * thread or a process polls, a coroutine awaits, and the loop watches the
 * descriptor; the code is one. That is what to look for in a library that owns
 * its socket: not whether it is asynchronous, but whether it can say what it
 * waits for. One that cannot needs a thread of its own.
 *
 *     call               until                 then
 *     database_begin     it returns            database_connect
 *     database_connect   it says no -EAGAIN    database_ask
 *     database_ask       it returns            database_read
 *     database_read      it says no -EAGAIN    again, until it says 0
 *     database_end       at any time
 *
 * What is no wait but work stays where it is called. A password that is proven
 * by SCRAM takes some milliseconds of a processor, for 4,096 rounds of
 * SHA-256: the loop and the coroutines, which have one thread, prove one after
 * the other (tests/bench/MEASURED.md). The server says how many rounds it
 * wants: one that wants more than 100,000 is not served, for libpq hears
 * nothing meanwhile.
 *
 * The rows come one at a time, as text by the rules of COPY: a tab between
 * columns, a newline after each row, \N for NULL, and a backslash before what
 * could be taken for those. Back-pressure is not calling database_read: libpq
 * then reads no more, the kernel's buffers fill, and the server waits. (libpq
 * itself holds the row at hand, whole, and up to 32 KiB that follow; and what
 * the server says of its settings, which has no bound but --timeout.)
 *
 * A query that is left before its end is cancelled on the server, too. In
 * libpq 15 that waits: it connects, and then waits for the server to hang up.
 * So helper threads do it, in the background: no more than DATABASE_THREADS of
 * them, and no longer than the program, which gives them a moment at its end
 * (database_settle).
 *
 * When a send fails for want of the kernel's memory, libpq keeps that to itself
 * and awaits an answer, which never comes: the limit ends it.
 *
 * What the URL does not say, libpq takes from where psql would: PGUSER,
 * PGPASSWORD, ~/.pgpass, PGSSLMODE and so on. How the names of hosts are
 * looked up is the model's: only addresses come here.
 *
 * One thread at a time may use a struct database.
 */
#ifndef TRIPTYCH_DATABASE_H
#define TRIPTYCH_DATABASE_H

#include "module.h"
#include "url.h"

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define DATABASE_THREADS 16

/* Errnos of our own use, beside the system's. The server has refused user,
 * password or query; */
#define DATABASE_REFUSED EREMOTEIO

/* ... it does not speak PostgreSQL's protocol; */
#define DATABASE_BROKEN EBADMSG

/* ... TLS with it, which PGSSLMODE asks for, has failed (as TLS_BROKEN); */
#define DATABASE_TLS EPROTO

/* ... the query is one that cannot be asked here: COPY; */
#define DATABASE_COPY EOPNOTSUPP

/* ... it has closed the connection before the end of the result (as TLS_CUT,
 * for the same is to be done). */
#define DATABASE_CUT ENODATA

struct database;

/* Loads libpq now, for a caller that is going to fork. If it cannot be loaded,
 * database_begin tells. */
void database_load(void);

/* Begins to connect to one address of the host of a postgresql URL. 0 or a
 * negative errno, with NULL in *db: memory, or what else it takes to load
 * libpq, is short; or MODULE_NOT_THERE. It may read files (the module,
 * ~/.pgpass), and waits for nothing else. */
int database_begin(const struct url *url, const struct addrinfo *address,
                   struct database **db);

/* The socket. It may be another one after each call of database_connect. */
int database_fd(const struct database *db);

/* Goes on with connecting and logging in. 0; -EAGAIN, and in *events what to
 * poll for; or a negative errno. */
int database_connect(struct database *db, short *events);

/* Sends the query of `n` bytes. Failures come out of database_read. */
void database_ask(struct database *db, const char *query, size_t n);

/* Like read: up to `n` bytes of the rows, of which there must be room for two
 * at least; 0 when the result is complete; -EAGAIN, and in *events what to
 * poll for; or a negative errno. */
ssize_t database_read(struct database *db, char *p, size_t n, short *events);

/* True if what has failed is told by the server's own words, which live as
 * long as `db` does: no other address of it is worth a try. False for NULL.
 * `error` is positive. */
bool database_has_spoken(const struct database *db, int error);

/* What went wrong, in words; but for those, they live for ever. */
const char *database_cause(const struct database *db, int error);

/* Closes the connection and cancels what is left of the query. Nothing for
 * NULL. */
void database_end(struct database *db);

/* Waits until what was to be cancelled is, but no longer than a moment. For
 * the end of the program. */
void database_settle(void);

#endif
