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

static bool ordered(const struct fetch *fetch)
{
    return options_ordered(fetch->run->options);
}

/* True if bodies wait in the parent's memory, and not in the pipes. */
static bool hoards(const struct fetch *fetch)
{
    return fetch->run->options->high_water == WATER_NONE && ordered(fetch);
}

bool request_has_turn(const struct fetch *fetch, const struct request *r)
{
    return r->job != NULL && r->job->id == fetch->turn;
}

/* --- Beginning and end -------------------------------------------------- */

int request_send(struct fetch *fetch, struct request *r, struct job *job)
{
    /* A name that no file can have need not be sent whole. */
    size_t name = job->name != NULL ? strnlen(job->name, NAME_MAX + 1) : 0;
    struct frame_job fixed = {.id = job->id,
                              .url_length = (uint32_t)job->url_length,
                              .name_length = (uint32_t)name};
    struct iovec parts[] = {{&fixed, sizeof fixed},
                            {job->url, job->url_length},
                            {job->name, name}};
    int error = 0;
    mailbox_open(&r->mailbox);
    /* Before the worker can have begun. */
    run_started(fetch->run, job, r->mailbox.worker->slot);
    if (!ordered(fetch) || hoards(fetch))
        error = mailbox_watch(&r->mailbox);
    if (error == 0) {
        trace_hand_over(&fetch->lane, PARCEL_JOB, job->id);
        error = mailbox_send(&r->mailbox, FRAME_JOB, parts, 3);
    }
    if (error != 0) {
        mailbox_unwatch(&r->mailbox);
        mailbox_clear(&r->mailbox);
        run_given_back(fetch->run, job);
        return error;
    }
    r->job = job;
    fetch->in_flight++;
    return 0;
}

/* Forgets the job. Its worker can take another; or the slot another worker. */
static void free_slot(struct fetch *fetch, struct request *r)
{
    struct run *run = fetch->run;
    struct pool_worker *worker = r->mailbox.worker;
    bool retires = run->options->spawn_each;
    mailbox_clear(&r->mailbox);
    if (ordered(fetch) || worker->pid == 0 || retires)
        mailbox_unwatch(&r->mailbox);
    r->written = 0;
    r->peak = 0;
    r->out_failed = false;
    r->job = NULL;
    if (worker->pid == 0) {
        pool_vacate(&fetch->pool, worker);
        r->mailbox.ended = false;
    } else if (retires) {
        pool_retire(&fetch->pool, worker); /* its death frees the slot */
    } else if (!r->mailbox.ended) {
        pool_release(&fetch->pool, worker);
    } /* else it is dying: its death frees the slot */
}

/* Step finish: records the result and passes the turn on. */
static void step_finish(struct fetch *fetch, struct request *r)
{
    struct outcome *outcome = &r->job->outcome;
    if (ordered(fetch)) {
        outcome->bytes = r->written;
        outcome->done_us = clock_us();
        outcome->peak_buffered += r->peak;
    } else {
        run_count(fetch->run, outcome->bytes);
    }
    outcome->attempts += r->job->crashes;
    fetch->in_flight--;
    trace_about(&fetch->lane, r->job->id);
    trace_finish(&fetch->lane, r->job);
    fetch->turn = run_finish(fetch->run, r->job);
    free_slot(fetch, r);
}

/* The request starts over later, with nothing counted. */
static void give_back(struct fetch *fetch, struct request *r)
{
    sink_remove(&fetch->run->sink, r->job);
    run_given_back(fetch->run, r->job);
    jobs_give_back(&fetch->run->jobs, r->job);
    fetch->in_flight--;
    free_slot(fetch, r);
}

/* Ends the request and its worker, which is of no use any more. */
static void abandon(struct fetch *fetch, struct request *r, enum result result,
                    const char *cause)
{
    if (r->mailbox.worker->pid != 0)
        pool_kill(&fetch->pool, r->mailbox.worker);
    sink_remove(&fetch->run->sink, r->job);
    struct outcome outcome = OUTCOME_NONE;
    outcome.attempts = 1;
    outcome_set(&outcome, result, "%s", cause);
    r->job->outcome = outcome;
    step_finish(fetch, r);
}

/* Step retry, when a worker died with its job: one new try, but not when a
 * part of the body is out already. (The retries after failures of the network
 * are in common/blocking.) */
static void step_retry(struct fetch *fetch, struct request *r, int status)
{
    char cause[60];
    trace_about(&fetch->lane, r->job->id);
    trace_within(&fetch->lane, STEP_RETRY, trace_now(&fetch->lane));
    if (r->written == 0 && r->job->crashes == 0) {
        r->job->crashes++;
        give_back(fetch, r);
        return;
    }
    if (WIFSIGNALED(status))
        snprintf(cause, sizeof cause, "the worker was killed by signal %d",
                 WTERMSIG(status));
    else
        snprintf(cause, sizeof cause, "the worker ended with status %d",
                 WEXITSTATUS(status));
    abandon(fetch, r, RESULT_WORKER_CRASHED, cause);
}

/* --- Shortages ---------------------------------------------------------- */

/* The newest request in flight, but not the one whose turn it is. */
static struct request *newest(struct fetch *fetch)
{
    struct request *found = NULL;
    for (size_t i = 0; i < fetch->pool.used; i++) {
        struct request *r = &fetch->requests[i];
        if (r->job != NULL && !request_has_turn(fetch, r) &&
            (found == NULL || r->job->id > found->job->id))
            found = r;
    }
    return found;
}

/* A worker ran out of memory, descriptors or ports: the newest request gives
 * way, with its worker; that may be the same one. False if it is the only one
 * in flight: then there is nothing to wait for. */
static bool give_way(struct fetch *fetch, struct request *starved)
{
    struct request *victim = newest(fetch);
    if (victim == NULL || starved->written > 0)
        return false;
    fetch->limit = fetch->in_flight > 1 ? fetch->in_flight - 1 : 1;
    if (victim->mailbox.worker->pid != 0)
        pool_kill(&fetch->pool, victim->mailbox.worker);
    if (victim != starved)
        give_back(fetch, starved); /* it is taken again at once */
    give_back(fetch, victim);
    return true;
}

bool request_displace(struct fetch *fetch)
{
    struct request *victim = newest(fetch);
    if (victim == NULL)
        return false;
    if (victim->mailbox.worker->pid != 0)
        pool_kill(&fetch->pool, victim->mailbox.worker);
    give_back(fetch, victim);
    return true;
}

/* The parent itself has not what it takes to hear of the result. */
static enum served starve(struct fetch *fetch, struct request *r, int error)
{
    if (r->mailbox.worker->pid != 0)
        pool_kill(&fetch->pool, r->mailbox.worker);
    if (give_way(fetch, r))
        run_warn_shortage(fetch->run, strerror(-error), fetch->limit);
    else
        abandon(fetch, r, RESULT_NO_RESOURCES, strerror(-error));
    return IS_FINISHED;
}

/* --- Step receive ------------------------------------------------------- */

/* A result has come: the whole body is at its destination. */
static void take_result(struct fetch *fetch, struct request *r,
                        const struct frame *frame)
{
    struct outcome outcome;
    memcpy(&outcome, frame->at, sizeof outcome);
    r->job->outcome = outcome;
    trace_about(&fetch->lane, r->job->id);
    trace_step(&fetch->lane, STEP_FINISH);
    trace_take_over(&fetch->lane, PARCEL_RESULT, r->job->id);
    if (outcome.result == RESULT_NO_RESOURCES && give_way(fetch, r))
        run_warn_shortage(fetch->run, outcome.cause, fetch->limit);
    else
        step_finish(fetch, r);
    trace_step(&fetch->lane, STEP_NONE);
}

/* Step deliver: body bytes to standard output, as many as it takes. */
static enum served step_deliver(struct fetch *fetch, struct request *r,
                                const struct frame *body)
{
    struct iovec part = {(void *)body->at, body->length};
    if (r->peak < body->length)
        r->peak = body->length;
    trace_about(&fetch->lane, r->job->id);
    int64_t before = trace_now(&fetch->lane);
    ssize_t sent = output_send(&fetch->run->output, &part, 1);
    if (r->written == 0 && sent > 0)
        trace_take_over(&fetch->lane, PARCEL_BODY, r->job->id);
    trace_within(&fetch->lane, STEP_DELIVER, before);
    if (sent == -EAGAIN)
        return NEEDS_OUTPUT;
    if (sent < 0) {
        const char *cause = strerror((int)-sent);
        run_fail(fetch->run, "standard output: %s", cause);
        outcome_set(&r->job->outcome, RESULT_WRITE_FAILED, "%s", cause);
        r->out_failed = true;
        return NEEDS_OUTPUT; /* for ever: the run is to stop */
    }
    r->written += (size_t)sent;
    mailbox_took(&r->mailbox, (size_t)sent);
    run_count(fetch->run, (size_t)sent);
    return NEEDS_INPUT;
}

/* Step receive: takes what comes up the pipe, as far as it goes. */
static enum served step_receive(struct fetch *fetch, struct request *r)
{
    struct frame frame;
    for (int left = SERVE_SHARE; left > 0; left--) {
        int got = mailbox_receive(&r->mailbox, &frame);
        if (got != 1)
            return got == 0 ? NEEDS_INPUT : starve(fetch, r, got);
        if (frame.type == FRAME_BODY) {
            if (step_deliver(fetch, r, &frame) == NEEDS_OUTPUT)
                return NEEDS_OUTPUT;
        } else if (frame.type == FRAME_RESULT &&
                   frame.length == sizeof(struct outcome)) {
            take_result(fetch, r, &frame);
            return IS_FINISHED;
        } else {
            abandon(fetch, r, RESULT_WORKER_CRASHED,
                    "the worker wrote what is no frame");
            return IS_FINISHED;
        }
    }
    return HAS_MORE;
}

enum served request_serve(struct fetch *fetch, struct request *r)
{
    enum served served = step_receive(fetch, r);
    bool reads_on = served == NEEDS_INPUT || served == HAS_MORE;
    int error = reads_on ? mailbox_watch(&r->mailbox) : 0;
    if (error != 0)
        return starve(fetch, r, error);
    if (served == NEEDS_OUTPUT && !hoards(fetch))
        mailbox_unwatch(&r->mailbox); /* back-pressure */
    return served;
}

enum served request_readable(struct fetch *fetch, struct request *r)
{
    if (r->job == NULL) {
        /* An idle worker says nothing but its end, which its death tells,
         * too. Left in epoll, that would be reported again and again. */
        mailbox_unwatch(&r->mailbox);
        return NEEDS_INPUT;
    }
    if (!hoards(fetch))
        return request_serve(fetch, r);
    int error = mailbox_hoard(&r->mailbox);
    if (r->peak < mailbox_held(&r->mailbox))
        r->peak = mailbox_held(&r->mailbox);
    return error == 0 ? NEEDS_INPUT : starve(fetch, r, error);
}

void request_bereft(struct fetch *fetch, struct request *r, int status)
{
    bool has_result = r->job != NULL && mailbox_drain(&r->mailbox);
    if (r->job == NULL)
        free_slot(fetch, r);
    else if (!has_result && WIFEXITED(status) &&
             WEXITSTATUS(status) == WORKER_STARVED)
        (void)starve(fetch, r, -ENOMEM);
    else if (!has_result)
        step_retry(fetch, r, status);
    else if (!ordered(fetch))
        (void)step_receive(fetch, r);
    /* else it is delivered in its turn */
}

/* --- Stopping ----------------------------------------------------------- */

/* The outcome is of interest, a body no more. */
void request_collect(struct fetch *fetch, struct request *r)
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
        else if (ordered(fetch)) /* the worker may have thought otherwise */
            outcome_set(&r->job->outcome, RESULT_CANCELLED,
                        "the run ended first");
        step_finish(fetch, r);
        return;
    }
}

void request_cancel(struct fetch *fetch, struct request *r)
{
    if (r->out_failed)
        abandon(fetch, r, RESULT_WRITE_FAILED, r->job->outcome.cause);
    else
        abandon(fetch, r, RESULT_CANCELLED, "the run ended first");
}
