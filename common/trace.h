/*
 * trace: a timeline of the run, for --trace, in the Chrome Trace Event format:
 * it opens in Perfetto (ui.perfetto.dev) and chrome://tracing.
 *
 * There is a lane for each worker - in the event loop, for each place in
 * flight - and lane 0 for what belongs to no request. On a lane stands one
 * step after the other (the ten that every model goes through), and within
 * them what is shorter: a chunk delivered, a limit that passed. Arrows lead
 * from lane to lane where a job or a body is handed over, and counters tell
 * how many requests are in flight and how many body bytes each lane holds.
 *
 * Every event is one write to a file opened for appending. So threads and
 * processes need no lock between them, and a worker that is killed takes only
 * the step that it was at with it. That costs some microseconds an event, for
 * which a worker or a loop waits: a traced run is not one to measure.
 *
 * Any thread may write to the trace; a lane belongs to one at a time. Without
 * --trace (a struct of zeroes) nothing is done and nothing is asked of the
 * clock.
 */
#ifndef TRIPTYCH_TRACE_H
#define TRIPTYCH_TRACE_H

#include "exchange.h"
#include "jobs.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The ten steps, in the order in which a request goes through them. */
enum step {
    STEP_NONE,
    STEP_START,
    STEP_TAKE,
    STEP_CONNECT,
    STEP_SEND,
    STEP_RECEIVE,
    STEP_DELIVER,
    STEP_FINISH,
    STEP_EXPIRE,
    STEP_RETRY,
    STEP_STOP
};

/* What is handed from lane to lane. */
enum parcel { PARCEL_JOB, PARCEL_BODY, PARCEL_RESULT };

#define LANE_OF_NONE UINT64_MAX

struct trace {
    bool on;
    int fd;           /* -1: none */
    pid_t pid;        /* stands in every event; the workers' as well */
    atomic_int error; /* the first that writing met; a negative errno */

    /* Behind `lock`: */
    pthread_mutex_t lock;
    unsigned char *used; /* which lanes trace_lend has given away ... */
    unsigned char *named;
    size_t limit; /* ... from 1 to this */
    int added;    /* lanes behind those */
};

struct lane {
    struct trace *trace; /* NULL: no tracing */
    int number;
    enum step at;
    int64_t since_us; /* when that step began */
    uint64_t id;      /* of the request; LANE_OF_NONE */
};

/* Creates FILE (NULL: no tracing). At most `jobs` lanes will be lent.
 * `program` is its name. 0 or a negative errno. */
int trace_open(struct trace *trace, const char *file, const char *program,
               size_t jobs);

/* Ends the file. 0, or the first error that there was. */
int trace_close(struct trace *trace);

/* Gives the lane a number and a name, e.g. "worker 3". */
void trace_name(struct trace *trace, struct lane *lane, int number,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A lane below those of the requests, for another thread. */
void trace_add(struct trace *trace, struct lane *lane, const char *name);

/* For request `id`, which has no worker: the first lane that is free, at
 * step take. */
void trace_lend(struct trace *trace, struct lane *lane, const char *name,
                uint64_t id);
void trace_return(struct lane *lane);

/* Ends the step that the lane is at, and begins another, unless it is the
 * same; STEP_NONE: none. */
void trace_step(struct lane *lane, enum step step);

/* The same with the step that the want is dealt with in. */
void trace_want(struct lane *lane, enum want want);

/* The same, and from now on the lane is about request `id`; which is handed to
 * it, or which it hands over. */
void trace_begin(struct lane *lane, enum step step, uint64_t id);
void trace_get(struct lane *lane, enum step step, enum parcel parcel,
               uint64_t id);
void trace_put(struct lane *lane, enum step step, enum parcel parcel,
               uint64_t id);

/* Step finish: it ends the step that the lane is at, if that is about this
 * request, and tells what came of it. Else it stands within that step. */
void trace_finish(struct lane *lane, const struct job *job);

/* The moment, for trace_within. 0 when nothing is traced. */
int64_t trace_now(const struct lane *lane);

/* A step within the one that the lane is at: from then to now. */
void trace_within(const struct lane *lane, enum step step, int64_t from_us);

/* The same, of no length, and about request `id` from now on. */
void trace_moment(struct lane *lane, enum step step, uint64_t id);

/* From now on the lane is about this request, until it goes to step take. */
void trace_about(struct lane *lane, uint64_t id);

/* An arrow's two ends, of request `id`; each must stand within a step. */
void trace_hand_over(const struct lane *lane, enum parcel parcel, uint64_t id);
void trace_take_over(const struct lane *lane, enum parcel parcel, uint64_t id);

/* Counters: body bytes in user space, on this lane; bytes in its pipe;
 * requests in flight: `*requests` is read when it is this one's turn to be
 * written, so that the last in the file is the last there was. */
void trace_buffered(const struct lane *lane, size_t bytes);
void trace_in_pipe(const struct lane *lane, size_t bytes);
void trace_in_flight(struct trace *trace,
                     const atomic_uint_fast64_t *requests);

#endif
