/* Style: looks at the flags of the stream before it asks drain */
/* body: where a request's body goes. See body.h. */
#include "body.h"

#include <errno.h>
#include <string.h>

/* Written from the stash in one turn of the loop. With --high-water none it
 * may hold gigabytes, and a file takes them all. */
#define OUT_SHARE ((size_t)1024 * 1024)

static bool is_ordered(const struct body *b)
{
    return options_ordered(b->run->options);
}

/* --- Standard output, in its turn: what the stream stands on ------------- */

static ssize_t out_send(void *context, const struct iovec *parts, int n)
{
    struct body *b = context;
    if (!b->owner->has_turn(b->arg) || run_stopping(b->run) ||
        (b->from_stash && b->out_turn >= OUT_SHARE))
        return -EAGAIN; /* out_watch sees to it that it goes on */
    ssize_t sent = output_send(&b->run->output, parts, n);
    if (sent > 0) {
        size_t held = stream_buffered(b->out);
        trace_buffered(b->lane, held > (size_t)sent ? held - (size_t)sent : 0);
        b->written += (size_t)sent;
        b->out_turn += (size_t)sent;
        run_count(b->run, (size_t)sent);
    }
    return sent;
}

static void out_watch(void *context, bool on)
{
    struct body *b = context;
    if (b->owner->has_turn(b->arg)) /* else body_may_write will be called */
        b->owner->watch_output(b->arg, on);
}

static void out_shut(void *context)
{
    (void)context; /* standard output stays open */
}

static const struct stream_transport out_transport = {out_send, out_watch,
                                                      out_shut};

void body_may_write(struct body *b)
{
    if (b->out == NULL)
        return;
    b->out_turn = 0;
    b->from_stash = true;
    stream_writable(b->out);
    b->from_stash = false;
}

/* Standard output takes no more: the run is to stop. */
static int out_failed(struct body *b, int error)
{
    run_fail(b->run, "standard output: %s", strerror(-error));
    return error;
}

/* --- Writing ------------------------------------------------------------ */

void body_open(struct body *b, const struct body *first_six)
{
    *b = *first_six;
    b->file = FILE_NONE;
}

static void on_drained(void *arg, int error)
{
    struct body *b = arg;
    b->owner->drained(b->arg, error == 0 ? 0 : out_failed(b, error));
}

static int open_out(struct body *b)
{
    const struct options *options = b->run->options;
    b->out = stream_new_over(b->base, &out_transport, b);
    if (b->out == NULL)
        return -ENOMEM;
    return stream_set_limits(b->out, (int64_t)options->high_water,
                             (int64_t)options->low_water);
}

/* To standard output: write, drain, and say what drain says. */
static int deliver_ordered(struct body *b, const char *p, size_t n)
{
    bool waits = b->waiter.waits;
    int error = b->out != NULL ? 0 : open_out(b);
    size_t in_hand = error == 0 ? stream_buffered(b->out) + n : 0;
    if (in_hand > b->peak)
        b->peak = in_hand;
    if (error == 0)
        error = stream_write(b->out, p, n);
    if (error < 0)
        return error;
    trace_buffered(b->lane, stream_buffered(b->out));
    if (waits)
        return STREAM_WAITS;
    if (!stream_is_paused(b->out) && stream_loss(b->out) == 0)
        return 0; /* the rule: nothing to wait for, nothing to tell */
    b->waiter = (struct stream_waiter){.done = on_drained, .arg = b};
    error = stream_drain(b->out, &b->waiter);
    return error == STREAM_WAITS || error == 0 ? error : out_failed(b, error);
}

int body_write(struct body *b, const char *p, size_t n)
{
    if (is_ordered(b))
        return deliver_ordered(b, p, n);
    /* Waits for the disk, and the loop with it: mostly for a copy into the page
     * cache, but a disk that is behind makes every writer wait. */
    int error = sink_write(&b->run->sink, &b->file, b->job, p, n);
    if (b->peak < n)
        b->peak = n;
    if (error == 0)
        run_count(b->run, n);
    return error;
}

void body_restart(struct body *b)
{
    sink_abort(&b->run->sink, &b->file, b->job);
}

/* --- The end of a body -------------------------------------------------- */

/* Standard output has all of the body, or will never have it. */
static void on_flushed(void *arg, int error)
{
    struct body *b = arg;
    b->owner->flushed(b->arg, error == 0 ? 0 : out_failed(b, error));
}

int complete_body(struct body *b)
{
    /* With --sync this waits for the disk, and the loop with it: no other
     * request goes on meanwhile. */
    if (!is_ordered(b))
        return sink_commit(&b->run->sink, &b->file, b->job);
    if (b->out == NULL)
        return 0;
    stream_cancel(b->out, &b->waiter);
    b->waiter = (struct stream_waiter){.done = on_flushed, .arg = b};
    stream_close(b->out);
    int error = stream_wait_closed(b->out, &b->waiter);
    return error < 0 ? out_failed(b, error) : error;
}

void body_close(struct body *b)
{
    sink_abort(&b->run->sink, &b->file, b->job); /* if not committed */
    if (b->out == NULL)
        return;
    trace_buffered(b->lane, 0);
    stream_cancel(b->out, &b->waiter);
    stream_free(b->out);
    b->out = NULL;
}

uint64_t body_bytes(struct body *b)
{
    return is_ordered(b) ? b->written : b->file.bytes;
}
