/* Style: looks at the flags of the stream before it asks drain */
/* deliver: where a request's body goes. See request.h. */
#include "request.h"

#include "clock.h"

#include <errno.h>
#include <string.h>

static bool is_ordered(const struct request *r)
{
    return options_ordered(r->fetch->run->options);
}

/* --- Standard output ---------------------------------------------------- */

/* What a request's stream stands on: standard output, in its turn. */

static ssize_t out_send(void *context, const struct iovec *parts, int n)
{
    struct request *r = context;
    if (!fetch_has_turn(r) || run_stopping(r->fetch->run))
        return -EAGAIN;
    ssize_t sent = output_send(&r->fetch->run->output, parts, n);
    if (sent > 0) {
        size_t held = stream_buffered(r->out);
        trace_buffered(&r->lane,
                       held > (size_t)sent ? held - (size_t)sent : 0);
        r->written += (size_t)sent;
        run_count(r->fetch->run, (size_t)sent);
    }
    return sent;
}

static void out_watch(void *context, bool on)
{
    struct request *r = context;
    if (fetch_has_turn(r)) /* else deliver_may_write will be called */
        fetch_watch_output(r->fetch, on);
}

static void out_shut(void *context)
{
    (void)context; /* standard output stays open */
}

static const struct stream_transport out_transport = {out_send, out_watch,
                                                      out_shut};

void deliver_may_write(struct request *r)
{
    if (r->out != NULL)
        stream_writable(r->out);
}

void deliver_free(struct request *r)
{
    if (r->out == NULL)
        return;
    trace_buffered(&r->lane, 0);
    stream_cancel(r->out, &r->waiter);
    stream_free(r->out);
    r->out = NULL;
}

/* --- Step deliver ------------------------------------------------------- */

/* Standard output takes no more. */
static void out_failed(struct request *r, int error)
{
    run_fail(r->fetch->run, "standard output: %s", strerror(-error));
    exchange_failed(r->x, RESULT_WRITE_FAILED, strerror(-error), clock_us());
}

/* The stash has sunk to the low mark, or standard output is broken. */
static void on_drained(void *arg, int error)
{
    struct request *r = arg;
    exchange_paused(r->x, clock_us() - r->paused_us);
    trace_within(&r->lane, STEP_DELIVER, r->deliver_us);
    r->paused_us = -1;
    if (error != 0) {
        out_failed(r, error);
        request_advance(r);
        return;
    }
    request_set_timer(r);
    connection_resume(r->connection);
}

static int open_out(struct request *r)
{
    const struct options *options = r->fetch->run->options;
    r->out = stream_new_over(r->fetch->loop.base, &out_transport, r);
    if (r->out == NULL)
        return -ENOMEM;
    return stream_set_limits(r->out, (int64_t)options->high_water,
                             (int64_t)options->low_water);
}

/* To standard output: write, drain, and do not read on before it says so. */
static void deliver_ordered(struct request *r, struct span body, int64_t now)
{
    bool paused = r->paused_us != -1;
    int error = r->out != NULL ? 0 : open_out(r);
    size_t in_hand = error == 0 ? stream_buffered(r->out) + body.length : 0;
    if (in_hand > r->peak)
        r->peak = in_hand;
    if (error == 0)
        error = stream_write(r->out, body.at, body.length);
    if (error < 0) {
        exchange_failed(r->x, RESULT_NO_RESOURCES, strerror(-error),
                        clock_us());
        return;
    }
    trace_buffered(&r->lane, stream_buffered(r->out));
    if (!paused && !stream_is_paused(r->out) && stream_loss(r->out) == 0)
        return; /* the rule: nothing to wait for, nothing to tell */
    if (!paused) {
        r->waiter = (struct stream_waiter){.done = on_drained, .arg = r};
        error = stream_drain(r->out, &r->waiter);
    }
    if (error < 0)
        out_failed(r, error);
    if (error != STREAM_WAITS)
        return;
    connection_pause(r->connection);
    r->paused_us = clock_us();
    r->deliver_us = now;
}

void step_deliver(struct request *r, struct span body)
{
    struct run *run = r->fetch->run;
    int64_t before = trace_now(&r->lane);
    if (is_ordered(r)) {
        bool was_paused = r->paused_us >= 0;
        deliver_ordered(r, body, before);
        if (r->paused_us < 0 || was_paused)
            trace_within(&r->lane, STEP_DELIVER, before);
        return; /* else on_drained says how long it took */
    }
    int error = sink_write(&run->sink, &r->file, r->job, body.at, body.length);
    if (r->peak < body.length)
        r->peak = body.length;
    if (error == 0)
        run_count(run, body.length);
    else
        exchange_failed(r->x, result_of_writing(error), strerror(-error),
                        clock_us());
    trace_within(&r->lane, STEP_DELIVER, before);
}

/* --- The end of a body -------------------------------------------------- */

/* Standard output has all of the body, or will never have it. */
static void on_flushed(void *arg, int error)
{
    struct request *r = arg;
    if (error != 0)
        out_failed(r, error);
    step_finish(r);
}

bool deliver_end(struct request *r)
{
    struct run *run = r->fetch->run;
    int error = 0;
    if (!is_ordered(r)) {
        error = sink_commit(&run->sink, &r->file, r->job);
        if (error != 0)
            exchange_failed(r->x, result_of_writing(error), strerror(-error),
                            clock_us());
    } else if (r->out != NULL) {
        stream_cancel(r->out, &r->waiter);
        r->waiter = (struct stream_waiter){.done = on_flushed, .arg = r};
        stream_close(r->out);
        error = stream_wait_closed(r->out, &r->waiter);
        if (error == STREAM_WAITS)
            return true;
        if (error != 0)
            out_failed(r, error);
    }
    return false;
}
