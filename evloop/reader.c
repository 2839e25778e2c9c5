/* reader: regular files, read by a helper thread. See reader.h. */
#include "reader.h"

#include "regular.h"

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
static void append(struct reading **first, struct reading **last,
                   struct reading *r)
{
    if (*first != NULL)
        (*last)->next = r;
    else
        *first = r;
    *last = r;
}

static struct reading *take_first(struct reading **first)
{
    struct reading *r = *first;
    if (r != NULL)
        *first = r->next;
    return r;
}

/* --- In the thread ------------------------------------------------------ */

/* Opens the file if need be, and reads a chunk. */
static void read_chunk(struct reader *reader, struct reading *r)
{
    uint64_t size;
    int64_t before = trace_now(&reader->lane);
    trace_about(&reader->lane, r->id);
    if (r->fd == -1) {
        int fd = regular_open(r->path, &size);
        if (fd < 0) {
            r->length = fd;
            return;
        }
        r->fd = fd;
    }
    do
        r->length = pread(r->fd, r->chunk, READING_CHUNK, (off_t)r->offset);
    while (r->length == -1 && errno == EINTR);
    if (r->length == -1)
        r->length = -errno;
    else
        r->offset += (uint64_t)r->length;
    trace_hand_over(&reader->lane, PARCEL_BODY, r->parcel);
    trace_within(&reader->lane, STEP_RECEIVE, before);
}

/* Waits for something to read. NULL when there will be nothing any more. */
static struct reading *take(struct reader *reader)
{
    struct reading *r = NULL;
    pthread_mutex_lock(&reader->lock);
    while (reader->first == NULL && !reader->stop)
        pthread_cond_wait(&reader->work, &reader->lock);
    if (!reader->stop)
        r = take_first(&reader->first);
    pthread_mutex_unlock(&reader->lock);
    return r;
}

static void give_back(struct reader *reader, struct reading *r)
{
    uint64_t one = 1;
    pthread_mutex_lock(&reader->lock);
    r->next = NULL;
    append(&reader->read, &reader->read_last, r);
    pthread_mutex_unlock(&reader->lock);
    /* It fails only when the counter is full: then the loop is told anyway. */
    (void)!write(reader->told, &one, sizeof one);
}

static void *run(void *arg)
{
    struct reader *reader = arg;
    struct reading *r;
    while ((r = take(reader)) != NULL) {
        read_chunk(reader, r);
        give_back(reader, r);
    }
    return NULL;
}

/* --- In the loop -------------------------------------------------------- */

static void free_reading(struct reading *r)
{
    if (r->fd != -1)
        (void)close(r->fd);
    free(r->path);
    free(r->chunk);
    free(r);
}

/* One that was read. NULL: there is none. */
static struct reading *take_read(struct reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    struct reading *r = take_first(&reader->read);
    pthread_mutex_unlock(&reader->lock);
    return r;
}

/* The thread has given something back. */
static void on_told(evutil_socket_t fd, short what, void *arg)
{
    struct reader *reader = arg;
    uint64_t count = 1;
    struct reading *r;
    (void)what;
    (void)!read(fd, &count, sizeof count);
    for (int i = 0; i < TELL_SHARE; i++) {
        r = take_read(reader);
        if (r == NULL)
            return;
        r->busy = false;
        if (r->dropped)
            free_reading(r);
        else
            r->done(r, r->arg);
    }
    (void)!write(fd, &count, sizeof count); /* the rest after the others */
}

/* Makes the thread, with all signals blocked: they are the main thread's. */
static int start_thread(struct reader *reader)
{
    sigset_t all;
    sigset_t before;
    reader->told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (reader->told == -1)
        return -errno;
    event_assign(&reader->event, reader->base, reader->told,
                 EV_READ | EV_PERSIST, on_told, reader);
    int error = event_add(&reader->event, NULL) == 0 ? 0 : -ENOMEM;
    if (error == 0) {
        trace_add(reader->trace, &reader->lane, "reader of files");
        sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &before);
        error = -pthread_create(&reader->thread, NULL, run, reader);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    if (error != 0) {
        event_del(&reader->event);
        (void)close(reader->told);
        reader->told = -1;
    }
    return error;
}

int reader_open(struct reader *reader, struct event_base *base,
                struct trace *trace)
{
    *reader = (struct reader){.base = base, .trace = trace, .told = -1};
    int error = -pthread_mutex_init(&reader->lock, NULL);
    if (error != 0)
        return error;
    error = -pthread_cond_init(&reader->work, NULL);
    if (error != 0)
        (void)pthread_mutex_destroy(&reader->lock);
    return error;
}

static void free_list(struct reading *list)
{
    while (list != NULL) {
        struct reading *next = list->next;
        free_reading(list);
        list = next;
    }
}

void reader_close(struct reader *reader)
{
    if (reader->told != -1) {
        pthread_mutex_lock(&reader->lock);
        reader->stop = true;
        pthread_cond_signal(&reader->work);
        pthread_mutex_unlock(&reader->lock);
        (void)pthread_join(reader->thread, NULL);
        event_del(&reader->event);
        (void)close(reader->told);
    }
    free_list(reader->first);
    free_list(reader->read);
    (void)pthread_cond_destroy(&reader->work);
    (void)pthread_mutex_destroy(&reader->lock);
}

struct reading *reading_new(const char *path, uint64_t id,
                            void (*done)(struct reading *reading, void *arg),
                            void *arg)
{
    struct reading *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    r->done = done;
    r->arg = arg;
    r->fd = -1;
    r->id = id;
    r->path = strdup(path);
    r->chunk = malloc(READING_CHUNK);
    if (r->path == NULL || r->chunk == NULL) {
        free_reading(r);
        return NULL;
    }
    return r;
}

int reading_next(struct reader *reader, struct reading *r)
{
    int error = reader->told == -1 ? start_thread(reader) : 0;
    if (error != 0)
        return error;
    r->busy = true;
    r->next = NULL;
    r->parcel = ++reader->parcels;
    pthread_mutex_lock(&reader->lock);
    append(&reader->first, &reader->last, r);
    pthread_cond_signal(&reader->work);
    pthread_mutex_unlock(&reader->lock);
    return 0;
}

void reading_drop(struct reader *reader, struct reading *r)
{
    (void)reader;
    if (r == NULL)
        return;
    r->dropped = true; /* looked at by the loop's thread alone */
    if (!r->busy)
        free_reading(r);
}
