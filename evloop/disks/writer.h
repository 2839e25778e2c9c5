/*
 * writer: what is saved - files of --directory, and standard output that is a
 * file - is written by a helper thread (helper.h).
 *
 *     writing_put --> stash --> the thread: open, write --> `done`
 *     writing_complete --> the rest of it, close, rename --> `done`
 *     writing_drop --> close, remove
 *
 * Of one file one piece is under way at a time, and the next is stashed
 * meanwhile; the pieces of many go to the thread in order. What is held, stash
 * and piece, the owner is to keep below its high mark: it pauses the source
 * until `done` says that it has sunk.
 *
 * If the thread cannot be made, the loop does its work and waits: that is
 * better than not at all.
 *
 * All functions are for the loop's thread.
 */
#ifndef TRIPTYCH_WRITER_H
#define TRIPTYCH_WRITER_H

#include "bytes.h"
#include "helper.h"
#include "idle.h"
#include "sink.h"

#include <event2/event_struct.h>
#include <stdatomic.h>

struct output;

struct writer {
    struct helper helper;
    struct sink sink; /* as the run's, but for its key */
    struct idle *idle;
};

/* One file being written. */
struct writing {
    /* A piece was written, or (a negative errno) could not be. If it was the
     * last, the file has its name. */
    void (*done)(struct writing *writing, int error, void *arg);
    void *arg;
    struct writer *writer;

    /* The thread's while busy: */
    struct file file;
    int error;
    struct bytes piece;

    uint64_t bytes; /* of the file so far, for the owner to read */

    /* The writer's: */
    struct output *output; /* NULL: a file of the sink, of this ... */
    struct job job;        /* ... id and name */
    struct bytes stash;    /* the next piece */
    size_t under_way;      /* bytes of the piece */
    bool whole;            /* no more bytes come */
    bool is_last;          /* ... after this piece: then it gets its name */
    bool busy;             /* a piece is the thread's, or going to be */
    bool removes;          /* the other errand is: it frees this */
    struct event after;    /* ... this callback a small piece is handed over */
    atomic_bool dropped;
    struct errand write;
    struct errand remove;
};

/* Prepares a writer into the sink's directory (NULL: for files that will never
 * be). `number` is the loop's; a connection of `idle` is closed where a file
 * lacks a descriptor. 0 or a negative errno. */
int writer_open(struct writer *writer, struct event_base *base,
                struct trace *trace, const struct sink *sink,
                struct idle *idle, size_t number);

/* Ends the thread, after what it is at, and tells `done` of files that have
 * their names. From now on the loop does the work. For the end of the run. */
void writer_stop(struct writer *writer);

/* Frees it. All writings must be complete or dropped. */
void writer_close(struct writer *writer);

/* Begins with the job's file; nothing is opened yet. Or with the job's bytes
 * into `output`, which are never complete. NULL when memory is short. */
struct writing *writing_new(
    struct writer *writer, const struct job *job, struct output *output,
    void (*done)(struct writing *writing, int error, void *arg), void *arg);

/* Takes `n` bytes. 0 or a negative errno. */
int writing_put(struct writing *writing, const char *p, size_t n);

/* Bytes that are not written yet. */
size_t writing_held(const struct writing *writing);

/* All bytes are there. 0: the file has its name; WRITING_WAITS: `done` tells
 * when it has; or a negative errno. */
#define WRITING_WAITS 1
int writing_complete(struct writing *writing);

/* Of standard output: waits for the piece that is under way. Then writing_held
 * is what was not written. 0, or the negative errno that writing has met. */
int writing_settle(struct writing *writing);

/* It is of no interest any more, or complete: `done` will not be called, and
 * what is left of an incomplete file is removed. A piece that is on its way to
 * standard output is waited for: what comes next there may be another loop's.
 * Nothing for NULL. */
void writing_drop(struct writing *writing);

#endif
