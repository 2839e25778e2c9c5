/*
 * mailbox: the parent's ends of one worker's two pipes.
 *
 * Frames are put into the jobs pipe and taken out of the results pipe, never
 * waiting: what the jobs pipe has no room for is kept, and what the results
 * pipe has not brought yet comes later; epoll tells when. A results pipe is
 * read only on request. Until then it fills up, and its writer sleeps: that is
 * how bodies wait for their turn.
 *
 * For the parent, which has one thread.
 */
#ifndef TRIPTYCH_MAILBOX_H
#define TRIPTYCH_MAILBOX_H

#include "bytes.h"
#include "frame.h"
#include "pool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A frame of so many bytes, its header counted, is received however short
 * memory is, unless a body waits before it. */
#define MAILBOX_LEAST ((size_t)256)

struct mailbox {
    int epoll_fd;
    uint64_t about; /* tag of epoll's events for the results pipe; the next
                     * number is that of the jobs pipe */
    struct pool_worker *worker;

    struct bytes outbox; /* what the jobs pipe had no room for */
    bool outbox_watched;

    struct frame_reader reader;
    struct bytes inbox; /* read from the results pipe */
    size_t used;        /* of it; the last ... */
    size_t body;        /* ... bytes of those are body, not yet taken */
    bool watched;       /* epoll looks at the results pipe */
    bool ended;         /* it is at its end */

    /* What the inbox and the reader's message begin with. */
    char room[2][MAILBOX_LEAST];
};

/* Read at once from a results pipe. */
#define MAILBOX_CHUNK ((size_t)64 * 1024)

/* Lends an empty one the memory to begin with: to be called before anything is
 * sent. */
void mailbox_open(struct mailbox *mailbox);

/* Sends a frame made of the `n` parts. 0; or a negative errno, with nothing
 * sent: -EPIPE if the worker is dead, or will be, for it has got a part of the
 * frame and will get no more. */
int mailbox_send(struct mailbox *mailbox, enum frame_type type,
                 const struct iovec *parts, int n);

/* The jobs pipe has room again. */
void mailbox_writable(struct mailbox *mailbox);

/*
 * Takes the next frame; reads, but does not wait for it. 1 and *frame; 0 if
 * there is none now, or never will be again (mailbox->ended); or -ENOMEM. A
 * FRAME_BODY comes again and again until all of it was taken; its bytes, and
 * those of other frames, are valid until the next call.
 */
int mailbox_receive(struct mailbox *mailbox, struct frame *frame);

/* Reads what is there, without bound, for mailbox_receive to take later. 0 or
 * -ENOMEM. */
int mailbox_hoard(struct mailbox *mailbox);

/* Bytes that were read and not taken yet. */
size_t mailbox_held(const struct mailbox *mailbox);

/* `n` bytes of the FRAME_BODY at hand are dealt with. */
void mailbox_took(struct mailbox *mailbox, size_t n);

/* The worker is dead: reads what it left in the pipe, a pipeful at most. True
 * if a FRAME_RESULT is in it. */
bool mailbox_drain(struct mailbox *mailbox);

/* Whether epoll tells when the results pipe has something. 0 or a negative
 * errno. */
int mailbox_watch(struct mailbox *mailbox);
void mailbox_unwatch(struct mailbox *mailbox);

/* Forgets everything that was sent or received so far: it is empty. */
void mailbox_clear(struct mailbox *mailbox);

#endif
