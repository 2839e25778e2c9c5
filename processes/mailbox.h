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
    bool open;
    struct pool_worker *worker;
    int epoll_fd;
    uint64_t about; /* 2 * slot: what epoll says of the results pipe; of the
                     * jobs pipe it says one more */

    struct bytes outbox;        /* what the jobs pipe had no room for */
    struct frame_reader reader; /* of the results pipe */
    bool watched; /* epoll tells when the results pipe has something */
    bool ended;   /* it is at its end */
    char room[MAILBOX_LEAST]; /* what the reader begins with */
};

/* Opens an empty one for a new worker, unless it is open. 0; or a negative
 * errno, and it can be tried again. (To close it, close the pipes.) */
int mailbox_open(struct mailbox *mailbox, struct pool_worker *worker,
                 int epoll_fd);

/* Sends a frame made of the `n` parts. 0; or a negative errno, with nothing
 * sent: -EPIPE if the worker is dead. */
int mailbox_send(struct mailbox *mailbox, enum frame_type type,
                 const struct iovec *parts, int n);

/* The jobs pipe has room again. */
void mailbox_writable(struct mailbox *mailbox);

/* Reads once. False if there is nothing now, or never will be again
 * (mailbox->ended); or memory is short: then it stays in the pipe. */
bool mailbox_read(struct mailbox *mailbox);

/* Finds the next frame, as frame_next does; reads, but does not wait for it.
 * False if there is none now. */
bool mailbox_receive(struct mailbox *mailbox, struct frame *frame);

/* The worker is dead: reads what it left in the pipe, a pipeful at most. True
 * if a FRAME_RESULT is in it. */
bool mailbox_drain(struct mailbox *mailbox);

/* Lets epoll tell, once, when the results pipe has something. */
void mailbox_watch(struct mailbox *mailbox);

/* Forgets everything that was sent or received so far: it is empty, and what
 * its worker writes is not waited for. */
void mailbox_clear(struct mailbox *mailbox);

#endif
