/* writer: files of --directory, written by a helper thread. See writer.h. */
#include "writer.h"

#include "output.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

/* What is no longer waits until the callback that brought it has returned: the
 * end of a small file has come by then, and the thread is handed one errand,
 * not two. */
#define SMALL_PIECE ((size_t)16 * 1024)

/* --- In the thread, or in its place -------------------------------------- */

/* All of the piece, to a standard output that is a file. 0 or a negative
 * errno. */
static int write_out(struct writing *w)
{
    struct iovec part = {w->piece.data, w->piece.length};
    while (part.iov_len > 0) {
        ssize_t sent = output_send(w->output, &part, 1);
        if (sent < 0)
            return (int)sent;
        w->file.bytes += (size_t)sent;
        part.iov_base = (char *)part.iov_base + sent;
        part.iov_len -= (size_t)sent;
    }
    return 0;
}

/* There is no descriptor to open the file with. */
static bool is_unopened(const struct writing *w)
{
    return w->output == NULL && w->file.fd == -1 &&
           (w->error == -EMFILE || w->error == -ENFILE);
}

/* Writes a piece, and if it is the last, gives the file its name. */
static void write_piece(void *arg)
{
    struct writing *w = arg;
    struct sink *sink = &w->writer->sink;
    bool dropped = w->dropped;
    if (w->output != NULL)
        w->error = write_out(w);
    else if (!dropped && w->piece.length > 0)
        w->error = sink_write(sink, &w->file, &w->job, w->piece.data,
                              w->piece.length);
    if (!is_unopened(w))       /* else it may be tried once more */
        bytes_free(&w->piece); /* thousands may be waiting for more */
    if (!dropped && w->error == 0 && w->is_last)
        w->error = sink_commit(sink, &w->file, &w->job);
}

static void remove_file(void *arg)
{
    struct writing *w = arg;
    sink_abort(&w->writer->sink, &w->file, &w->job);
}

/* --- In the loop -------------------------------------------------------- */

static void free_writing(struct writing *w)
{
    (void)event_del(&w->after);
    remove_file(w); /* unless it is complete, or removed */
    bytes_free(&w->stash);
    bytes_free(&w->piece);
    free(w->job.name);
    free(w);
}

static void is_removed(void *arg, bool was_run)
{
    (void)was_run; /* if not, that is done now */
    free_writing(arg);
}

/* True if the file could not be opened, and an idle connection has given its
 * descriptor for another try. */
static bool may_try_again(struct writing *w)
{
    if (!is_unopened(w) || !idle_drop(w->writer->idle))
        return false;
    w->error = 0;
    return true;
}

/* So much has been written by now. */
static void note_written(struct writing *w)
{
    w->under_way -= (size_t)(w->file.bytes - w->bytes);
    w->bytes = w->file.bytes;
}

/* Has the thread do what there is to do; or does it, and then the writing is
 * not busy. */
static void hand_over(struct writing *w)
{
    (void)event_del(&w->after);
    w->piece = w->stash;
    w->stash = (struct bytes){0};
    w->under_way = w->piece.length;
    w->is_last = w->whole;
    w->busy = helper_do(&w->writer->helper, &w->write) == 0;
    if (w->busy)
        return;
    do
        write_piece(w);
    while (may_try_again(w));
    note_written(w);
}

/* The thread is done with a piece, and goes on with the next if there is one.
 */
static void is_written(void *arg, bool was_run)
{
    struct writing *w = arg;
    bool stops = w->writer->helper.stops;
    if (!w->dropped && !stops && may_try_again(w)) {
        w->busy = helper_do(&w->writer->helper, &w->write) == 0;
        return; /* it is: there is a thread, which has called us */
    }
    w->busy = false;
    if (w->dropped && !w->removes)
        free_writing(w);
    if (w->dropped || !was_run)
        return;
    note_written(w);
    /* At the end of the run only files that have their names are told. */
    if (stops && !w->is_last)
        return;
    int error = w->error;
    if (error == 0 && !w->is_last && (w->stash.length > 0 || w->whole))
        hand_over(w);
    w->done(w, error, w->arg);
}

/* The callback that brought a small piece has returned. */
static void after_callback(evutil_socket_t fd, short what, void *arg)
{
    struct writing *w = arg;
    (void)fd;
    (void)what;
    hand_over(w);
    if (!w->busy)
        w->done(w, w->error, w->arg);
}

int writer_open(struct writer *writer, struct event_base *base,
                struct trace *trace, const struct sink *sink,
                struct idle *idle, size_t number)
{
    *writer = (struct writer){.helper = {.base = base,
                                         .trace = trace,
                                         .name = "writer of files",
                                         .step = STEP_DELIVER},
                              .idle = idle};
    if (sink != NULL)
        writer->sink = *sink;
    /* A request may start over in another loop, while this one's thread has
     * not removed its file yet: each loop has names of its own for them. */
    writer->sink.key += number;
    return helper_open(&writer->helper);
}

void writer_stop(struct writer *writer)
{
    helper_stop(&writer->helper);
}

void writer_close(struct writer *writer)
{
    helper_close(&writer->helper);
}

/* --- One file ----------------------------------------------------------- */

struct writing *
writing_new(struct writer *writer, const struct job *job,
            struct output *output,
            void (*done)(struct writing *w, int error, void *arg), void *arg)
{
    struct writing *w = calloc(1, sizeof *w);
    if (w == NULL)
        return NULL;
    w->job.id = job->id;
    w->job.name = output == NULL ? strdup(job->name) : NULL;
    if (output == NULL && w->job.name == NULL) {
        free(w);
        return NULL;
    }
    w->writer = writer;
    w->output = output;
    w->file = FILE_NONE;
    w->done = done;
    w->arg = arg;
    (void)event_assign(&w->after, writer->helper.base, -1, 0, after_callback,
                       w);
    w->write = (struct errand){
        .run = write_piece, .done = is_written, .arg = w, .id = job->id};
    w->remove = (struct errand){
        .run = remove_file, .done = is_removed, .arg = w, .id = job->id};
    return w;
}

size_t writing_held(const struct writing *w)
{
    return w->stash.length + w->under_way;
}

int writing_put(struct writing *w, const char *p, size_t n)
{
    int error = w->busy ? 0 : w->error;
    if (error == 0)
        error = bytes_append(&w->stash, p, n);
    if (error != 0 || w->busy || w->stash.length == 0)
        return error;
    if (w->output == NULL && w->stash.length <= SMALL_PIECE) {
        event_active(&w->after, EV_TIMEOUT, 1);
        return 0;
    }
    hand_over(w);
    return w->busy ? 0 : w->error;
}

int writing_complete(struct writing *w)
{
    w->whole = true;
    if (!w->busy)
        hand_over(w);
    return w->busy ? WRITING_WAITS : w->error;
}

int writing_settle(struct writing *w)
{
    if (w->busy)
        helper_wait(&w->writer->helper, &w->write);
    note_written(w);
    return w->error;
}

void writing_drop(struct writing *w)
{
    if (w == NULL)
        return;
    struct helper *helper = &w->writer->helper;
    w->dropped = true;
    (void)event_del(&w->after);
    if (w->output != NULL && w->busy)
        helper_wait(helper, &w->write);
    /* The file goes behind the piece that is under way, and before whatever is
     * handed over later: the request may start over, with the same file. */
    else if (w->busy || w->file.fd != -1)
        w->removes = helper_do(helper, &w->remove) == 0;
    if (!w->busy && !w->removes)
        free_writing(w); /* else is_written or is_removed does it */
}
