/*
 * fetch-evloop: one thread, one libevent loop, a bufferevent a connection.
 * (--loops has several of these, each on a thread: loops.c.)
 *
 * Here is what the requests of a loop share: the loop, the places, the turn on
 * standard output, the events that belong to no request. What one request does
 * from connect to its body's end is in request.c. Callbacks translate what
 * happened into a step, and touch nothing after it.
 *
 * Nothing waits for the network, or for the reader of what we write. A disk
 * cannot be asked whether it is ready: so bodies from and into files, and what
 * is uploaded, are read and written by helper threads (helper.h), and names
 * looked up by others (lookup.h). These still wait for a disk, and all
 * requests with them: a list that is a file, a message or a row into one
 * (here); the first use of OpenSSL or libpq (secure.c, query.c); a file that
 * is given up while the helper writes to it, and the end (writer.c); if no
 * helper thread can be made, what is saved or uploaded (file: URLs are then
 * no-resources).
 */
#include "fetch.h"

#include "base.h"
#include "clock.h"
#include "request.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Requests begun in one turn of the loop; then connected ones may send. If all
 * were begun at once, the first of 10,000 would send only when the last is
 * connected, half a second later. */
#define TAKE_SHARE 64

/* --- What loops share, if there are several ------------------------------ */

static void lock(struct fetch *fetch)
{
    if (fetch->neighbours != NULL)
        fetch->neighbours->lock(fetch);
}

static void unlock(struct fetch *fetch)
{
    if (fetch->neighbours != NULL)
        fetch->neighbours->unlock(fetch);
}

static struct fetch *fetch_of(const struct flier *flier)
{
    return ((const struct request *)flier)->arg;
}

/* --- The turn on standard output ---------------------------------------- */

static bool has_turn(const struct request *r)
{
    struct fetch *fetch = r->arg;
    lock(fetch);
    bool has = flight_has_turn(fetch->flight, r->job->id);
    unlock(fetch);
    return has;
}

static void unwatch_output(struct fetch *fetch)
{
    event_del(&fetch->output);
    event_del(&fetch->output_again);
}

static void watch_output(struct request *r, bool on)
{
    struct fetch *fetch = r->arg;
    if (!on || run_stopping(fetch->run)) /* then nothing more goes out */
        unwatch_output(fetch);
    else if (fetch->run->output.kind == OUTPUT_DIRECT ||
             event_add(&fetch->output, NULL) != 0)
        base_next_turn(&fetch->output_again); /* a file: always ready */
}

/* The request whose turn it is, if it is one of this loop's. */
static struct request *first_in_line(struct fetch *fetch)
{
    lock(fetch);
    struct flier *first = fetch->flight->first;
    bool own = first != NULL && flight_has_turn(fetch->flight, first->id) &&
               fetch_of(first) == fetch;
    unlock(fetch);
    return own ? (struct request *)first : NULL;
}

static void on_output(evutil_socket_t fd, short what, void *arg)
{
    struct request *r = first_in_line(arg);
    (void)fd;
    (void)what;
    if (r != NULL)
        request_may_write(r);
}

/* All before `turn` are finished: the next in line may write. */
static void pass_turn(struct fetch *fetch, uint64_t turn)
{
    lock(fetch);
    bool moved = flight_pass_turn(fetch->flight, turn);
    struct flier *first = fetch->flight->first;
    if (moved && fetch->neighbours != NULL)
        fetch->neighbours->turn_moved(fetch, first != NULL && first->id == turn
                                                 ? fetch_of(first)
                                                 : NULL);
    unlock(fetch);
    on_output(-1, 0, fetch);
}

/* --- Requests in flight ------------------------------------------------- */

/* Takes the request out of flight; with its job given back, it starts over
 * later, with nothing counted. The place is free. */
static struct job *leave(struct request *r, bool give_back)
{
    struct fetch *fetch = r->arg;
    struct job *job = request_close(r);
    if (give_back)
        run_given_back(fetch->run, job);
    lock(fetch);
    flight_leave(fetch->flight, &r->flier);
    if (give_back)
        jobs_give_back(&fetch->run->jobs, job);
    unlock(fetch);
    fetch->in_flight--;
    if (fetch->taking) /* it must not call itself on this turn */
        base_next_turn(&fetch->take);
    else
        event_active(&fetch->take, EV_TIMEOUT, 1);
    free(r);
    return job;
}

/* Step finish: records the result and passes the turn on. */
static void step_finish(struct request *r)
{
    struct fetch *fetch = r->arg;
    struct outcome *outcome = exchange_outcome(r->x);
    outcome->bytes = body_bytes(&r->body);
    outcome->peak_buffered = r->body.peak;
    outcome->done_us = clock_us();
    r->job->outcome = *outcome;
    trace_finish(&r->lane, r->job);
    unwatch_output(fetch);
    /* A message about a failure, or a row, is not waited for, unless it goes
     * into a file: then the loop waits for the disk. */
    pass_turn(fetch, run_finish(fetch->run, leave(r, false)));
}

/* With the lock held. False if the request that is to give way is another
 * loop's: then that loop is told. */
static bool is_own(struct fetch *fetch, struct flier *giver)
{
    if (fetch_of(giver) == fetch)
        return true;
    fetch->neighbours->ring(fetch_of(giver));
    return false;
}

static bool give_way(struct request *r)
{
    struct fetch *fetch = r->arg;
    lock(fetch);
    struct flier *giver =
        r->body.written > 0 ? NULL : flight_give_way(fetch->flight, &r->flier);
    size_t left = fetch->flight->limit;
    bool own = giver == NULL || is_own(fetch, giver);
    unlock(fetch);
    if (giver == NULL)
        return false;
    run_warn_shortage(fetch->run, exchange_outcome(r->x)->cause, left);
    if (own && giver != &r->flier)
        (void)leave((struct request *)giver, true);
    (void)leave(r, true); /* it is the next that is taken */
    return true;
}

/* The first in line is short of memory: the newest gives its own back; at
 * once, if it is one of this loop's. */
static bool make_room_for(struct fetch *fetch, uint64_t id)
{
    lock(fetch);
    struct flier *giver = flight_make_room(fetch->flight, id);
    size_t left = fetch->flight->count;
    bool own = giver != NULL && is_own(fetch, giver);
    unlock(fetch);
    if (own)
        (void)leave((struct request *)giver, true);
    run_warn_shortage(fetch->run, strerror(ENOMEM), left);
    return own;
}

static bool make_room(struct request *r)
{
    return make_room_for(r->arg, r->flier.id);
}

static const struct request_owner request_owner = {
    has_turn, watch_output, give_way, make_room, step_finish};

/* --- Step take ---------------------------------------------------------- */

/* Nothing is in flight that could give back what there is too little of. */
static void fail_job(struct fetch *fetch, struct job *job)
{
    if (job == NULL) {
        run_fail(fetch->run, "%s", strerror(ENOMEM));
        return;
    }
    job->outcome = OUTCOME_NONE;
    outcome_set(&job->outcome, RESULT_NO_RESOURCES, "%s", strerror(ENOMEM));
    pass_turn(fetch, run_finish(fetch->run, job));
    base_next_turn(&fetch->take);
}

/* There is not even the memory to begin with a job; or (NULL) to get one. If
 * it is the first in line, those in flight may all be waiting for it. */
static void begin_later(struct fetch *fetch, struct job *job)
{
    lock(fetch);
    size_t left = fetch->flight->count;
    uint64_t id = job != NULL ? job->id : jobs_first(&fetch->run->jobs);
    if (left > 0 && job != NULL)
        jobs_give_back(&fetch->run->jobs, job);
    unlock(fetch);
    if (left == 0)
        fail_job(fetch, job);
    else
        (void)make_room_for(fetch, id);
}

/* Reads --input once. 0 or -ENOMEM. */
static int read_input(struct fetch *fetch)
{
    char text[RUN_INPUT];
    struct run *run = fetch->run;
    lock(fetch);
    int error = jobs_reserve(&run->jobs, sizeof text);
    unlock(fetch);
    /* A disk, or a message about it, may take its time. */
    ssize_t n = error == 0 ? run_take_input(run, text) : -EAGAIN;
    lock(fetch);
    if (error == 0)
        error = run_feed_input(run, text, n);
    if (fetch->neighbours != NULL)
        fetch->neighbours->ring_all(fetch);
    unlock(fetch);
    return error;
}

/* For loop 0. Sees to it that --input is read as soon as it has something. A
 * file always has, and is read at once: then true. */
static bool ask_for_input(struct fetch *fetch)
{
    if (fetch->run->input == -1 || event_add(&fetch->input, NULL) == 0)
        return false; /* on_input goes on */
    if (read_input(fetch) != 0)
        begin_later(fetch, NULL);
    return true;
}

/* Takes a job, and a place for it. 1; 0 when there is no place; -EAGAIN when
 * there is no job for now; -ENOENT when there is none left; -EBUSY when none
 * is given out before the turn has moved, or a stalled reader goes on;
 * -ENOMEM. */
static int take_job(struct fetch *fetch, struct request *r, struct job **job)
{
    struct run *run = fetch->run;
    int got = 0;
    lock(fetch);
    if (flight_may_enter(fetch->flight, jobs_first(&run->jobs))) {
        got = run_next(run, job);
        if (got == 1)
            flight_enter(fetch->flight, &r->flier, (*job)->id);
        else if (got == 0)
            got = jobs_done(&run->jobs) ? -ENOENT : -EAGAIN;
        fetch->awaits_turn = got == -EBUSY;
        if (got == -EAGAIN && run->input != -1 && fetch->number != 0)
            fetch->neighbours->want_input(fetch);
    }
    unlock(fetch);
    return got;
}

/* Begins with a request, if there is a job and a place. 1, or as take_job. */
static int begin(struct fetch *fetch)
{
    struct job *job = NULL;
    struct request *r = calloc(1, sizeof *r);
    if (r == NULL) {
        begin_later(fetch, NULL);
        return -ENOMEM;
    }
    r->owner = &request_owner;
    r->arg = fetch;
    r->run = fetch->run;
    r->loop = &fetch->loop;
    int got = take_job(fetch, r, &job);
    if (got == 1 && request_open(r, job) != 0) {
        lock(fetch);
        flight_leave(fetch->flight, &r->flier);
        unlock(fetch);
        got = -ENOMEM;
    }
    if (got != 1)
        free(r);
    if (got == -ENOMEM)
        begin_later(fetch, job);
    if (got != 1)
        return got;
    fetch->in_flight++;
    run_started(fetch->run, job, (int)fetch->number);
    request_advance(r);
    return 1;
}

/* True if no loop has a job that it began, or is about to begin. */
static bool nothing_in_flight(struct fetch *fetch)
{
    lock(fetch);
    bool nothing = fetch->flight->count == 0;
    unlock(fetch);
    return nothing;
}

/* True if nothing is in flight, and no job will come. */
static bool all_is_done(struct fetch *fetch)
{
    lock(fetch);
    bool done = fetch->flight->count == 0 && jobs_done(&fetch->run->jobs);
    if (done && fetch->neighbours != NULL)
        fetch->neighbours->ring_all(fetch);
    unlock(fetch);
    return done;
}

/* Step take: jobs for all places. --input is read only when a job is missing,
 * so its writer feels back-pressure, too. */
static void step_take(struct fetch *fetch)
{
    int left = TAKE_SHARE;
    int got = 1;
    trace_step(&fetch->lane, STEP_TAKE);
    fetch->taking = true;
    while (got == 1 && fetch->in_flight < fetch->share &&
           !run_stopping(fetch->run)) {
        if (left-- == 0) {
            base_next_turn(&fetch->take); /* the rest after the others */
            break;
        }
        got = begin(fetch);
        if (got == -EAGAIN && fetch->number == 0 && ask_for_input(fetch))
            got = 1;
    }
    if (got == -ENOENT)
        idle_expect(&fetch->loop.idle, fetch->in_flight);
    fetch->taking = false;
    if (run_stopping(fetch->run) || all_is_done(fetch))
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
    if (read_input(fetch) != 0 && nothing_in_flight(fetch))
        run_fail(fetch->run, "%s", strerror(ENOMEM));
    step_take(fetch);
}

/* The request of this loop that is to give way; or NULL. */
static struct request *find_giver(struct fetch *fetch)
{
    lock(fetch);
    struct flier *at = fetch->flight->givers > 0 ? fetch->flight->last : NULL;
    while (at != NULL && (!at->gives_way || fetch_of(at) != fetch))
        at = at->before;
    unlock(fetch);
    return (struct request *)at;
}

void fetch_look_around(struct fetch *fetch)
{
    struct request *giver = find_giver(fetch);
    if (giver != NULL)
        (void)leave(giver, true);
    lock(fetch);
    bool wanted = fetch->input_wanted;
    fetch->input_wanted = false;
    unlock(fetch);
    if (wanted)
        (void)ask_for_input(fetch);
    on_output(-1, 0, fetch);
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
    lock(fetch);
    bool refused = fetch->awaits_turn;
    unlock(fetch);
    if (refused)
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

/* The events that are not a request's. 0 or -ENOMEM. */
static int add_events(struct fetch *fetch)
{
    struct timeval tick = {.tv_usec = RUN_TICK_MS * 1000L};
    struct run *run = fetch->run;
    struct event_base *base = fetch->loop.base;
    event_assign(&fetch->take, base, -1, 0, on_take, fetch);
    event_assign(&fetch->input, base, run->input, EV_READ, on_input, fetch);
    event_assign(&fetch->stop, base, run->stop_fd, EV_READ, on_stop, fetch);
    event_assign(&fetch->output, base, run->output.fd, EV_WRITE, on_output,
                 fetch);
    event_assign(&fetch->output_again, base, -1, 0, on_output, fetch);
    event_assign(&fetch->tick, base, -1, EV_PERSIST, on_tick, fetch);
    (void)event_priority_set(&fetch->stop, BASE_FIRST);
    event_active(&fetch->take, EV_TIMEOUT, 1);
    bool added = event_add(&fetch->stop, NULL) == 0 &&
                 event_add(&fetch->tick, &tick) == 0;
    return added ? 0 : -ENOMEM;
}

/* Step start: makes a loop. (An nth of --jobs may be in flight there, and as
 * many idle connections are kept.) */
static int step_start(struct fetch *fetch, size_t loops)
{
    struct run *run = fetch->run;
    const struct options *options = run->options;
    size_t more = fetch->number < options->jobs % loops ? 1 : 0;
    fetch->share = (options->jobs + loops - 1) / loops;
    name_lane(fetch);
    trace_step(&fetch->lane, STEP_START);
    fetch->loop = (struct loop){
        .tls = &run->tls,
        .trace = &run->trace,
        .sink = &run->sink,
        .chunk_size = options->discard ? LOOP_DROPPED / loops : LOOP_CHUNK,
        .number = fetch->number,
        .connect_timeout_us = options->connect_timeout_us};
    int error = base_open(&fetch->loop.base, options);
    if (error != 0)
        return error;
    error = loop_open(&fetch->loop, options->jobs / loops + more);
    if (error == 0)
        return add_events(fetch);
    event_base_free(fetch->loop.base);
    fetch->loop.base = NULL;
    return error;
}

/* A request of this loop that is in flight; or NULL. */
static struct request *find_own(struct fetch *fetch)
{
    lock(fetch);
    struct flier *at = fetch->flight->first;
    while (at != NULL && fetch_of(at) != fetch)
        at = at->after;
    unlock(fetch);
    return (struct request *)at;
}

/* Step stop: cancels what is in flight and frees the loop. */
static void step_stop(struct fetch *fetch)
{
    struct event *const events[] = {&fetch->take,         &fetch->input,
                                    &fetch->stop,         &fetch->output,
                                    &fetch->output_again, &fetch->tick};
    struct request *r;
    trace_step(&fetch->lane, STEP_STOP);
    writer_stop(&fetch->loop.writer);
    while ((r = find_own(fetch)) != NULL)
        request_cancel(r);
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        event_del(events[i]);
    loop_close(&fetch->loop);
    event_base_free(fetch->loop.base);
    trace_step(&fetch->lane, STEP_NONE);
}

int fetch_open(struct fetch *fetch, struct run *run, struct flight *flight,
               size_t number, size_t count)
{
    *fetch = (struct fetch){.run = run, .flight = flight, .number = number};
    int error = step_start(fetch, count);
    if (error != 0)
        fetch_close(fetch);
    return error;
}

void fetch_run(struct fetch *fetch)
{
    if (event_base_dispatch(fetch->loop.base) == -1)
        run_fail(fetch->run, "the event loop: %s", strerror(EIO));
}

void fetch_close(struct fetch *fetch)
{
    if (fetch->loop.base != NULL)
        step_stop(fetch);
    fetch->loop.base = NULL;
}
