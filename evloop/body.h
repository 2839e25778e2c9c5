/*
 * body: a request's body on its way to its destination.
 *
 * Bodies for standard output go through a stream of their own. It sends only
 * when it is the body's turn - before, every send is told "not now" - so it
 * fills up to the high-watermark, and then body_write says that its source is
 * to pause until the stash has sunk. No thread sleeps; the kernel's buffers
 * fill, and the server stops. Bodies for files go to a helper thread
 * (writer.h), and so do those for a standard output that is a file. Their
 * source pauses above the high-watermark, too, but is resumed as soon as less
 * is held: a disk that is behind stops their servers, and no other. Bodies
 * that are not kept go to the sink at once, which need not wait for a disk.
 *
 * For the loop's thread.
 */
#ifndef TRIPTYCH_BODY_H
#define TRIPTYCH_BODY_H

#include "run.h"
#include "stream.h"
#include "writer.h"

struct event_base;

/* The user of a body. `arg` is passed to each. */
struct body_owner {
    /* True if it may go to standard output. */
    bool (*has_turn)(void *arg);
    /* From now on, until told otherwise, body_may_write is to be called when
     * standard output takes something. */
    void (*watch_output)(void *arg, bool on);
    /* Memory is short for a body that is partly out, and so cannot start over.
     * True if some was given back. */
    bool (*make_room)(void *arg);
    /* After body_write said STREAM_WAITS: the stash has sunk, for a stream to
     * the low mark, for a file below the high one. Or, also if it did not say
     * so: the destination is broken (a negative errno). */
    void (*drained)(void *arg, int error);
    /* After complete_body said so: all of it is at its destination, or will
     * never be. */
    void (*flushed)(void *arg, int error);
};

struct body {
    struct run *run;
    struct event_base *base;
    struct writer *writer;
    struct job *job;
    struct lane *lane; /* the request's, of --trace */
    const struct body_owner *owner;
    void *arg;
    struct file file;            /* of --discard; of --directory, its bytes */
    struct writing *writing;     /* of --directory; NULL: not begun;
                                  * or of standard output that is a file */
    bool waits;                  /* ... and its source is paused */
    bool completes;              /* ... and it has all */
    struct stream *out;          /* of standard output; NULL: not begun */
    struct stream_waiter waiter; /* for its drain, then for its close */
    uint64_t written;            /* bytes that standard output took */
    size_t out_turn;             /* ... of the stash, in this turn */
    bool from_stash;             /* what is sent now comes from there */
    size_t peak;                 /* most bytes in hand */
};

/* Sets the first seven fields; a body that was not begun takes nothing. */
void body_open(struct body *body, const struct body *first_seven);

/* Takes `n` bytes. 0; STREAM_WAITS: it has taken them, but no more are to be
 * brought before `drained`; or a negative errno. */
int body_write(struct body *body, const char *p, size_t n);

/* It has its turn now, or standard output takes something again: what is
 * stashed may go out. */
void body_may_write(struct body *body);

/* All of it was written: brings it to its destination. 0; STREAM_WAITS: that
 * takes its time, and `flushed` tells; or a negative errno. */
int complete_body(struct body *body);

/* A new attempt begins: forgets what was written to a file. */
void body_restart(struct body *body);

/* Frees what it takes, and the file unless it is complete. */
void body_close(struct body *body);

/* Its outcome's bytes, at its end: what the destination took. */
uint64_t body_bytes(struct body *body);

#endif
