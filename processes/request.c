/* request: one request, as the parent sees it. See request.h. */
#include "request.h"

#include "clock.h"
#include "worker.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* A result can be received however short memory is. */
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
                            {job->url, job->url_length + 1}, /* with its NUL */
                            {job->name, name},
                            {(void *)"", 1}};
    /* Before the worker can have begun. */
    run_started(r->shared->run, job, r->mailbox.worker->slot);
    trace_hand_over(&r->shared->lane, PARCEL_JOB, job->id);
    int error = mailbox_send(&r->mailbox, FRAME_JOB, parts, 4);
    if (error != 0) {
        run_given_back(r->shared->run, job);
        return error;
    }
    if (!ordered(r) || hoards(r))
        mailbox_watch(&r->mailbox);
    r->job = job;
    flight_enter(&r->shared->flight, &r->flier, job->id);
    return 0;
}

/* Forgets the job. Its worker can take another; or the slot another worker. */
static void free_slot(struct request *r)
{
    struct pool_worker *worker = r->mailbox.worker;
    mailbox_clear(&r->mailbox);
    r->written = 0;
    r->peak = 0;
    r->out_error = 0;
    r->job = NULL;
    if (worker->pid == 0) {
        pool_vacate(&r->shared->pool, worker);
        r->mailbox.open = false;
    } else if (r->shared->run->options->spawn_each) {
        pool_retire(worker); /* its death frees the slot */
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

/* Ends the request and its worker, which is of no use any more. */
static void abandon(struct request *r, enum result result, const char *cause)
{
    pool_kill(&r->shared->pool, r->mailbox.worker);
    sink_remove(&r->shared->run->sink, r->job);
    struct outcome outcome = OUTCOME_NONE;
    outcome.attempts = 1;
    outcome_set(&outcome, result, "%s", cause);
    r->job->outcome = outcome;
    step_finish(r);
}

/* A worker died with its job: one new try, but not when a part of the body is
 * out already. (Step retry, after failures of the network, is the worker's.)
 */
static void retry_crashed(struct request *r, int status)
{
    char cause[60];
    trace_moment(&r->shared->lane, STEP_RETRY, r->job->id);
    if (r->written == 0 && r->job->crashes == 0) {
        r->job->crashes++;
        start_over(r);
        return;
    }
    if (WIFSIGNALED(status))
        snprintf(cause, sizeof cause, "the worker was killed by signal %d",
                 WTERMSIG(status));
    else
        snprintf(cause, sizeof cause, "the worker ended with status %d",
                 WEXITSTATUS(status));
    abandon(r, RESULT_WORKER_CRASHED, cause);
}

/* --- Shortages ---------------------------------------------------------- */

/* The newest request gives everything back, its worker too. */
static void give_way(struct flier *giver)
{
    struct request *r = (struct request *)giver;
    pool_kill(&r->shared->pool, r->mailbox.worker);
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

bool request_make_room(struct shared *shared, uint64_t id, const char *cause)
{
    struct flier *giver = flight_make_room(&shared->flight, id);
    run_warn_shortage(shared->run, cause, shared->flight.limit);
    if (giver != NULL)
        give_way(giver);
    return giver != NULL;
}

/* --- What comes up the pipe --------------------------------------------- */

/* A result has come: if it is ok, the whole body is at its destination. */
static void take_result(struct request *r, const struct frame *frame)
{
    struct outcome *outcome = &r->job->outcome;
    memcpy(outcome, frame->at, sizeof *outcome);
    trace_get(&r->shared->lane, STEP_FINISH, PARCEL_RESULT, r->job->id);
    if (run_stopping(r->shared->run)) {
        if (r->out_error != 0)
            outcome_set(outcome, RESULT_WRITE_FAILED, "%s",
                        strerror(r->out_error));
        else if (ordered(r)) /* a part of the body may be thrown away */
            outcome_cancel(outcome);
        step_finish(r);
    } else if (outcome->result == RESULT_CANCELLED) {
        /* The parent did not cancel it. This worker alone got a SIGTERM from
         * outside, as from a daemon that watches over memory. */
        pool_kill(&r->shared->pool, r->mailbox.worker);
        retry_crashed(r, SIGTERM);
    } else if (outcome->result != RESULT_NO_RESOURCES ||
               !starts_over(r, outcome->cause)) {
        step_finish(r);
    }
    trace_step(&r->shared->lane, STEP_NONE);
}

/* Writes body bytes to standard output, as many as it takes. When the run
 * stops, no one wants them. */
static enum served write_out(struct request *r, const struct frame *body)
{
    if (run_stopping(r->shared->run)) {
        frame_took(&r->mailbox.reader, body->length);
        return GOES_ON;
    }
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
        r->out_error = (int)-sent;
        run_fail(r->shared->run, "standard output: %s",
                 strerror(r->out_error));
        return NEEDS_OUTPUT; /* for ever: the run is to stop */
    }
    r->written += (size_t)sent;
    frame_took(&r->mailbox.reader, (size_t)sent);
    run_count(r->shared->run, (size_t)sent);
    return GOES_ON;
}

enum served request_serve(struct request *r)
{
    struct frame frame;
    if (!mailbox_receive(&r->mailbox, &frame)) {
        mailbox_watch(&r->mailbox);
        return NEEDS_INPUT;
    }
    if (frame.type == FRAME_BODY)
        return write_out(r, &frame);
    if (frame.type == FRAME_RESULT && frame.length == sizeof(struct outcome))
        take_result(r, &frame);
    else
        abandon(r, RESULT_WORKER_CRASHED, "the worker wrote what is no frame");
    return GOES_ON;
}

void request_readable(struct request *r)
{
    struct mailbox *m = &r->mailbox;
    m->watched = false;
    if (!ordered(r)) {
        (void)request_serve(r);
    } else if (hoards(r) && mailbox_read(m)) {
        size_t held = m->reader.in.length - m->reader.used;
        r->peak = r->peak < held ? held : r->peak;
        mailbox_watch(m);
    }
}

void request_bereft(struct request *r, int status)
{
    bool has_result = r->job != NULL && mailbox_drain(&r->mailbox);
    bool starved = WIFEXITED(status) && WEXITSTATUS(status) == WORKER_STARVED;
    if (r->job == NULL)
        free_slot(r);
    else if (!has_result && !starved)
        retry_crashed(r, status);
    else if (!has_result && !starts_over(r, strerror(ENOMEM)))
        abandon(r, RESULT_NO_RESOURCES, strerror(ENOMEM));
    else if (has_result && !ordered(r))
        (void)request_serve(r);
    /* else it is delivered in its turn */
}

void request_cancel(struct request *r)
{
    while (r->job != NULL && request_serve(r) == GOES_ON)
        ;
    if (r->job != NULL && r->out_error != 0)
        abandon(r, RESULT_WRITE_FAILED, strerror(r->out_error));
    else if (r->job != NULL)
        abandon(r, RESULT_CANCELLED, "the run ended first");
}
