/*
 * reader: regular files for an event loop, read by a helper thread.
 *
 * A loop can wait for sockets and pipes, but not for a disk: epoll refuses
 * regular files (EPERM), poll and select call them ready at any time, and the
 * read then waits for the disk and everything else in the loop waits with it.
 * So one thread does nothing but open and read files, a chunk at a time, and
 * tells the loop through an eventfd. (Python's asyncio has no file reading for
 * the same reason; aiofiles hands it to a pool of threads, as we do.)
 *
 * A chunk is read only when it is asked for, so not asking is back-pressure,
 * and a reader that waits for its turn keeps no other from reading.
 *
 *     IDLE --- reading_next ---> BUSY --- on_told, calls `done` ---> IDLE
 *
 * All functions are for the loop's thread.
 */
#ifndef TRIPTYCH_READER_H
#define TRIPTYCH_READER_H

#include <event2/event_struct.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "trace.h"

struct event_base;

struct reader {
    struct event_base *base;
    struct trace *trace;
    struct event event; /* the thread has told something */
    int told;           /* the eventfd; -1 until the thread is made */
    pthread_t thread;
    uint64_t parcels; /* chunks asked for */
    struct lane lane; /* the thread's, of --trace */

    /* Behind `lock`: */
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct reading *first; /* to be read, in this order */
    struct reading *last;  /* no meaning while there is no first */
    struct reading *read;  /* done, to be told in this order */
    struct reading *read_last;
    bool stop;
};

/* One file being read. */
struct reading {
    char *chunk;    /* what was read; valid until the next reading_next */
    ssize_t length; /* its bytes; 0: the end; or a negative errno as of
                     * regular_open */
    void (*done)(struct reading *reading, void *arg);
    void *arg;

    /* The reader's: */
    char *path;
    int fd; /* -1: not open yet */
    uint64_t offset;
    uint64_t id;     /* of the request; the same for ... */
    uint64_t parcel; /* ... the chunk: by this it is told apart */
    bool busy;
    bool dropped;
    struct reading *next;
};

/* Read at once, at most. */
#define READING_CHUNK ((size_t)64 * 1024)

/* Prepares a reader. The thread is made when it is first needed. 0 or a
 * negative errno. */
int reader_open(struct reader *reader, struct event_base *base,
                struct trace *trace);

/* Ends the thread, after the read that it is at. No reading may be left but
 * dropped ones. */
void reader_close(struct reader *reader);

/* Begins with the file `path`, which is copied, for request `id`; nothing is
 * opened yet. NULL when memory is short. */
struct reading *reading_new(const char *path, uint64_t id,
                            void (*done)(struct reading *reading, void *arg),
                            void *arg);

/* Asks for the next chunk; `done` will be called. 0; or a negative errno when
 * the thread cannot be made, and nothing will be called. */
int reading_next(struct reader *reader, struct reading *reading);

/* The file is of no interest any more; `done` will not be called. */
void reading_drop(struct reader *reader, struct reading *reading);

#endif
