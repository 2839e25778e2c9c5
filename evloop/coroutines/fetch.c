/*
 * fetch-coroutines: the threads' source at the loop's price.
 *
 * A coroutine for each request drives it from connect to finish, straight
 * down, by the very function that threads and processes run: blocking_fetch.
 * What a coroutine waits for, it awaits: one libevent loop waits for all, in
 * one thread. So nothing here has a lock. A coroutine costs so little that
 * there is no pool of them: one is made for each request, as places are free.
 *
 * The first coroutine takes the jobs. Beside it are three more: one reads
 * --input, one waits for the end of the run, one shows the progress. What are
 * events in the loop's model are coroutines here, all in one group.
 *
 * Bodies for standard output keep their order as with threads. A request whose
 * turn it is writes through. Any other holds up to the high-watermark, and
 * then awaits its turn; it does not read meanwhile, so the server stops. This,
 * and all that one request does from connect to its body's end, is in
 * worker.c.
 */
#include "base.h"
#include "clock.h"
#include "group.h"
#include "model.h"
#include "worker.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

const char model_name[] = "coroutines";

/* So many requests are begun in one turn of the loop. Then those that are
 * connected may send: else the first would send when the last is connected. */
#define TAKE_SHARE 64

struct fetch {
    struct run *run;
    struct ground ground; /* what the workers share */
    struct event_base *base;
    struct coroutines *coroutines;
    struct coroutine_group group; /* all but the first coroutine */
    struct lane lane;             /* the first coroutine's, of --trace */
    struct worker *workers;
    size_t used;            /* of those have had a job */
    struct worker *free;    /* ... and have none now */
    struct condition moved; /* a place, the turn or the input has */
    struct condition asked; /* input is wanted */
    bool wants_input;
};

/* --- In flight ---------------------------------------------------------- */

static struct worker *worker_of(struct flier *flier)
{
    return (struct worker *)(void *)((char *)flier -
                                     offsetof(struct worker, flier));
}

/* Tells a request something, wherever it waits. */
static void tell(struct worker *w, enum told what)
{
    atomic_store(&w->outlet.blocking.told, what);
    if (w->self != NULL)
        coroutine_cancel(w->self);
}

/* The turn may have come to the first in flight. From then on nothing tells it
 * to give way; what it was told a moment before is void, or its body would be
 * cut in its midst. */
static void pass_turn(struct fetch *fetch, uint64_t turn)
{
    (void)flight_pass_turn(&fetch->ground.flight, turn);
    struct flier *first = fetch->ground.flight.first;
    if (first == NULL || !flight_has_turn(&fetch->ground.flight, first->id))
        return;
    struct worker *w = worker_of(first);
    if (atomic_load(&w->outlet.blocking.told) == TOLD_GIVE_WAY) {
        atomic_store(&w->outlet.blocking.told, TOLD_NOTHING);
        if (w->self != NULL)
            coroutine_uncancel(w->self);
    }
    condition_wake(&w->turn);
}

/* Its place is free. */
static void leave(struct worker *w)
{
    struct fetch *fetch = w->fetch;
    flight_leave(&fetch->ground.flight, &w->flier);
    w->next = fetch->free;
    fetch->free = w;
    condition_wake_all(&fetch->moved);
}

/* Step finish: records the result and passes the turn on. */
static void step_finish(struct worker *w)
{
    trace_step(&w->outlet.blocking.lane, STEP_FINISH);
    trace_finish(&w->outlet.blocking.lane, w->outlet.job);
    uint64_t turn = run_finish(w->fetch->run, w->outlet.job);
    trace_step(&w->outlet.blocking.lane, STEP_NONE);
    leave(w);
    pass_turn(w->fetch, turn);
}

/* Step retry, when resources are short (the others are in blocking): true if
 * the request has given back all that it had, to start over later with
 * nothing counted. */
static bool starts_over(struct worker *w)
{
    struct fetch *fetch = w->fetch;
    enum shortage shortage = outlet_shortage(&w->outlet);
    if (shortage == SHORTAGE_NONE)
        return false;
    if (shortage == SHORTAGE_MET) {
        bool trimmed = coroutines_trim(fetch->coroutines);
        struct flier *newest =
            flight_give_way(&fetch->ground.flight, &w->flier);
        if (newest == NULL && !trimmed)
            return false; /* the only one has no other to wait for */
        run_warn_shortage(fetch->run, w->outlet.job->outcome.cause,
                          fetch->ground.flight.limit);
        if (newest != NULL && newest != &w->flier)
            tell(worker_of(newest), TOLD_GIVE_WAY);
    }
    trace_step(&w->outlet.blocking.lane, STEP_NONE);
    run_given_back(fetch->run, w->outlet.job);
    jobs_give_back(&fetch->run->jobs, w->outlet.job);
    leave(w);
    return true;
}

/* --- One request -------------------------------------------------------- */

/* A coroutine. */
static int work(void *arg)
{
    struct worker *w = arg;
    w->self = coroutine_self();
    trace_step(&w->outlet.blocking.lane, STEP_TAKE);
    trace_about(&w->outlet.blocking.lane, w->outlet.job->id);
    trace_take_over(&w->outlet.blocking.lane, PARCEL_JOB, w->outlet.job->id);
    worker_await(w);
    w->self = NULL;
    if (!starts_over(w))
        step_finish(w);
    return 0;
}

/* --- The first coroutine ------------------------------------------------ */

/* A free slot, which there is: one for each place, and one more for the first
 * in line, which needs no free place. */
static struct worker *take_slot(struct fetch *fetch)
{
    struct worker *w = fetch->free;
    if (w != NULL) {
        fetch->free = w->next;
        return w;
    }
    size_t slot = fetch->used++;
    w = &fetch->workers[slot];
    worker_open(w, &fetch->ground);
    trace_name(&fetch->run->trace, &w->outlet.blocking.lane, (int)slot + 1,
               "coroutine %zu", slot);
    w->fetch = fetch;
    return w;
}

/* There is not even the memory to begin. With nothing in flight there is
 * nothing to wait for: the job fails. */
static void begin_later(struct fetch *fetch, struct job *job)
{
    struct run *run = fetch->run;
    struct flier *newest = flight_make_room(&fetch->ground.flight, job->id);
    if (fetch->ground.flight.count == 0) {
        job->outcome = OUTCOME_NONE;
        outcome_set(&job->outcome, RESULT_NO_RESOURCES, "%s",
                    strerror(ENOMEM));
        pass_turn(fetch, run_finish(run, job));
        return;
    }
    jobs_give_back(&run->jobs, job);
    run_warn_shortage(run, strerror(ENOMEM), fetch->ground.flight.count);
    if (newest != NULL)
        tell(worker_of(newest), TOLD_GIVE_WAY);
    (void)await_condition(&fetch->moved, COROUTINE_NEVER);
}

/* Has a coroutine made for the job. */
static void begin(struct fetch *fetch, struct job *job)
{
    struct worker *w = take_slot(fetch);
    worker_take(w, job);
    if (group_start(&fetch->group, work, w) != 0) {
        w->next = fetch->free;
        fetch->free = w;
        begin_later(fetch, job);
        return;
    }
    flight_enter(&fetch->ground.flight, &w->flier, job->id);
    run_started(fetch->run, job, (int)(w - fetch->workers));
    trace_about(&fetch->lane, job->id);
    trace_hand_over(&fetch->lane, PARCEL_JOB, job->id);
}

/* Awaits what a further job needs: a place, input, memory. */
static void await_moved(struct fetch *fetch, int got)
{
    struct run *run = fetch->run;
    int64_t until = COROUTINE_NEVER;
    if (got == 0 && !jobs_done(&run->jobs)) {
        fetch->wants_input = true;
        condition_wake(&fetch->asked);
    } else if (got == 0) {
        idle_expect(&fetch->ground.idle, fetch->ground.flight.count);
    } else if (got == -ENOMEM) {
        if (fetch->ground.flight.count == 0)
            run_fail(run, "%s", strerror(ENOMEM));
        until = coroutine_now() + RUN_TICK_MS * INT64_C(1000);
    }
    trace_step(&fetch->lane, STEP_NONE);
    (void)await_condition(&fetch->moved, until);
    trace_step(&fetch->lane, STEP_TAKE);
}

/* Step take: the next job for which there is a place. NULL when there will be
 * none any more, or the run is to stop. */
static struct job *step_take(struct fetch *fetch)
{
    struct run *run = fetch->run;
    while (!run_stopping(run)) {
        struct job *job;
        int got = run_next(run, &job);
        if (got == 1 && flight_may_enter(&fetch->ground.flight, job->id))
            return job;
        if (got == 1) /* perhaps an earlier one comes back meanwhile */
            jobs_give_back(&run->jobs, job);
        if (got == 0 && jobs_done(&run->jobs) &&
            fetch->ground.flight.count == 0)
            return NULL;
        await_moved(fetch, got);
    }
    return NULL;
}

/* --- Coroutines beside it ----------------------------------------------- */

/* Reads --input, only when a job is missing: so its writer feels
 * back-pressure, too. */
static int read_input(void *arg)
{
    struct fetch *fetch = arg;
    struct run *run = fetch->run;
    int ready = 0;
    while (run->input != -1 && ready != -ECANCELED) {
        ready = fetch->wants_input
                    ? await_fd(run->input, POLLIN, COROUTINE_NEVER)
                    : await_condition(&fetch->asked, COROUTINE_NEVER);
        if (ready <= 0)
            continue;
        fetch->wants_input = false;
        /* -ENOMEM is tried again, but not in vain for ever. */
        if (run_read_input(run) != 0 && fetch->ground.flight.count == 0)
            run_fail(run, "%s", strerror(ENOMEM));
        condition_wake_all(&fetch->moved);
    }
    return 0;
}

/* Waits for the end of the run, and tells all requests in flight. */
static int await_stop(void *arg)
{
    struct fetch *fetch = arg;
    int ready;
    do
        ready = await_fd(fetch->run->stop_fd, POLLIN, COROUTINE_NEVER);
    while (ready == -ENOMEM);
    if (ready < 0)
        return 0;
    for (struct flier *at = fetch->ground.flight.first; at != NULL;
         at = at->after)
        tell(worker_of(at), TOLD_STOP);
    condition_wake_all(&fetch->moved);
    return 0;
}

/* The progress line, and what a stalled reader has not taken. */
static int tick(void *arg)
{
    struct fetch *fetch = arg;
    while (await_time(coroutine_now() + RUN_TICK_MS * INT64_C(1000)) !=
           -ECANCELED) {
        if (!run_ticks(fetch->run))
            continue;
        run_tick(fetch->run);
        condition_wake_all(&fetch->moved); /* a request may begin again */
    }
    return 0;
}

/* --- Steps start and stop ----------------------------------------------- */

/* The first coroutine: takes job after job, and has each done. */
static int run_all(void *arg)
{
    struct fetch *fetch = arg;
    struct job *job;
    int left = TAKE_SHARE;
    group_open(&fetch->group);
    int error = group_start(&fetch->group, await_stop, fetch);
    if (error == 0)
        error = group_start(&fetch->group, read_input, fetch);
    if (error == 0)
        error = group_start(&fetch->group, tick, fetch);
    trace_step(&fetch->lane, STEP_TAKE);
    while (error == 0 && (job = step_take(fetch)) != NULL) {
        begin(fetch, job);
        if (--left == 0) {
            (void)await_others();
            left = TAKE_SHARE;
        }
    }
    trace_step(&fetch->lane, STEP_STOP);
    /* The three beside it. Requests are left only if the run is to stop. */
    group_end(&fetch->group, -ECANCELED);
    (void)await_group(&fetch->group, COROUTINE_NEVER);
    trace_step(&fetch->lane, STEP_NONE);
    return error;
}

/* Step start: the loop and all that the coroutines share. */
static int step_start(struct fetch *fetch, struct run *run)
{
    *fetch = (struct fetch){.run = run};
    fetch->ground =
        (struct ground){.run = run, .epoch = coroutine_now() - clock_us()};
    trace_name(&run->trace, &fetch->lane, 0, "first coroutine");
    trace_step(&fetch->lane, STEP_START);
    size_t limit = base_most(run, run->options->jobs);
    flight_open(&fetch->ground.flight, limit);
    fetch->workers = calloc(limit + 1, sizeof *fetch->workers);
    fetch->ground.turns_buffer = malloc(WORKER_BUFFER);
    int error = fetch->workers != NULL && fetch->ground.turns_buffer != NULL
                    ? base_prepare(false)
                    : -ENOMEM;
    if (error == 0)
        error = base_open(&fetch->base, run->options);
    if (error != 0)
        goto no_base;
    error = aside_open(&fetch->ground.aside, fetch->base);
    if (error != 0)
        goto no_aside;
    error = idle_open(&fetch->ground.idle, run->options->jobs,
                      blocking_close_idle);
    if (error != 0)
        goto no_idle;
    error = coroutines_open(&fetch->coroutines, fetch->base);
    if (error == 0)
        return 0;

    idle_close(&fetch->ground.idle);
no_idle:
    aside_close(&fetch->ground.aside);
no_aside:
    event_base_free(fetch->base);
no_base:
    free(fetch->ground.turns_buffer);
    free(fetch->workers);
    return error;
}

/* Step stop: no coroutine is left. */
static void step_stop(struct fetch *fetch)
{
    coroutines_close(fetch->coroutines);
    idle_close(&fetch->ground.idle);
    aside_close(&fetch->ground.aside);
    event_base_free(fetch->base);
    free(fetch->ground.buffer);
    free(fetch->ground.turns_buffer);
    free(fetch->workers);
}

void model_run(struct run *run)
{
    struct fetch fetch;
    int error = step_start(&fetch, run);
    if (error == 0) {
        error = coroutines_run(fetch.coroutines, run_all, &fetch);
        step_stop(&fetch);
    }
    if (error != 0)
        run_fail(run, "%s", strerror(-error));
    libevent_global_shutdown();
}
