/*
 * outlet: a worker's body on its way to its destination. For the workers whose
 * code runs straight down, see blocking.h.
 *
 * A body for a file, or for nowhere, is stored as it comes. One for standard
 * output is held, up to the high mark, until its request has the turn; then it
 * is written. Whose turn it is, and how to wait for that, is for the model.
 *
 * What waits here - for standard output, or for a disk - waits in the ways of
 * struct blocking. An outlet belongs to one worker.
 */
#ifndef TRIPTYCH_OUTLET_H
#define TRIPTYCH_OUTLET_H

#include "blocking.h"
#include "bytes.h"
#include "run.h"

struct outlet {
    struct blocking blocking; /* first: deliver is handed a pointer to it */
    struct run *run;
    struct job *job;

    struct file file;  /* of --directory and --discard */
    struct bytes held; /* body bytes that wait for the turn */
    uint64_t written;  /* body bytes that standard output took */
    size_t peak;       /* most body bytes in hand */
};

/* Sets what a worker needs for good, in an outlet of zeroes. What is left for
 * the model: where it reads into, and how it waits. */
void outlet_prepare(struct outlet *outlet, struct run *run, struct idle *idle,
                    int (*deliver)(struct blocking *blocking, const char *p,
                                   size_t n));

/* Begins with the body of the job, whose outcome is empty. The one before is
 * complete, or forgotten. */
void outlet_open(struct outlet *outlet, struct job *job);

/* Body bytes that are in hand now. */
void outlet_in_hand(struct outlet *outlet, size_t n);

/* True if the body goes to standard output. */
bool outlet_is_ordered(const struct outlet *outlet);

/* Not to standard output: takes `n` bytes. 0 or a negative errno. */
int outlet_store(struct outlet *outlet, const char *p, size_t n);

/* To standard output, before the turn: true if `n` bytes more may be held. */
bool outlet_has_room(const struct outlet *outlet, size_t n);
int outlet_hold(struct outlet *outlet, const char *p, size_t n);

/* To standard output, in its turn: writes what is held, and then `n` bytes;
 * waits as long as the consumer likes. 0 or a negative errno; -ECANCELED when
 * told something. */
int outlet_write(struct outlet *outlet, const char *p, size_t n);

/* Forgets the body, but not what standard output has taken. */
void outlet_forget(struct outlet *outlet);

/* Whether the request, whose exchange is over, may start over with nothing
 * counted. Only if no byte of it is out. */
enum shortage {
    SHORTAGE_NONE, /* it has a result */
    SHORTAGE_MET,  /* memory, descriptors or ports had run out */
    SHORTAGE_ELSE  /* another met that: this one was told to give way */
};
enum shortage outlet_shortage(const struct outlet *outlet);

/* The exchange is over, and the outcome is the job's. If that is RESULT_OK,
 * brings the rest of the body to its destination, in its turn, which waiting
 * for it ended with `error`; else forgets it. Completes the outcome. */
void outlet_complete(struct outlet *outlet, int error);

#endif
