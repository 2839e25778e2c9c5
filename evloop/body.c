/* body: where a request's body goes. See body.h. */
#include "body.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Written from the stash in one turn of the loop. With --high-water none it
 * may hold gigabytes, and a file takes them all. */
#define OUT_SHARE ((size_t)1024 * 1024)

/* Handed at once to the thread that writes standard output where that is a
 * file. */
#define SAVED_PIECE ((size_t)64 * 1024)

/* What `n` bytes may take in an evbuffer: it rounds up to a power of two. */
#define STASHED(n) (2 * (n) + 1024)

static bool is_ordered(const struct body *b)
{
    return options_ordered(b->run->options);
}

/* --- Standard output, in its turn: what the stream stands on ------------- */

/* Standard output takes no more: the run is to stop. */
static int out_failed(struct body *b, int error)
{
    run_fail(b->run, "standard output: %s", strerror(-error));
    return error;
}

/* ... and the body ends here. Its owner is told at once: who has written less
 * than the high mark waits for nothing that would tell. */
static void end_unwritten(struct body *b, int error)
{
    stream_cancel(b->out, &b->waiter);
    b->owner->drained(b->arg, out_failed(b, error));
}

static bool is_saving(const struct body *b)
{
    return b->writing != NULL && writing_held(b->writing) > 0;
}

/* A piece is in the file that is standard output, or could not be written. */
static void on_saved(struct writing *w, int error, void *arg)
{
    struct body *b = arg;
    (void)w;
    if (error != 0) {
        end_unwritten(b, error);
    } else if (b->completes) {
        b->owner->flushed(b->arg, 0);
    } else {
        body_may_write(b);
    }
}

/* Into a file: one piece at a time, which is taken when the helper thread has
 * it. That is not yet written, so a body is complete only after on_saved. */
static ssize_t save_out(struct body *b, const struct iovec *part)
{
    size_t n = part->iov_len < SAVED_PIECE ? part->iov_len : SAVED_PIECE;
    if (is_saving(b))
        return -EAGAIN; /* on_saved goes on */
    if (b->writing == NULL)
        b->writing =
            writing_new(b->writer, b->job, &b->run->output, on_saved, b);
    if (b->writing == NULL)
        return output_send(&b->run->output, part, 1); /* then it waits */
    int error = writing_put(b->writing, part->iov_base, n);
    return error == 0 ? (ssize_t)n : error;
}

static ssize_t out_send(void *context, const struct iovec *parts, int n)
{
    struct body *b = context;
    if (!b->owner->has_turn(b->arg) || run_stopping(b->run) ||
        (b->from_stash && b->out_turn >= OUT_SHARE))
        return -EAGAIN; /* out_watch sees to it that it goes on */
    ssize_t sent = b->run->output.saves
                       ? save_out(b, &parts[0])
                       : output_send(&b->run->output, parts, n);
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
    /* Else body_may_write will be called. */
    if (b->owner->has_turn(b->arg) && !(on && is_saving(b)))
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
    if (stream_loss(b->out) != 0)
        end_unwritten(b, stream_loss(b->out));
}

/* --- Writing ------------------------------------------------------------ */

void body_open(struct body *b, const struct body *first_seven)
{
    *b = *first_seven;
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

/* Ensures that the stash has memory for `n` bytes. A body that is partly out
 * cannot start over, so memory must not run out in the write. To allocate it
 * and give it back is enough: the loop's thread allocates nothing in between.
 */
static int have_room(struct body *b, size_t n)
{
    void *volatile room; /* or the compiler would know what becomes of it */
    while ((room = malloc(STASHED(n))) == NULL)
        if (!b->owner->make_room(b->arg))
            return -ENOMEM;
    free(room);
    return 0;
}

/* To standard output: write, drain, and say what drain says. */
static int deliver_ordered(struct body *b, const char *p, size_t n)
{
    int error = b->out == NULL ? open_out(b) : 0;
    if (error == 0 && b->written > 0)
        error = have_room(b, n);
    if (error != 0)
        return error;
    size_t in_hand = stream_buffered(b->out) + n;
    if (b->writing != NULL)
        in_hand += writing_held(b->writing);
    if (b->peak < in_hand)
        b->peak = in_hand;
    error = stream_write(b->out, p, n);
    trace_buffered(b->lane, stream_buffered(b->out));
    if (error != 0)
        return error;
    if (b->waiter.waits)
        return STREAM_WAITS; /* the rest of a chunk read before the pause */
    b->waiter = (struct stream_waiter){.done = on_drained, .arg = b};
    error = stream_drain(b->out, &b->waiter);
    return error < 0 ? out_failed(b, error) : error;
}

/* Counts what the file has got. */
static void count_written(struct body *b)
{
    run_count(b->run, b->writing->bytes - b->file.bytes);
    b->file.bytes = b->writing->bytes;
    trace_buffered(b->lane, writing_held(b->writing));
}

/* A piece has been written, or could not be. */
static void on_written(struct writing *w, int error, void *arg)
{
    struct body *b = arg;
    count_written(b);
    if (b->completes) {
        if (error != 0 || (w->is_last && !w->busy))
            b->owner->flushed(b->arg, error);
        return;
    }
    /* The source is resumed at the high mark, not at the low one as a stream's
     * is: so it brings the next piece while the thread writes this one. */
    if (error == 0 &&
        (!b->waits || writing_held(w) > b->run->options->high_water))
        return;
    b->waits = false;
    b->owner->drained(b->arg, error);
}

/* To a file: by the helper thread, which may be behind. */
static int deliver_to_file(struct body *b, const char *p, size_t n)
{
    size_t high_water = b->run->options->high_water;
    if (b->writing == NULL)
        b->writing = writing_new(b->writer, b->job, NULL, on_written, b);
    if (b->writing == NULL)
        return -ENOMEM;
    int error = writing_put(b->writing, p, n);
    count_written(b);
    size_t in_hand = writing_held(b->writing);
    if (b->peak < in_hand)
        b->peak = in_hand;
    if (error == 0 && in_hand > high_water)
        b->waits = true;
    return error == 0 && b->waits ? STREAM_WAITS : error;
}

int body_write(struct body *b, const char *p, size_t n)
{
    if (is_ordered(b))
        return deliver_ordered(b, p, n);
    if (b->run->options->directory != NULL)
        return deliver_to_file(b, p, n);
    if (b->peak < n)
        b->peak = n;
    int error = sink_write(&b->run->sink, &b->file, b->job, p, n);
    if (error == 0)
        run_count(b->run, n);
    return error;
}

/* Drops what was written to the file, unless the file is complete. */
static void forget_file(struct body *b)
{
    writing_drop(b->writing);
    b->writing = NULL;
    sink_abort(&b->run->sink, &b->file, b->job);
    b->waits = b->completes = false;
}

void body_restart(struct body *b)
{
    forget_file(b);
}

/* --- The end of a body -------------------------------------------------- */

/* Standard output has all of the body, or will never have it. */
static void on_flushed(void *arg, int error)
{
    struct body *b = arg;
    b->completes = error == 0 && is_saving(b);
    if (!b->completes) /* else on_saved goes on */
        b->owner->flushed(b->arg, error == 0 ? 0 : out_failed(b, error));
}

/* The file gets its name, when it has all bytes; with --sync that is when the
 * disk has them. */
static int complete_file(struct body *b)
{
    if (b->writing == NULL) /* the body is empty */
        b->writing = writing_new(b->writer, b->job, NULL, on_written, b);
    if (b->writing == NULL)
        return -ENOMEM;
    b->completes = true;
    int error = writing_complete(b->writing);
    if (error == WRITING_WAITS)
        return STREAM_WAITS;
    count_written(b);
    return error;
}

int complete_body(struct body *b)
{
    if (b->run->options->directory != NULL)
        return complete_file(b);
    if (!is_ordered(b))
        return sink_commit(&b->run->sink, &b->file, b->job);
    if (b->out == NULL)
        return 0;
    stream_cancel(b->out, &b->waiter);
    b->waiter = (struct stream_waiter){.done = on_flushed, .arg = b};
    stream_close(b->out);
    int error = stream_wait_closed(b->out, &b->waiter);
    b->completes = error == 0 && is_saving(b);
    if (b->completes)
        return STREAM_WAITS; /* on_saved goes on */
    return error < 0 ? out_failed(b, error) : error;
}

void body_close(struct body *b)
{
    forget_file(b);
    if (b->out == NULL)
        return;
    trace_buffered(b->lane, 0);
    stream_cancel(b->out, &b->waiter);
    stream_free(b->out);
    b->out = NULL;
}

/* What the thread was given for standard output counts as written: it mostly
 * is, by the end. But a run may be interrupted, or a disk full. */
static void settle(struct body *b)
{
    int error = writing_settle(b->writing);
    b->written -= writing_held(b->writing);
    writing_drop(b->writing);
    b->writing = NULL;
    if (error != 0)
        (void)out_failed(b, error);
}

uint64_t body_bytes(struct body *b)
{
    if (is_ordered(b) && b->writing != NULL)
        settle(b);
    return is_ordered(b) ? b->written : b->file.bytes;
}
