/* spool: text that no request waits for. See spool.h. */
#include "spool.h"

#include <errno.h>

/* Written in a row by one thread, which has something else to do as well. */
#define FLUSH_SHARE 16

int spool_open(struct spool *s, int fd, size_t room)
{
    *s = (struct spool){.output = {.fd = -1}};
    int error = -pthread_mutex_init(&s->lock, NULL);
    if (error != 0)
        return error;
    error = bytes_reserve(&s->text, room);
    if (error == 0)
        error = bytes_reserve(&s->taken, room);
    if (error == 0)
        output_open(&s->output, fd);
    else
        spool_close(s);
    return error;
}

void spool_close(struct spool *s)
{
    output_close(&s->output);
    bytes_free(&s->text);
    bytes_free(&s->taken);
    (void)pthread_mutex_destroy(&s->lock);
}

struct bytes *spool_begin(struct spool *s)
{
    pthread_mutex_lock(&s->lock);
    return &s->text;
}

static void count_locked(struct spool *s)
{
    s->length = s->taken.length - s->written + s->text.length;
}

void spool_end(struct spool *s)
{
    count_locked(s);
    pthread_mutex_unlock(&s->lock);
}

/* Has something in `taken`, if there is anything. */
static void take_locked(struct spool *s)
{
    if (s->written < s->taken.length)
        return;
    struct bytes empty = s->taken;
    empty.length = 0;
    s->taken = s->text;
    s->text = empty;
    s->written = 0;
}

/* Notes what came of a write. */
static void note_locked(struct spool *s, ssize_t sent)
{
    if (sent > 0)
        s->written += (size_t)sent;
    if (sent < 0 && sent != -EAGAIN) {
        if (s->error == 0)
            s->error = (int)sent;
        s->taken.length = s->text.length = s->written = 0;
    }
    count_locked(s);
}

/* One write. False if there is no use in another one now. */
static bool write_some_locked(struct spool *s)
{
    if (s->length == 0)
        return false;
    take_locked(s);
    struct iovec part = {s->taken.data + s->written,
                         s->taken.length - s->written};
    pthread_mutex_unlock(&s->lock);
    ssize_t sent = output_send(&s->output, &part, 1);
    pthread_mutex_lock(&s->lock);
    note_locked(s, sent);
    return sent > 0;
}

size_t spool_flush(struct spool *s, size_t least)
{
    int left = FLUSH_SHARE;
    pthread_mutex_lock(&s->lock);
    if (!s->writing && s->length >= least) {
        s->writing = true;
        while (left > 0 && write_some_locked(s))
            left--;
        s->writing = false;
        s->stalled = s->length > 0;
    }
    size_t length = s->length;
    pthread_mutex_unlock(&s->lock);
    return length;
}

bool spool_is_full(struct spool *s)
{
    pthread_mutex_lock(&s->lock);
    bool is_full = s->length >= SPOOL_MOST;
    pthread_mutex_unlock(&s->lock);
    return is_full;
}

bool spool_is_stalled(struct spool *s)
{
    pthread_mutex_lock(&s->lock);
    bool is_stalled = s->stalled;
    pthread_mutex_unlock(&s->lock);
    return is_stalled;
}

int spool_error(struct spool *s)
{
    pthread_mutex_lock(&s->lock);
    int error = s->error;
    pthread_mutex_unlock(&s->lock);
    return error;
}
