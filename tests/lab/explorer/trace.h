/*
 * trace: what happened in a run, step by step, for the table; and how it
 * failed.
 *
 * Only the last run of a search, the one that is shown, is traced. The trace
 * is in memory that the parent shares, so that it outlives a crash.
 */
#ifndef EXPLORE_TRACE_H
#define EXPLORE_TRACE_H

#include "engine.h"

#define EX_STEPS 2000 /* that a table can have */
#define EX_ENDS  EX_THREADS

/* What a thread is, after a step. */
enum ex_mark { EX_MARK_NONE, EX_MARK_HOLDS, EX_MARK_WAITS, EX_MARK_BOTH };

struct ex_step {
    int thread;
    char text[56];
    const void *place;
    unsigned char marks[EX_THREADS];
};

/* How a thread stood when the run ended. */
struct ex_stand {
    char name[16];
    bool alive;
    char text[220];
    const void *place;
    const void *start; /* the function it was made with; NULL: main */
};

struct ex_trace {
    int count;
    bool full; /* steps were left out */
    struct ex_step steps[EX_STEPS];
    int threads;
    struct ex_stand stands[EX_THREADS];
};

struct ex_failure {
    enum explore_kind kind;
    char message[400];
    const char *means; /* of explore_expect; else NULL */
    const char *look;
    const void *place;
    const void *other; /* of a race */
    int thread;        /* -1: none in particular */
};

extern struct ex_failure ex_failure;

/* Where to trace; NULL: nowhere. The accesses at two places are steps, too. */
void ex_trace_to(struct ex_trace *trace, const void *place, const void *other);

/* A step of the current thread, or of one that something happens to. */
void ex_trace(const struct ex_thread *thread, const void *place,
              const char *format, ...) __attribute__((format(printf, 3, 4)));
void ex_trace_access(const char *verb, const void *place);

/* The thread comes to wait: once for each wait. */
void ex_trace_waits(struct ex_thread *thread);

/* What was traced so far. */
int ex_trace_count(void);
const struct ex_step *ex_trace_step(int number);

/* What a thread that cannot go on waits for, in words. */
void ex_trace_wait(const struct ex_thread *thread, char *text, size_t size);

/* The end: how each thread stands. */
void ex_trace_end(void);

#endif
