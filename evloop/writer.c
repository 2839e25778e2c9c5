/* writer: files of --directory, written by a helper thread. See writer.h. */
#include "writer.h"

#include "output.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* So many files go on in one turn of the loop. */
#define TELL_SHARE 16

/* --- Lists -------------------------------------------------------------- */

/* *last means nothing while the list is empty. */
static void append(struct writing **first, struct writing **last,
                   struct writing *w)
{
    w->next = NULL;
    if (*first != NULL)
        (*last)->next = w;
    else
        *first = w;
    *last = w;
}

static struct writing *take_first(struct writing **first)
{
    struct writing *w = *first;
    if (w != NULL)
        *first = w->next;
    return w;
}

/* --- In the thread, or in its place -------------------------------------- */

static bool is_dropped(struct writer *writer, const struct writing *w)
{
    pthread_mutex_lock(&writer->lock);
    bool dropped = w->dropped;
    pthread_mutex_unlock(&writer->lock);
    return dropped;
}

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

/* Does what is to be done: a piece, and if it is the last, the rest. */
static void work(struct writer *writer, struct writing *w)
{
    bool dropped = is_dropped(writer, w);
    if (w->output != NULL)
        w->error = write_out(w);
    else if (!dropped && w->piece.length > 0)
        w->error = sink_write(&writer->sink, &w->file, &w->job, w->piece.data,
                              w->piece.length);
    bytes_free(&w->piece); /* thousands may be waiting for more */
    if (!dropped && w->error == 0 && w->is_last)
        w->error = sink_commit(&writer->sink, &w->file, &w->job);
}

/* Waits for something to do. NULL when the thread is to end. */
static struct writing *take(struct writer *writer)
{
    struct writing *w = NULL;
    pthread_mutex_lock(&writer->lock);
    while (writer->first == NULL && !writer->stop)
        pthread_cond_wait(&writer->work, &writer->lock);
    if (!writer->stop)
        w = take_first(&writer->first);
    pthread_mutex_unlock(&writer->lock);
    return w;
}

/* True if it is back with the loop. Not if it has been dropped. */
static bool put_back(struct writer *writer, struct writing *w, bool removed)
{
    pthread_mutex_lock(&writer->lock);
    bool back = !w->dropped || removed;
    w->back = back;
    if (back)
        append(&writer->written, &writer->written_last, w);
    pthread_cond_broadcast(&writer->work); /* for who waits for this */
    pthread_mutex_unlock(&writer->lock);
    return back; /* by now it may be gone */
}

static void *run(void *arg)
{
    struct writer *writer = arg;
    uint64_t one = 1;
    struct writing *w;
    while ((w = take(writer)) != NULL) {
        int64_t before = trace_now(&writer->lane);
        trace_about(&writer->lane, w->job.id);
        work(writer, w);
        trace_within(&writer->lane, STEP_DELIVER, before);
        if (!put_back(writer, w, false)) {
            /* Before the next is taken: the request may have started over, and
             * has the same file. */
            sink_abort(&writer->sink, &w->file, &w->job);
            (void)put_back(writer, w, true);
        }
        /* It fails only when the counter is full: then the loop is told
         * anyway. */
        (void)!write(writer->told, &one, sizeof one);
    }
    return NULL;
}

/* --- In the loop -------------------------------------------------------- */

static void free_writing(struct writing *w)
{
    bytes_free(&w->stash);
    bytes_free(&w->piece);
    free(w->job.name);
    free(w);
}

static void on_told(evutil_socket_t fd, short what, void *arg);

/* Makes the thread, with all signals blocked: they are the main thread's. */
static int start_thread(struct writer *writer)
{
    sigset_t all;
    sigset_t before;
    if (writer->stop)
        return -ECANCELED;
    writer->told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (writer->told == -1)
        return -errno;
    event_assign(&writer->event, writer->base, writer->told,
                 EV_READ | EV_PERSIST, on_told, writer);
    int error = event_add(&writer->event, NULL) == 0 ? 0 : -ENOMEM;
    if (error == 0) {
        trace_add(writer->trace, &writer->lane, "writer of files");
        sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &before);
        error = -pthread_create(&writer->thread, NULL, run, writer);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    if (error != 0) {
        event_del(&writer->event);
        (void)close(writer->told);
        writer->told = -1;
    }
    return error;
}

/* Has the thread do what there is to do; or does it, and then the writing is
 * not busy. */
static void hand_over(struct writer *writer, struct writing *w)
{
    w->piece = w->stash;
    w->stash = (struct bytes){0};
    w->under_way = w->piece.length;
    w->is_last = w->whole;
    if (writer->told == -1 && start_thread(writer) != 0) {
        work(writer, w);
        w->under_way = 0;
        w->bytes = w->file.bytes;
        return;
    }
    w->busy = true;
    w->back = false;
    pthread_mutex_lock(&writer->lock);
    append(&writer->first, &writer->last, w);
    pthread_cond_signal(&writer->work);
    pthread_mutex_unlock(&writer->lock);
}

/* One that the thread is done with. NULL: there is none. */
static struct writing *take_written(struct writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    struct writing *w = take_first(&writer->written);
    pthread_mutex_unlock(&writer->lock);
    return w;
}

/* The thread is done with it, and goes on with it if there is more. */
static void go_on(struct writer *writer, struct writing *w)
{
    w->busy = false;
    w->under_way = 0;
    if (w->dropped) {
        free_writing(w);
        return;
    }
    int error = w->error;
    w->bytes = w->file.bytes;
    if (error == 0 && !w->is_last && (w->stash.length > 0 || w->whole))
        hand_over(writer, w);
    w->done(w, error, w->arg);
}

static void on_told(evutil_socket_t fd, short what, void *arg)
{
    struct writer *writer = arg;
    uint64_t count = 1;
    struct writing *w;
    (void)what;
    (void)!read(fd, &count, sizeof count);
    for (int i = 0; i < TELL_SHARE; i++) {
        w = take_written(writer);
        if (w == NULL)
            return;
        go_on(writer, w);
    }
    (void)!write(fd, &count, sizeof count); /* the rest after the others */
}

int writer_open(struct writer *writer, struct event_base *base,
                struct trace *trace, const struct sink *sink, size_t number)
{
    *writer = (struct writer){.base = base, .trace = trace, .told = -1};
    if (sink != NULL)
        writer->sink = *sink;
    /* A request may start over in another loop, while this one's thread has
     * not removed its file yet: each loop has names of its own for them. */
    writer->sink.key += number;
    int error = -pthread_mutex_init(&writer->lock, NULL);
    if (error != 0)
        return error;
    error = -pthread_cond_init(&writer->work, NULL);
    if (error != 0)
        (void)pthread_mutex_destroy(&writer->lock);
    return error;
}

/* What the thread has not begun is not done any more. */
static void leave(struct writing *w)
{
    w->busy = false;
    if (w->dropped)
        free_writing(w);
}

void writer_stop(struct writer *writer)
{
    struct writing *w;
    pthread_mutex_lock(&writer->lock);
    writer->stop = true;
    pthread_cond_signal(&writer->work);
    pthread_mutex_unlock(&writer->lock);
    if (writer->told == -1)
        return;
    (void)pthread_join(writer->thread, NULL);
    event_del(&writer->event);
    (void)close(writer->told);
    writer->told = -1;
    while ((w = take_first(&writer->first)) != NULL) {
        if (w->dropped)
            sink_abort(&writer->sink, &w->file, &w->job);
        leave(w);
    }
    while ((w = take_written(writer)) != NULL) {
        if (w->is_last && !w->dropped)
            go_on(writer, w);
        else
            leave(w);
    }
}

void writer_close(struct writer *writer)
{
    writer_stop(writer);
    (void)pthread_cond_destroy(&writer->work);
    (void)pthread_mutex_destroy(&writer->lock);
}

/* --- One file ----------------------------------------------------------- */

struct writing *
writing_new(const struct job *job,
            void (*done)(struct writing *w, int error, void *arg), void *arg)
{
    struct writing *w = calloc(1, sizeof *w);
    if (w == NULL)
        return NULL;
    w->job = (struct job){.id = job->id, .name = strdup(job->name)};
    if (w->job.name == NULL) {
        free(w);
        return NULL;
    }
    w->file = FILE_NONE;
    w->done = done;
    w->arg = arg;
    return w;
}

struct writing *writing_new_out(struct output *output, const struct job *job,
                                void (*done)(struct writing *w, int error,
                                             void *arg),
                                void *arg)
{
    struct writing *w = calloc(1, sizeof *w);
    if (w == NULL)
        return NULL;
    w->output = output;
    w->job.id = job->id;
    w->file = FILE_NONE;
    w->done = done;
    w->arg = arg;
    return w;
}

size_t writing_held(const struct writing *w)
{
    return w->stash.length + w->under_way;
}

int writing_put(struct writer *writer, struct writing *w, const char *p,
                size_t n)
{
    int error = w->busy ? 0 : w->error;
    if (error == 0)
        error = bytes_append(&w->stash, p, n);
    if (error == 0 && !w->busy && w->stash.length > 0) {
        hand_over(writer, w);
        error = w->busy ? 0 : w->error;
    }
    return error;
}

int writing_complete(struct writer *writer, struct writing *w)
{
    w->whole = true;
    if (!w->busy)
        hand_over(writer, w);
    return w->busy ? WRITING_WAITS : w->error;
}

/* True if the thread is not at it, nor going to be. If it was told to the loop
 * just now, that is taken back. */
static bool is_free_locked(struct writer *writer, struct writing *w)
{
    if (!w->busy)
        return true;
    if (!w->back)
        return false;
    struct writing *before = NULL;
    struct writing *at = writer->written;
    for (; at != w; at = at->next)
        before = at;
    *(before != NULL ? &before->next : &writer->written) = w->next;
    if (writer->written_last == w)
        writer->written_last = before;
    return true;
}

void writing_drop(struct writer *writer, struct writing *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&writer->lock);
    while (w->output != NULL && w->busy && !w->back)
        pthread_cond_wait(&writer->work, &writer->lock);
    bool is_free = is_free_locked(writer, w);
    w->dropped = true;
    pthread_mutex_unlock(&writer->lock);
    if (!is_free)
        return;
    w->busy = false;
    bytes_free(&w->stash);
    if (w->file.fd != -1 && writer->told != -1) {
        hand_over(writer, w); /* to be removed */
        return;
    }
    sink_abort(&writer->sink, &w->file, &w->job);
    free_writing(w);
}
