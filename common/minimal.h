/*
 * minimal: what the minimal programs share.
 *
 * threads/minimal.c, processes/minimal.c, evloop/minimal.c and
 * evloop/coroutines/minimal.c are a first reading of the models. Their command line, their list of URLs, their
 * messages and their exit status are made here, and their connections.
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

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

/* The most that -j takes. */
#define MINIMAL_JOBS 1000

/* So many bytes are read at once. */
#define MINIMAL_CHUNK 16384

struct minimal {
    const char *name;     /* of the program, for messages */
    void (*stop)(int);    /* see minimal_open */
    struct output output; /* standard output */
    atomic_int status;    /* the exit status so far */
    /* Waits as minimal_sleep does, in its place. NULL: each thread and process
     * sleeps for itself, and sockets block. */
    void (*await)(int fd, short events, int64_t deadline);

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

/* The same as minimal_read, in the shape of a callback of libevent; the last
 * argument is the struct minimal. */
void minimal_on_list(int fd, short what, void *m);

/* A new exchange for the job, already failed unless its URL is http or tcp. */
struct exchange *minimal_exchange(struct minimal *m, const struct job *job);

/* Looks the host up; sleeps as long as that takes. The addresses, to be freed
 * with freeaddrinfo; NULL when the exchange has failed. */
struct addrinfo *minimal_resolve(struct exchange *x);

/* Looks the host up and connects to one of its addresses; sleeps for both. A
 * blocking socket, whose sleeps end after the time limit with EAGAIN (with
 * m->await: one that does not block); or -1 when the exchange has failed. */
int minimal_connect(struct exchange *x, const struct minimal *m);

/* Closes the socket, unless it is -1. */
void minimal_disconnect(int fd);

/* Sends the request, and shuts the writing side if that is wanted; sleeps
 * while the socket is full. Nothing, if the exchange does not want to send. */
void minimal_send(struct exchange *x, int fd, const struct minimal *m);

/* Shuts the writing side of the connection if that is wanted. */
void minimal_shut(struct exchange *x, int fd);

/* The connecting or the connection has ended: with 0 as it should, else with
 * the (positive) errno. EAGAIN says that the time limit has passed without a
 * byte; EINTR says nothing: receive again. */
void minimal_ended(struct exchange *x, int error);

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

/* Returns `result`, or ends the program if that is -1, which is errno's; but
 * with EINTR, that is, stopped and continued, the program goes on. */
int minimal_check(struct minimal *m, const char *what, int result);

/* Returns `made`, or ends the program if that is NULL: memory is short. */
void *minimal_made(struct minimal *m, void *made);

/* Ends the program if `error`, which is positive, of a worker's making or
 * ending, is not 0. */
void minimal_ok(struct minimal *m, int error);

/*
 * Forks, with *pid noted before a signal is let in. In the parent it returns
 * the child's id. In the child it returns 0, and `body` has become its
 * standard output; it leaves SIGINT and SIGHUP to the parent, ends by itself
 * when the program cannot go on, and when the parent ends.
 */
pid_t minimal_fork(struct minimal *m, volatile pid_t *pid, int body);

/* The outcome of a request whose worker left none; `status` is waitpid's. */
void minimal_crashed(struct outcome *outcome, int status);

/* Sleeps until the descriptor polls as ready for `events`, or the deadline; a
 * signal may end it early. */
void minimal_sleep(int fd, short events, int64_t deadline);

/* The same, or m->await. */
void minimal_wait(const struct minimal *m, int fd, short events,
                  int64_t deadline);

#endif
