/*
 * run: what the requests of one run share.
 *
 * The first part belongs to the thread that called model_run. The functions
 * below lock what they touch: any thread of that process may call them. In
 * the processes model only the parent does.
 *
 * SIGINT, SIGTERM and SIGHUP end a run: the handler, here, notes the signal and
 * writes to `stop_fd`, which the model's main wait looks at, or notes within
 * 0.2 s; its step_stop then ends what is in flight, and tells the workers.
 *
 * Nothing here waits for the network, nor for the reader of standard error or
 * of the report: what is not taken at once is kept, and written later (see
 * spool.h). When too much is kept, no further request begins. run_close alone
 * waits for them.
 */
#ifndef TRIPTYCH_RUN_H
#define TRIPTYCH_RUN_H

#include "jobs.h"
#include "messages.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "report.h"
#include "sink.h"
#include "tls.h"
#include "trace.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct run {
    const struct options *options;
    struct jobs jobs;
    struct sink sink;
    struct tls tls; /* what https sessions share */
    struct trace trace;
    struct output output; /* standard output */
    struct messages messages;
    int input;   /* descriptor of --input; -1: none, or at its end */
    int stop_fd; /* polls as readable once the run is to stop */

    bool shows_progress;

    /* Behind `lock`, which is not held while reading or writing: */
    pthread_mutex_t lock;
    struct report report; /* but for its spool */
    struct progress progress;
    bool warned; /* of a shortage */

    atomic_uint_fast64_t in_flight; /* requests that hold a slot */

    /* Written by signal handlers as well, so not behind a lock: */
    int stop_write_fd;
    atomic_int signal;  /* the first one that came; 0: none */
    atomic_bool failed; /* the program itself could not go on */
};

/* Opens everything that the options name - the upload into the options, which
 * must outlive the run - and starts to listen to signals.
 * 0; or a negative errno with `message` saying what could not be opened. There
 * can be one run in a process. */
int run_open(struct run *run, struct options *options, char *message,
             size_t size);

/* Cancels the jobs that are left, closes everything, prints the summary.
 * Returns the exit status. */
int run_close(struct run *run);

/* True once a signal came or run_fail was called. */
bool run_stopping(struct run *run);

/* Reads what --input has, once, and feeds the jobs; at its end input becomes
 * -1. Call it when run->input polls as readable. 0, or -ENOMEM with nothing
 * read; any other failure is a run_fail. */
int run_read_input(struct run *run);

/*
 * Takes the next job, as jobs_next does: 1, 0 or -ENOMEM. -EBUSY: no further
 * request may begin, nor is --input to be read. Too many rows of the report
 * wait for the first in line, which must end before; or too much waits for a
 * reader that has stalled, and it must be asked again after a run_tick.
 */
int run_next(struct run *run, struct job **job);

/* Its two halves, for a caller that has the jobs behind a lock, which it must
 * not hold while it reads: after jobs_reserve of RUN_INPUT bytes, take reads
 * as many at most into `text`, and what it returns is for feed. */
#define RUN_INPUT ((size_t)16384)
ssize_t run_take_input(struct run *run, char *text);
int run_feed_input(struct run *run, const char *text, ssize_t n);

/* A slot is taken for the job. */
void run_started(struct run *run, struct job *job, int worker);

/* The slot is given back with nothing done; goes with jobs_give_back. */
void run_given_back(struct run *run, struct job *job);

/* Notes bytes that standard output or a file took, for the progress line. */
void run_count(struct run *run, size_t bytes);

/* The job has its outcome: prints a failure, counts, and gives it to the
 * report, which frees it. Returns whose turn on standard output it is now. */
uint64_t run_finish(struct run *run, struct job *job);

/* The id whose turn on standard output it is. */
uint64_t run_turn(struct run *run);

/* The one warning about a shortage of `what`; later ones are not printed. */
void run_warn_shortage(struct run *run, const char *what, size_t in_flight);

/* Prints "fetch-MODEL: warning: ...". */
void run_warn(struct run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The program itself cannot go on: prints why, once, and stops the run. */
void run_fail(struct run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Shows the progress line if it is time to, and writes what a stalled reader
 * has not taken; call it now and then. */
void run_tick(struct run *run);

/* True if run_tick has something to do. */
bool run_ticks(struct run *run);

/* How often, in milliseconds. */
#define RUN_TICK_MS 200

#endif
