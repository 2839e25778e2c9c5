/*
 * receiver: a stream over a transport that takes just what it is told to take,
 * and sees whether the bytes come whole and in order.
 *
 * There is one, which receiver_open makes. Nothing here waits.
 */
#ifndef TRIPTYCH_LAB_RECEIVER_H
#define TRIPTYCH_LAB_RECEIVER_H

#include "stream.h"

#include <stdbool.h>
#include <stddef.h>

#define ENDLESS SIZE_MAX

struct receiver {
    size_t room;    /* bytes that it will still take; ENDLESS */
    int error;      /* what a send says when there is no room */
    bool watched;   /* the stream has asked for stream_writable */
    unsigned wakes; /* calls of stream_writable */
    unsigned sends; /* also those of nothing */
    unsigned shuts;
    size_t taken;
    size_t taken_at_shut;
    bool mixed; /* a byte was not the one that is due here */
    size_t mixed_at;
    bool inside; /* one of the stream's functions is running */
};

/* A drain or a close that is waited for. */
struct waited {
    struct stream_waiter waiter;
    unsigned calls;
    int error;
    size_t stashed; /* when it was called */
    bool inside;    /* it was called from inside a stream's function */
};

extern struct event_base *base;
extern struct stream *stream;
extern struct receiver receiver;
extern size_t written; /* by write_bytes */

/* The byte that is due at place `n`. */
char byte_at(size_t n);

/* Makes the stream, over a transport without room. */
void receiver_open(void);

/* Sets the marks, which must succeed. */
void set_marks(int64_t high, int64_t low);

/* Writes the next `n` bytes, which must succeed. */
void write_bytes(size_t n);

/* A turn of the loop; the receiver says that it is writable if it has room, or an
 * error of its own, and was asked to. */
void turn(void);

/* The receiver has room for `n` bytes more, and a turn goes by. */
void let_take(size_t n);

/* Asks drain (or for the close) with a fresh waiter. */
int drain(struct waited *waited);
int wait_closed(struct waited *waited);

/* Fails unless so many bytes are stashed, and the others have come, in order.
 */
void check_stash(size_t expected, const char *means, const char *look);
void check_order(void);

#endif
