/*
 * simulator: back-pressure in an event loop, a millisecond a step.
 *
 *     server -> socket buffers -> stash -> pipe -> consumer
 *
 * Several sources are read at once, and what they bring must come out in
 * order: one of them has the turn, and only its stream is written to the pipe.
 * Each source that has brought its body begins another, behind the others.
 *
 * The streams are evloop/stream.c itself; here is only what stands around
 * them. It is compiled for a page, with the few functions of libevent that it
 * needs in world.c, and for a test, with libevent.
 */
#ifndef TRIPTYCH_SIMULATOR_H
#define TRIPTYCH_SIMULATOR_H

#define SIMULATOR_MOST 8 /* sources */

/* Begins anew. False when memory is short. */
int simulator_begin(unsigned sources, double high, double low);

/* Bytes a millisecond: what the consumer takes, what each server sends; and
 * the length of a body. Forgotten: nobody asks stream_drain. */
void simulator_set(unsigned consumer, unsigned server, unsigned body,
                   int forgotten);

/* The marks of all. False if they are none. */
int simulator_limits(double high, double low);

void simulator_step(void);

/* How it stands. Bytes in the buffers between the server and us: */
unsigned simulator_socket(unsigned source);
/* Bytes that its stream has stashed: */
unsigned simulator_stash(unsigned source);
/* 1: it waits for stream_drain; nothing is read from it. */
int simulator_paused(unsigned source);
unsigned simulator_turn(void);    /* the source that has it */
unsigned simulator_pipe(void);    /* bytes in the pipe */
double simulator_taken(void);     /* bytes that the consumer has had */
unsigned simulator_drained(void); /* so often a source was let go on */

#endif
