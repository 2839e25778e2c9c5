/*
 * engine: one run of a scenario, under decisions that somebody else makes.
 *
 * The threads are contexts in one thread of the system, each with a stack of
 * its own (context.h). A thread that comes to a point says what it is about to
 * do (struct ex_next) and gives way; the engine lists who can go on, asks the
 * search for one of them, and lets that one go on to its next point.
 *
 *     thread                 engine                    search
 *     ex_point(lock m) ----> who can do what is next?
 *                            ex_search_choose -------> one of the options
 *            <-------------- go on
 *     m's owner = me
 */
#ifndef EXPLORE_ENGINE_H
#define EXPLORE_ENGINE_H

#include "explore.h"

#include <setjmp.h>
#include <stdint.h>
#include <ucontext.h>

#define EX_THREADS 64 /* in one run, ended ones included */
#define EX_KEYS    32 /* of pthread_key_create */
#define EX_CALLS   16 /* of a thread that are known, from the outermost on */
#define EX_NEVER   INT64_MAX
#define EX_OPTIONS (3 * EX_THREADS)

/* Variables of the explorer that live through runs. The variables of the code
 * under test are set back before each, and hashed: these are left out. */
#define EX_OWN __attribute__((section("explore_own")))

/* Where the caller of a function that stands for another stands. */
#define EX_PLACE __builtin_return_address(0)

struct ex_object;

/* What a thread does when it goes on. */
enum ex_op {
    EX_GO,       /* nothing that could wait */
    EX_YIELD,    /* as that, but others should go before */
    EX_LOCK,     /* once the mutex is free */
    EX_RELOCK,   /* likewise, to come back from a condition wait */
    EX_WAITING,  /* on a condition; never, until somebody makes it EX_RELOCK */
    EX_JOIN,     /* once the other thread has ended */
    EX_TAKE,     /* once the semaphore is not 0 */
    EX_ARRIVED,  /* at a barrier; never, until the last one makes it EX_GO */
    EX_READLOCK, /* once nobody writes */
    EX_WRITELOCK /* once nobody writes or reads */
};

struct ex_next {
    enum ex_op op;
    struct ex_object *object; /* the mutex, condition ... or NULL */
    struct ex_object *mutex;  /* EX_WAITING, EX_RELOCK: to come back with */
    struct ex_thread *other;  /* EX_JOIN */
    int64_t deadline;         /* EX_NEVER: it waits without a limit */
    bool timed_out;
    bool slow; /* it takes time: that others go on meanwhile costs nothing */
    const char *verb;  /* "lock": for the table */
    const void *place; /* a return address in the code under test */
};

enum ex_life { EX_VACANT, EX_ALIVE, EX_ENDED };

struct ex_thread {
    int id;
    enum ex_life life;
    struct ex_next next;
    bool detached;
    bool joined;
    bool yielded; /* and nobody has run since */
    bool shown;   /* the table says already that it waits */
    char name[16];
    void *(*start)(void *argument);
    void *argument;
    void *result;
    void *specific[EX_KEYS];
    int error; /* its errno, while others run */

    uint32_t clock[EX_THREADS]; /* see race.h */
    uint64_t segment;           /* hash of its accesses since its last point */
    long accesses;              /* their number */
    const void *calls[EX_CALLS]; /* where what it is in was called from */
    int depth;                   /* calls that have not returned */

    /* See context.h. */
    char *stack;
    char *lowest;
    void *tls;
    jmp_buf registers;
    ucontext_t beginning;
    bool began;
};

/* What can happen next: a thread goes on; or a wait ends for no reason, or
 * because its time is up. A value is what a thread itself asked to be chosen:
 * who gets a signal, explore_choose. */
enum ex_choice { EX_RUN, EX_SPURIOUS, EX_TIMEOUT, EX_VALUE };

struct ex_option {
    enum ex_choice choice;
    uint16_t number; /* the thread, or the value */
    bool preempts;   /* the one that ran last could have gone on */
};

/* What one run has used up. */
struct ex_spent {
    int decisions;
    int preemptions;
    int switches;
    int spurious;
    int timeouts;
};

/* What the run is allowed. */
struct ex_limits {
    int preemptions;
    int spurious;
    int timeouts;
    int steps;
    bool follow_races;
    bool met; /* somebody was not let on for want of preemptions */
};

/* How a run ended. EX_CUT: the search did not want to go on. */
enum ex_end { EX_DONE, EX_FAILED, EX_CUT };

extern struct ex_thread *ex_current; /* NULL outside of a run */
extern int64_t ex_now;               /* the virtual clock, nanoseconds */
extern struct ex_spent ex_spent;
extern struct ex_limits ex_limits;

/* Reserves all memory that runs need. Once in a process; further calls do
 * nothing. 0 or a negative errno. */
int ex_engine_open(void);

/* One run, from the start. */
enum ex_end ex_engine_run(void (*scenario)(void));

/* The threads of this run. */
struct ex_thread *ex_thread(int id);
int ex_thread_count(void);

/* A point of decision: comes back when this thread was chosen and what it is
 * about to do is possible, or when its time is up (ex_current->next). */
void ex_point(const struct ex_next *next);
void ex_point_simple(enum ex_op op, struct ex_object *object, const char *verb,
                     const void *place);

/* Has one of these chosen; its index. */
int ex_choose(const struct ex_option *options, int count);

/* Where the code under test was last seen, in a function or at an access. */
extern const void *ex_access_last;

/* Whoever keeps something for a run forgets it. */
void ex_access_reset(void);
void ex_atomic_reset(void);

/* A new thread of the run; NULL: there are too many. */
struct ex_thread *ex_thread_make(void *(*start)(void *), void *argument,
                                 const void *place);

/* Ends the calling thread. */
_Noreturn void ex_thread_end(void *result);

/* Ends the run as failed. The place may be NULL. Only the first counts. */
_Noreturn void ex_fail(enum explore_kind kind, const void *place,
                       const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void ex_note_failure(enum explore_kind kind, const void *place,
                     const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* True if the thread could go on now. */
bool ex_can_go(const struct ex_thread *thread);

#endif
