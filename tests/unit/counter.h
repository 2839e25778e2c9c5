/*
 * counter: a waiter of a stream that counts how often it is called.
 */
#ifndef TRIPTYCH_COUNTER_H
#define TRIPTYCH_COUNTER_H

#include "stream.h"

struct counter {
    struct stream_waiter waiter;
    unsigned calls;
    int error; /* what the last call said */
};

static inline void count(void *arg, int error)
{
    struct counter *counter = arg;
    counter->calls++;
    counter->error = error;
}

/* stream_drain with a fresh counter. */
static inline int drain_into(struct stream *stream, struct counter *counter)
{
    *counter = (struct counter){.waiter = {.done = count, .arg = counter}};
    return stream_drain(stream, &counter->waiter);
}

#endif
