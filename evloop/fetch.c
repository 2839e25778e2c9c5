/*
 * fetch-evloop: one thread, one libevent loop, a bufferevent a connection.
 * (Or, with --loops, several of these, which share what is in loops.c.)
 *
 * Here is what the requests of a loop share: the loop, the places, the turn on
 * standard output, the events that belong to no request. What one request does
 * from connect to its body's end is in request.c. Nothing ever waits; callbacks
 * translate what happened into a step, and touch nothing after it.
 */
#include "base.h"
#include "clock.h"
#include "model.h"
#include "request.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char model_name[] = "evloop";

/* So many requests are begun in one turn of the loop; then those that are
 * connected may send. Were all begun at once, the first of 10,000 would send
 * when the last is connected, half a second later: answered after one second
 * each, they take 1.11 times as long in that way (8 interleaved rounds: 1.06
 * to 1.5), and 1,000 that are answered after 100 ms 1.04 times (9 rounds: 1.02
 * to 1.14). */
#define TAKE_SHARE 64

/* --- The turn on standard output ---------------------------------------- */

bool fetch_has_turn(const struct request *r)
{
    return r->job->id == atomic_load(&r->fetch->loops->turn);
}

static void unwatch_output(struct fetch *fetch)
{
    event_del(&fetch->output);
    event_del(&fetch->output_again);
}

void fetch_watch_output(struct fetch *fetch, bool on)
{
    if (!on || run_stopping(fetch->run)) /* then nothing more goes out */
        unwatch_output(fetch);
    else if (fetch->run->output.kind == OUTPUT_DIRECT ||
             event_add(&fetch->output, NULL) != 0)
        base_next_turn(&fetch->output_again); /* a file: always ready */
}

static void on_output(evutil_socket_t fd, short what, void *arg)
{
    struct fetch *fetch = arg;
    (void)fd;
    (void)what;
    if (fetch->first != NULL && fetch_has_turn(fetch->first))
        deliver_may_write(fetch->first);
}

/* --- Requests in flight ------------------------------------------------- */

static uint64_t first_id(const struct fetch *fetch)
{
    return fetch->first != NULL ? fetch->first->job->id : NO_ID;
}

static uint64_t last_id(const struct fetch *fetch)
{
    return fetch->last != NULL ? fetch->last->job->id : 0;
}

void fetch_link(struct request *r)
{
    struct fetch *fetch = r->fetch;
    struct request *before = fetch->last;
    while (before != NULL && before->job->id > r->job->id)
        before = before->previous;
    r->previous = before;
    r->next = before != NULL ? before->next : fetch->first;
    *(r->next != NULL ? &r->next->previous : &fetch->last) = r;
    *(before != NULL ? &before->next : &fetch->first) = r;
    fetch->in_flight++;
    run_started(fetch->run, r->job, (int)fetch->number);
    loops_note(fetch->loops, fetch->number, first_id(fetch), last_id(fetch));
}

/* Takes the request out of flight. Its place is free once that is told to
 * loops_leave. */
static struct job *unlink_request(struct request *r)
{
    struct fetch *fetch = r->fetch;
    *(r->next != NULL ? &r->next->previous : &fetch->last) = r->previous;
    *(r->previous != NULL ? &r->previous->next : &fetch->first) = r->next;
    fetch->in_flight--;
    if (fetch->taking) /* it must not call itself on this turn */
        base_next_turn(&fetch->take);
    else
        event_active(&fetch->take, EV_TIMEOUT, 1);
    return request_free(r);
}

void step_finish(struct request *r)
{
    struct fetch *fetch = r->fetch;
    struct outcome *outcome = exchange_outcome(r->x);
    bool ordered = options_ordered(fetch->run->options);
    outcome->bytes = ordered ? r->written : r->file.bytes;
    outcome->peak_buffered = r->peak;
    outcome->done_us = clock_us();
    r->job->outcome = *outcome;
    trace_step(&r->lane, STEP_FINISH);
    trace_finish(&r->lane, r->job);
    unwatch_output(fetch);
    /* For a message about a failure, or a row, nobody waits, unless that goes
     * into a file: then the loop waits for the disk, as in step_deliver. */
    uint64_t turn = run_finish(fetch->run, unlink_request(r));
    loops_leave(fetch->loops, fetch->number, first_id(fetch), last_id(fetch),
                NULL);
    loops_pass_turn(fetch->loops, fetch->number, turn);
    on_output(-1, 0, fetch); /* the next in line may write */
}

/* The request starts over later, with nothing counted. */
static void give_back(struct request *r)
{
    struct fetch *fetch = r->fetch;
    struct job *job = unlink_request(r);
    run_given_back(fetch->run, job);
    loops_leave(fetch->loops, fetch->number, first_id(fetch), last_id(fetch),
                job);
}

bool fetch_give_way(struct request *r)
{
    struct fetch *fetch = r->fetch;
    bool own;
    size_t left = r->written > 0
                      ? 0
                      : loops_find_newest(fetch->loops, fetch->number, &own);
    if (left == 0)
        return false;
    run_warn_shortage(fetch->run, exchange_outcome(r->x)->cause, left);
    if (own && fetch->last != r)
        give_back(fetch->last);
    give_back(r); /* it is the next that is taken */
    return true;
}

/* --- Step take ---------------------------------------------------------- */

/* The job fails before it has begun. */
static void fail_job(struct fetch *fetch, struct job *job)
{
    job->outcome = OUTCOME_NONE;
    outcome_set(&job->outcome, RESULT_NO_RESOURCES, "%s", strerror(ENOMEM));
    uint64_t turn = run_finish(fetch->run, job);
    loops_leave(fetch->loops, fetch->number, first_id(fetch), last_id(fetch),
                NULL);
    loops_pass_turn(fetch->loops, fetch->number, turn);
    base_next_turn(&fetch->take);
}

/* There is not even the memory to begin. With nothing in flight there is
 * nothing to wait for: the job fails, if there is one. */
static void begin_later(struct fetch *fetch, struct job *job)
{
    bool has_turn = job != NULL && job->id == atomic_load(&fetch->loops->turn);
    size_t left = loops_begin_later(fetch->loops, fetch->number,
                                    first_id(fetch), last_id(fetch), job);
    /* The first in line never waits for a later one, which may be waiting for
     * its turn; so it gets that one's place. */
    if (left > 0 && has_turn &&
        loops_ask_newest(fetch->loops, fetch->number) && fetch->last != NULL)
        give_back(fetch->last);
    if (left > 0)
        run_warn_shortage(fetch->run, strerror(ENOMEM), left);
    else if (job != NULL)
        fail_job(fetch, job);
    else
        run_fail(fetch->run, "%s", strerror(ENOMEM));
}

/* For loop 0. Sees to it that --input is read as soon as it has something. A
 * file always has, and is read at once: then true. */
static bool ask_for_input(struct fetch *fetch)
{
    struct run *run = fetch->run;
    if (run->input == -1 || event_add(&fetch->input, NULL) == 0)
        return false; /* on_input goes on */
    if (loops_read_input(fetch->loops) != 0)
        begin_later(fetch, NULL);
    return true;
}

/* Step take: jobs for all places. --input is read only when a job is missing,
 * so its writer feels back-pressure, too. */
static void step_take(struct fetch *fetch)
{
    struct run *run = fetch->run;
    int left = TAKE_SHARE;
    trace_step(&fetch->lane, STEP_TAKE);
    fetch->taking = true;
    while (fetch->in_flight < fetch->share && !run_stopping(run)) {
        struct job *job = NULL;
        if (left-- == 0) {
            base_next_turn(&fetch->take); /* the rest after the others */
            break;
        }
        int got = loops_take(fetch->loops, fetch->number, &job);
        if (got == 1)
            got = request_begin(fetch, job);
        else if (got == -EAGAIN && fetch->number == 0 && ask_for_input(fetch))
            continue;
        else if (got != -ENOMEM) {
            if (got == -ENOENT)
                idle_expect(&fetch->loop.idle, fetch->in_flight);
            break;
        }
        if (got == -ENOMEM) {
            begin_later(fetch, job);
            break;
        }
    }
    fetch->taking = false;
    if (run_stopping(run) || loops_are_done(fetch->loops, fetch->number))
        event_base_loopbreak(fetch->loop.base);
    trace_step(&fetch->lane, STEP_NONE);
}

static void on_take(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    step_take(arg);
}

static void on_input(evutil_socket_t fd, short what, void *arg)
{
    struct fetch *fetch = arg;
    (void)fd;
    (void)what;
    /* -ENOMEM is tried again, but not in vain for ever. */
    if (loops_read_input(fetch->loops) != 0 && run_in_flight(fetch->run) == 0)
        run_fail(fetch->run, "%s", strerror(ENOMEM));
    step_take(fetch);
}

/* Another loop has done something that concerns this one. */
static void on_bell(evutil_socket_t fd, short what, void *arg)
{
    struct fetch *fetch = arg;
    if (loops_must_give_way(fetch->loops, fetch->number) &&
        fetch->last != NULL && !fetch_has_turn(fetch->last))
        give_back(fetch->last);
    if (fetch->number == 0 && loops_want_input(fetch->loops))
        (void)ask_for_input(fetch);
    on_output(fd, what, fetch);
    step_take(fetch);
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
    struct fetch *fetch = arg;
    (void)fd;
    (void)what;
    event_base_loopbreak(fetch->loop.base);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct fetch *fetch = arg;
    (void)fd;
    (void)what;
    run_tick(fetch->run);
    if (loops_want_turn(fetch->loops))
        step_take(fetch); /* perhaps a reader goes on that had stalled */
}

/* --- Steps start and stop ----------------------------------------------- */

static void name_lane(struct fetch *fetch)
{
    char name[30];
    snprintf(name, sizeof name, "loop %zu", fetch->number);
    if (fetch->number == 0)
        trace_name(&fetch->run->trace, &fetch->lane, 0, "%s", name);
    else
        trace_add(&fetch->run->trace, &fetch->lane, name);
}

/* The events that are not a request's. */
static int add_events(struct fetch *fetch)
{
    struct timeval tick = {.tv_usec = RUN_TICK_MS * 1000L};
    struct run *run = fetch->run;
    struct event_base *base = fetch->loop.base;
    struct event *bell = &fetch->loops->members[fetch->number].bell;
    event_assign(bell, base, -1, 0, on_bell, fetch);
    event_assign(&fetch->take, base, -1, 0, on_take, fetch);
    event_assign(&fetch->input, base, run->input, EV_READ, on_input, fetch);
    event_assign(&fetch->stop, base, run->stop_fd, EV_READ, on_stop, fetch);
    event_assign(&fetch->output, base, run->output.fd, EV_WRITE, on_output,
                 fetch);
    event_assign(&fetch->output_again, base, -1, 0, on_output, fetch);
    event_assign(&fetch->tick, base, -1, EV_PERSIST, on_tick, fetch);
    (void)event_priority_set(&fetch->stop, BASE_FIRST);
    event_active(&fetch->take, EV_TIMEOUT, 1);
    if (event_add(&fetch->stop, NULL) != 0 ||
        event_add(&fetch->tick, &tick) != 0)
        return -ENOMEM; /* step_stop frees it all */
    loops_set_awake(fetch->loops, fetch->number, true);
    return 0;
}

/* The idle connections that a loop may keep: no more than --jobs altogether.
 */
static size_t idle_share(const struct options *options, size_t loops,
                         size_t number)
{
    return options->jobs / loops + (number < options->jobs % loops ? 1 : 0);
}

/* Step start: makes a loop. */
static int step_start(struct fetch *fetch, struct loops *loops, size_t number)
{
    const struct options *options = loops->run->options;
    *fetch = (struct fetch){.run = loops->run,
                            .loops = loops,
                            .number = number,
                            .share = (options->jobs + loops->count - 1) /
                                     loops->count};
    name_lane(fetch);
    trace_step(&fetch->lane, STEP_START);
    struct event_base *base;
    int error = base_open(&base, options);
    if (error != 0)
        return error;
    fetch->loop =
        (struct loop){.base = base,
                      .tls = &loops->run->tls,
                      .trace = &loops->run->trace,
                      .connect_timeout_us = options->connect_timeout_us};
    error = loop_open(&fetch->loop, idle_share(options, loops->count, number));
    if (error == 0)
        return add_events(fetch);
    event_base_free(base);
    fetch->loop.base = NULL;
    return error;
}

/* Step stop: cancels what is in flight and frees the loop. */
static void step_stop(struct fetch *fetch)
{
    struct event *const events[] = {&fetch->loops->members[fetch->number].bell,
                                    &fetch->take,
                                    &fetch->input,
                                    &fetch->stop,
                                    &fetch->output,
                                    &fetch->output_again,
                                    &fetch->tick};
    if (fetch->loop.base == NULL)
        return;
    trace_step(&fetch->lane, STEP_STOP);
    loops_set_awake(fetch->loops, fetch->number, false);
    while (fetch->first != NULL)
        request_cancel(fetch->first);
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        event_del(events[i]);
    loop_close(&fetch->loop);
    event_base_free(fetch->loop.base);
    trace_step(&fetch->lane, STEP_NONE);
}

/* What one loop does, from its first turn to its last. */
static void *dispatch(void *arg)
{
    struct fetch *fetch = arg;
    if (event_base_dispatch(fetch->loop.base) == -1)
        run_fail(fetch->run, "the event loop: %s", strerror(EIO));
    step_stop(fetch);
    return NULL;
}

/* A thread for a loop. Signals are the main thread's. */
static int start_thread(struct fetch *fetch)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = -pthread_create(&fetch->thread, NULL, dispatch, fetch);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Makes the loops, as many as can be. All are made before one runs: it might
 * take the descriptors that base_open has just seen, and libevent would end
 * the program. 0 or a negative errno. */
static int start_loops(struct loops *loops, struct fetch *all, size_t *made)
{
    int error = 0;
    for (*made = 0; *made < loops->count; (*made)++) {
        error = step_start(&all[*made], loops, *made);
        if (error != 0) {
            step_stop(&all[*made]);
            break;
        }
    }
    return error;
}

/* Gives each loop its thread, as far as there are any: of those that have none
 * nothing is left. Loop 0 is the calling thread's. 0 or a negative errno. */
static int start_threads(struct fetch *all, size_t made, size_t *running)
{
    int error = 0;
    for (*running = 1; *running < made; (*running)++) {
        error = start_thread(&all[*running]);
        if (error != 0)
            break;
    }
    for (size_t i = *running; i < made; i++)
        step_stop(&all[i]);
    return error;
}

static void run_loops(struct loops *loops, struct fetch *all)
{
    size_t made;
    size_t running;
    int error = start_loops(loops, all, &made);
    if (made == 0) {
        run_fail(loops->run, "the event loop: %s", strerror(-error));
        return;
    }
    int no_thread = start_threads(all, made, &running);
    if (no_thread != 0)
        error = no_thread;
    if (error != 0)
        run_warn(loops->run, "no more loops than %zu can be made: %s", running,
                 strerror(-error));
    (void)dispatch(&all[0]);
    while (--running > 0)
        (void)pthread_join(all[running].thread, NULL);
}

void model_run(struct run *run)
{
    struct loops loops;
    size_t count = run->options->loops;
    if (count > run->options->jobs)
        count = run->options->jobs;
    struct fetch *all = calloc(count, sizeof *all);
    int error = all != NULL ? base_prepare(count > 1) : -ENOMEM;
    if (error == 0)
        error = loops_open(&loops, run, count);
    if (error == 0) {
        loops.limit = base_most(run, loops.limit);
        run_loops(&loops, all);
        loops_close(&loops);
    } else {
        run_fail(run, "%s", strerror(-error));
    }
    libevent_global_shutdown();
    free(all);
}
