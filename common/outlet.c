/* outlet: a worker's body on its way. See outlet.h. */
#include "outlet.h"

#include "clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

/* Written in a row. /dev/null takes gigabytes without a wait: without a limit
 * the worker would not hear what it is told, and no other would have a turn.
 */
#define OUT_SHARE ((size_t)1024 * 1024)

/* A new attempt begins. */
static void restart(struct blocking *blocking)
{
    outlet_forget((struct outlet *)blocking);
}

void outlet_prepare(struct outlet *o, struct run *run, struct idle *idle,
                    int (*deliver)(struct blocking *blocking, const char *p,
                                   size_t n))
{
    o->run = run;
    o->blocking.options = run->options;
    o->blocking.idle = idle;
    o->blocking.tls = &run->tls;
    o->blocking.deliver = deliver;
    o->blocking.restart = restart;
}

void outlet_open(struct outlet *o, struct job *job)
{
    o->job = job;
    o->job->outcome = OUTCOME_NONE;
    o->file = FILE_NONE;
    o->written = 0;
    o->peak = 0;
}

bool outlet_is_ordered(const struct outlet *o)
{
    return options_ordered(o->run->options);
}

void outlet_in_hand(struct outlet *o, size_t n)
{
    if (o->peak < n)
        o->peak = n;
    trace_buffered(&o->blocking.lane, n);
}

void outlet_forget(struct outlet *o)
{
    sink_abort(&o->run->sink, &o->file, o->job);
    bytes_free(&o->held);
    outlet_in_hand(o, 0);
}

/* --- To a file ---------------------------------------------------------- */

/* What a call that may wait for the disk is about, and what came of it. */
struct storing {
    struct outlet *outlet;
    const char *p;
    size_t n;
    int error;
};

static void store(void *arg)
{
    struct storing *s = arg;
    struct outlet *o = s->outlet;
    s->error = sink_write(&o->run->sink, &o->file, o->job, s->p, s->n);
}

static void commit(void *arg)
{
    struct storing *s = arg;
    struct outlet *o = s->outlet;
    s->error = sink_commit(&o->run->sink, &o->file, o->job);
}

static int call(struct outlet *o, void (*f)(void *arg), const char *p,
                size_t n)
{
    struct storing storing = {.outlet = o, .p = p, .n = n};
    /* No file could be opened: an idle connection has a descriptor, too. */
    do {
        if (o->run->options->directory == NULL) /* then there is no disk */
            f(&storing);
        else
            blocking_call(&o->blocking, f, &storing);
    } while ((storing.error == -EMFILE || storing.error == -ENFILE) &&
             idle_drop(o->blocking.idle));
    return storing.error;
}

int outlet_store(struct outlet *o, const char *p, size_t n)
{
    outlet_in_hand(o, n);
    int error = call(o, store, p, n);
    if (error == 0)
        run_count(o->run, n);
    return error;
}

/* --- To standard output ------------------------------------------------- */

bool outlet_has_room(const struct outlet *o, size_t n)
{
    return n <= o->run->options->high_water - o->held.length;
}

int outlet_hold(struct outlet *o, const char *p, size_t n)
{
    outlet_in_hand(o, o->held.length + n);
    return bytes_append(&o->held, p, n);
}

/* What goes to standard output, and how much was taken. */
struct portion {
    struct output *output;
    struct iovec part;
    ssize_t sent;
};

static void send_portion(void *arg)
{
    struct portion *portion = arg;
    portion->sent = output_send(portion->output, &portion->part, 1);
}

static ssize_t send_some(struct outlet *o, const char *p, size_t n)
{
    struct portion portion = {&o->run->output, {(void *)p, n}, 0};
    if (o->run->output.saves) /* then there is a disk */
        blocking_call(&o->blocking, send_portion, &portion);
    else
        send_portion(&portion);
    return portion.sent;
}

static int write_out(struct outlet *o, const char *p, size_t n)
{
    struct run *run = o->run;
    size_t share = OUT_SHARE;
    while (n > 0) {
        int ready = 1;
        if (run_stopping(run)) /* perhaps by the body before this one */
            return -ECANCELED;
        ssize_t sent = send_some(o, p, n < share ? n : share);
        if (sent == -EAGAIN) {
            ready = blocking_wait(&o->blocking, run->output.fd, POLLOUT,
                                  CLOCK_NEVER);
        } else if (sent < 0) {
            run_fail(run, "standard output: %s", strerror((int)-sent));
            return (int)sent;
        } else {
            o->written += (size_t)sent;
            run_count(run, (size_t)sent);
            p += sent;
            n -= (size_t)sent;
            share -= (size_t)sent;
            outlet_in_hand(o, n);
        }
        if (share == 0) {
            ready = blocking_is_told(&o->blocking) ? -ECANCELED : 1;
            share = OUT_SHARE;
        }
        if (ready < 0)
            return ready;
    }
    return 0;
}

int outlet_write(struct outlet *o, const char *p, size_t n)
{
    outlet_in_hand(o, o->held.length + n);
    int error = write_out(o, o->held.data, o->held.length);
    bytes_free(&o->held);
    return error == 0 ? write_out(o, p, n) : error;
}

/* --- The end ------------------------------------------------------------ */

enum shortage outlet_shortage(const struct outlet *o)
{
    enum result result = o->job->outcome.result;
    if (o->written > 0)
        return SHORTAGE_NONE;
    if (result == RESULT_CANCELLED && !run_stopping(o->run))
        return SHORTAGE_ELSE;
    return result == RESULT_NO_RESOURCES ? SHORTAGE_MET : SHORTAGE_NONE;
}

void outlet_complete(struct outlet *o, int error)
{
    struct outcome *outcome = &o->job->outcome;
    bool ordered = outlet_is_ordered(o);
    trace_step(&o->blocking.lane, STEP_DELIVER);
    if (outcome->result == RESULT_OK) {
        if (error == 0)
            error =
                ordered ? outlet_write(o, NULL, 0) : call(o, commit, NULL, 0);
        if (error == -ECANCELED)
            outcome_cancel(outcome);
        else if (error != 0)
            outcome_set(outcome, result_of_writing(error), "%s",
                        strerror(-error));
        outcome->done_us = clock_us();
    }
    outcome->bytes = ordered ? o->written : o->file.bytes;
    outcome->peak_buffered = o->peak;
    if (outcome->result != RESULT_OK)
        outlet_forget(o);
}
