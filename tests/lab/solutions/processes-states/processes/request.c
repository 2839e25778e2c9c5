/* Style: what to do about a death is one decision, made in one place. */
/* request: one request, as the parent sees it. See request.h. */
#include "request.h"

#include "clock.h"
#include "worker.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* Frames, or pieces of a body, that are taken from one worker in a row. From a
 * worker that is as fast as standard output one could else go on for ever, and
 * a stop, a death or a free place would not be seen. */
#define SERVE_SHARE 16

/* Whatever else is short, a result can be heard of. */
_Static_assert(8 + sizeof(struct outcome) <= MAILBOX_LEAST,
               "a result's frame fits");

static bool ordered(const struct request *r)
{
    return options_ordered(r->shared->run->options);
}

/* True if bodies wait in the parent's memory, and not in the pipes. */
static bool hoards(const struct request *r)
{
    return r->shared->run->options->high_water == WATER_NONE && ordered(r);
}

/* --- Beginning and end -------------------------------------------------- */

int request_send(struct request *r, struct job *job)
{
    /* A name that no file can have need not be sent whole. */
    size_t name = job->name != NULL ? strnlen(job->name, NAME_MAX + 1) : 0;
    struct frame_job fixed = {.id = job->id,
                              .url_length = (uint32_t)job->url_length,
                              .name_length = (uint32_t)name};
    struct iovec parts[] = {{&fixed, sizeof fixed},
                            {job->url, job->url_length + 1},
                            {job->name, name},
                            {(void *)"", 1}};
    int error = 0;
    mailbox_open(&r->mailbox);
    /* Before the worker can have begun. */
    run_started(r->shared->run, job, r->mailbox.worker->slot);
    if (!ordered(r) || hoards(r))
        error = mailbox_watch(&r->mailbox);
    if (error == 0) {
        trace_hand_over(&r->shared->lane, PARCEL_JOB, job->id);
        error = mailbox_send(&r->mailbox, FRAME_JOB, parts, 4);
    }
    if (error != 0) {
        mailbox_unwatch(&r->mailbox);
        mailbox_clear(&r->mailbox);
        run_given_back(r->shared->run, job);
        return error;
    }
    r->job = job;
    flight_enter(&r->shared->flight, &r->flier, job->id);
    return 0;
}

/* Forgets the job. Its worker can take another; or the slot another worker. */
static void free_slot(struct request *r)
{
    struct run *run = r->shared->run;
    struct pool_worker *worker = r->mailbox.worker;
    bool retires = run->options->spawn_each;
    mailbox_clear(&r->mailbox);
    if (ordered(r) || worker->pid == 0 || retires)
        mailbox_unwatch(&r->mailbox);
    r->written = 0;
    r->peak = 0;
    r->out_failed = false;
    r->job = NULL;
    if (worker->pid == 0) {
        pool_vacate(&r->shared->pool, worker);
        r->mailbox.ended = false;
    } else if (retires) {
        pool_retire(&r->shared->pool, worker); /* its death frees the slot */
    } else if (!r->mailbox.ended) {
        pool_release(&r->shared->pool, worker);
    } /* else it is dying: its death frees the slot */
}

/* Step finish: records the result and passes the turn on. */
static void step_finish(struct request *r)
{
    struct outcome *outcome = &r->job->outcome;
    if (ordered(r)) {
        outcome->bytes = r->written;
        outcome->done_us = clock_us();
        outcome->peak_buffered += r->peak;
    } else {
        run_count(r->shared->run, outcome->bytes);
    }
    outcome->attempts += r->job->crashes;
    trace_about(&r->shared->lane, r->job->id);
    trace_finish(&r->shared->lane, r->job);
    flight_leave(&r->shared->flight, &r->flier);
    uint64_t turn = run_finish(r->shared->run, r->job);
    (void)flight_pass_turn(&r->shared->flight, turn);
    free_slot(r);
}

/* The request starts over later, with nothing counted. */
static void start_over(struct request *r)
{
    sink_remove(&r->shared->run->sink, r->job);
    run_given_back(r->shared->run, r->job);
    jobs_give_back(&r->shared->run->jobs, r->job);
    flight_leave(&r->shared->flight, &r->flier);
    free_slot(r);
}

static void kill_worker(struct request *r)
{
    if (r->mailbox.worker->pid != 0)
        pool_kill(&r->shared->pool, r->mailbox.worker);
}

/* Ends the request and its worker, which is of no use any more. */
static void abandon(struct request *r, enum result result, const char *cause)
{
    kill_worker(r);
    sink_remove(&r->shared->run->sink, r->job);
    struct outcome outcome = OUTCOME_NONE;
    outcome.attempts = 1;
    outcome_set(&outcome, result, "%s", cause);
    r->job->outcome = outcome;
    step_finish(r);
}

/* A worker died with its job: one new try, but not when a part of the body is
 * out already. (Step retry, after failures of the network, is the worker's.) */
static void retry_crashed(struct request *r, int status)
{
    char cause[60];
    bool killed = WIFSIGNALED(status);
    trace_about(&r->shared->lane, r->job->id);
    trace_within(&r->shared->lane, STEP_RETRY, trace_now(&r->shared->lane));
    snprintf(cause, sizeof cause, "the worker %s %d",
             killed ? "was killed by signal" : "ended with status",
             killed ? WTERMSIG(status) : WEXITSTATUS(status));
    if (r->written > 0 || r->job->crashes > 0) {
        abandon(r, RESULT_WORKER_CRASHED, cause);
    } else {
        r->job->crashes = 1;
        start_over(r);
    }
}

/* --- Shortages ---------------------------------------------------------- */

/* The newest request gives everything back, its worker too. */
static void give_way(struct flier *giver)
{
    struct request *r = (struct request *)giver;
    kill_worker(r);
    start_over(r);
}

/* A worker, or the parent for it, ran out of memory, descriptors or ports.
 * True if the request starts over later; false if there is nothing to wait
 * for. */
static bool starts_over(struct request *r, const char *cause)
{
    struct flight *flight = &r->shared->flight;
    struct flier *giver =
        r->written > 0 ? NULL : flight_give_way(flight, &r->flier);
    if (giver == NULL)
        return false;
    run_warn_shortage(r->shared->run, cause, flight->limit);
    if (giver != &r->flier)
        start_over(r); /* it is taken again at once */
    give_way(giver);
    return true;
}

bool request_make_room(struct shared *shared, uint64_t id)
{
    struct flier *giver = flight_make_room(&shared->flight, id);
    if (giver != NULL)
        give_way(giver);
    return giver != NULL;
}

/* The parent lacks what it takes to receive the result. */
static enum served starve(struct request *r, int error)
{
    kill_worker(r);
    if (!starts_over(r, strerror(-error)))
        abandon(r, RESULT_NO_RESOURCES, strerror(-error));
    return IS_FINISHED;
}

/* --- What comes up the pipe --------------------------------------------- */

/* A result has come: the whole body is at its destination. */
static void take_result(struct request *r, const struct frame *frame)
{
    struct outcome outcome;
    memcpy(&outcome, frame->at, sizeof outcome);
    r->job->outcome = outcome;
    trace_about(&r->shared->lane, r->job->id);
    trace_step(&r->shared->lane, STEP_FINISH);
    trace_take_over(&r->shared->lane, PARCEL_RESULT, r->job->id);
    if (outcome.result != RESULT_NO_RESOURCES ||
        !starts_over(r, outcome.cause))
        step_finish(r);
    trace_step(&r->shared->lane, STEP_NONE);
}

/* Writes body bytes to standard output, as many as it takes. */
static enum served write_out(struct request *r, const struct frame *body)
{
    struct iovec part = {(void *)body->at, body->length};
    if (r->peak < body->length)
        r->peak = body->length;
    trace_about(&r->shared->lane, r->job->id);
    int64_t before = trace_now(&r->shared->lane);
    ssize_t sent = output_send(&r->shared->run->output, &part, 1);
    if (r->written == 0 && sent > 0)
        trace_take_over(&r->shared->lane, PARCEL_BODY, r->job->id);
    trace_within(&r->shared->lane, STEP_DELIVER, before);
    if (sent == -EAGAIN)
        return NEEDS_OUTPUT;
    if (sent < 0) {
        const char *cause = strerror((int)-sent);
        run_fail(r->shared->run, "standard output: %s", cause);
        outcome_set(&r->job->outcome, RESULT_WRITE_FAILED, "%s", cause);
        r->out_failed = true;
        return NEEDS_OUTPUT; /* for ever: the run is to stop */
    }
    r->written += (size_t)sent;
    mailbox_took(&r->mailbox, (size_t)sent);
    run_count(r->shared->run, (size_t)sent);
    return NEEDS_INPUT;
}

/* Takes frames, as far as that goes. */
static enum served take_frames(struct request *r)
{
    struct frame frame;
    for (int left = SERVE_SHARE; left > 0; left--) {
        int got = mailbox_receive(&r->mailbox, &frame);
        if (got != 1)
            return got == 0 ? NEEDS_INPUT : starve(r, got);
        if (frame.type == FRAME_BODY) {
            if (write_out(r, &frame) == NEEDS_OUTPUT)
                return NEEDS_OUTPUT;
        } else if (frame.type == FRAME_RESULT &&
                   frame.length == sizeof(struct outcome)) {
            take_result(r, &frame);
            return IS_FINISHED;
        } else {
            abandon(r, RESULT_WORKER_CRASHED,
                    "the worker wrote what is no frame");
            return IS_FINISHED;
        }
    }
    return HAS_MORE;
}

enum served request_serve(struct request *r)
{
    enum served served = take_frames(r);
    bool reads_on = served == NEEDS_INPUT || served == HAS_MORE;
    int error = reads_on ? mailbox_watch(&r->mailbox) : 0;
    if (error != 0)
        return starve(r, error);
    if (served == NEEDS_OUTPUT && !hoards(r))
        mailbox_unwatch(&r->mailbox); /* back-pressure */
    return served;
}

enum served request_readable(struct request *r)
{
    if (r->job == NULL) {
        /* An idle worker says nothing but its end, which its death tells,
         * too. Left in epoll, that would be reported again and again. */
        mailbox_unwatch(&r->mailbox);
        return NEEDS_INPUT;
    }
    if (!hoards(r))
        return request_serve(r);
    int error = mailbox_hoard(&r->mailbox);
    if (r->peak < mailbox_held(&r->mailbox))
        r->peak = mailbox_held(&r->mailbox);
    return error == 0 ? NEEDS_INPUT : starve(r, error);
}

enum fate { WAS_IDLE, WAS_STARVED, WAS_AT_WORK, HAS_RESULT, HAS_RESULT_LATER };

static enum fate find_fate(struct request *r, int status)
{
    if (r->job == NULL)
        return WAS_IDLE;
    if (mailbox_drain(&r->mailbox))
        return ordered(r) ? HAS_RESULT_LATER : HAS_RESULT;
    if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_STARVED)
        return WAS_STARVED;
    return WAS_AT_WORK;
}

void request_bereft(struct request *r, int status)
{
    switch (find_fate(r, status)) {
    case WAS_IDLE:
        free_slot(r);
        break;
    case WAS_STARVED:
        (void)starve(r, -ENOMEM);
        break;
    case WAS_AT_WORK:
        retry_crashed(r, status);
        break;
    case HAS_RESULT:
        (void)take_frames(r);
        break;
    case HAS_RESULT_LATER:
        break; /* the loop comes to it when it is its turn */
    }
}

/* --- Stopping ----------------------------------------------------------- */

/* The outcome is of interest, a body no more. */
void request_collect(struct request *r)
{
    struct outcome before = r->job->outcome;
    struct frame frame;
    int left = SERVE_SHARE;
    while ((left-- > 0 || r->mailbox.worker->pid == 0) &&
           mailbox_receive(&r->mailbox, &frame) == 1) {
        if (frame.type == FRAME_BODY) {
            mailbox_took(&r->mailbox, frame.length);
            continue;
        }
        if (frame.type != FRAME_RESULT || frame.length != sizeof before)
            return;
        memcpy(&r->job->outcome, frame.at, sizeof before);
        if (r->out_failed)
            outcome_set(&r->job->outcome, before.result, "%s", before.cause);
        else if (ordered(r)) /* the worker may have thought otherwise */
            outcome_set(&r->job->outcome, RESULT_CANCELLED,
                        "the run ended first");
        step_finish(r);
        return;
    }
}

void request_cancel(struct request *r)
{
    if (r->out_failed)
        abandon(r, RESULT_WRITE_FAILED, r->job->outcome.cause);
    else
        abandon(r, RESULT_CANCELLED, "the run ended first");
}
