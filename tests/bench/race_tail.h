/*
 * race_tail: the steps of a fetcher's requests, read from its trace while that
 * grows.
 *
 * A trace tells of a step when it ends. So what a request is doing is told by
 * the step that it ended last: after connect it is sending, after send it
 * waits for the answer. Body bytes are told of when they come; and what a lane
 * holds back for its consumer, by its counter. Nothing here blocks.
 */
#ifndef TRIPTYCH_RACE_TAIL_H
#define TRIPTYCH_RACE_TAIL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a request is doing, in the order in which it does it. */
enum doing {
    TO_COME,
    CONNECTING,
    SENDING,
    WAITING,    /* for the answer, or to be tried again */
    RECEIVING,  /* the body */
    DELIVERING, /* its bytes are held: it is not its turn, or the consumer is
                   slow */
    DONE,
    FAILED,
    DOINGS
};

/* A lane of the trace: a worker, or a place of the loop. */
struct tail_lane {
    unsigned request;  /* that it is about */
    uint64_t buffered; /* body bytes, in user space ... */
    uint64_t in_pipe;  /* ... and in its pipe */
};

struct tail {
    unsigned requests;
    unsigned char *doing;    /* of each request, an enum doing */
    unsigned counts[DOINGS]; /* how many requests do what */
    uint64_t bytes;          /* of bodies that are done */
    uint64_t buffered;       /* body bytes held at the moment */

    /* Nobody else's: */
    char path[PATH_MAX];
    int fd; /* -1: there is no file yet */
    char *text;
    size_t held; /* bytes of a line that is not whole yet */
    struct tail_lane *lanes;
    unsigned lane_count;
    unsigned *lane_of; /* of each request */
};

/* The trace of a run with so many requests, which need not be there yet. 0 or
 * a negative errno. */
int tail_open(struct tail *tail, const char *path, unsigned requests,
              unsigned jobs);
void tail_close(struct tail *tail);

/* Takes what has been added to the file. */
void tail_read(struct tail *tail);

/* The program has ended: what is not done by now has failed. */
void tail_end(struct tail *tail);

#endif
