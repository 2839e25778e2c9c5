/*
 * minimal: what the minimal programs share because it is no matter of waiting.
 *
 * threads/minimal.c, processes/minimal.c and evloop/minimal.c are a first
 * reading of the three models. Their command line, their list of URLs, their
 * messages and their exit status are made here.
 *
 * What fails for lack of memory, descriptors and the like ends the program, by
 * way of minimal_fail: so nothing here returns an error.
 */
#ifndef TRIPTYCH_MINIMAL_H
#define TRIPTYCH_MINIMAL_H

#include "clock.h"
#include "exchange.h"
#include "jobs.h"
#include "options.h"
#include "output.h"

#include <stdatomic.h>
#include <sys/types.h>
#include <unistd.h>

/* The most that -j takes. */
#define MINIMAL_JOBS 100000

struct minimal {
    const char *name;     /* of the program, for messages */
    void (*stop)(int);    /* see minimal_open */
    struct output output; /* standard output */
    atomic_int status;    /* the exit status so far */

    /* Of the thread that called minimal_open: */
    struct options options;
    struct jobs jobs;
    int input; /* the list's descriptor; -1: none, or at its end */
};

/*
 * Reads the command line, opens the list and listens to signals; usage errors
 * end the program. To end it later, `stop` is called with the exit status: by
 * SIGINT, SIGTERM or SIGHUP with 128 and its number, in the signal's handler;
 * by minimal_fail with 3. It must not return, and may do only what a signal
 * handler may do. A signal that was ignored (nohup) stays so. Writing to what
 * is closed fails from now on, and no longer ends the program.
 */
void minimal_open(struct minimal *m, const char *name, int argc, char **argv,
                  void (*stop)(int));

/* Frees everything; returns the exit status. */
int minimal_close(struct minimal *m);

/* The next request, which minimal_finish frees. NULL: there is none, for now
 * (then m->input is not -1, and minimal_read gets more) or for good. */
struct job *minimal_take(struct minimal *m);

/* The same, but sleeps until there is one. NULL: there is none for good. */
struct job *minimal_next(struct minimal *m);

/* Reads some of the list; sleeps until there is some. Call it only while
 * m->input is not -1. */
void minimal_read(struct minimal *m);

/* A new exchange for the job, already failed unless its URL is http or tcp. */
struct exchange *minimal_exchange(struct minimal *m, const struct job *job);

/* The connection, or the connecting, failed with the (positive) errno. */
void minimal_broken(struct exchange *x, int error);

/* Writes as much as standard output takes now: returns how many bytes, 0 when
 * it is full; m->output.fd polls as writable when it is not. */
size_t minimal_write(struct minimal *m, const char *p, size_t n);

/* Writes it all; sleeps while standard output is full. */
void minimal_write_all(struct minimal *m, const char *p, size_t n);

/* The same as `deliver` of exchange_feed, the context being a struct minimal.
 * With -n it does nothing. */
int minimal_deliver(void *m, const char *p, size_t n);

/* Prints how the request failed, if it did; frees the job. Any thread. */
void minimal_finish(struct minimal *m, struct job *job,
                    const struct outcome *outcome);

/* The program cannot go on, for `what` failed with the (positive) errno:
 * prints that and ends the program. Any thread. */
_Noreturn void minimal_fail(struct minimal *m, const char *what, int error);

/* Returns `result`, or ends the program if that is -1, which is errno's. */
int minimal_check(struct minimal *m, const char *what, int result);

/* Returns `made`, or ends the program if that is NULL: memory is short. */
void *minimal_made(struct minimal *m, void *made);

/* Shuts the writing side of the connection if that is wanted. */
void minimal_shut(struct exchange *x, int fd);

/* Sleeps until the descriptor polls as ready for `events`, or the deadline; a
 * signal may end it early. */
void minimal_sleep(int fd, short events, int64_t deadline);

#endif
