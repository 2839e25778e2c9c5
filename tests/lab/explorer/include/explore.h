/*
 * explore: runs a small program of threads under every schedule that matters,
 * instead of under the one that the machine happens to choose.
 *
 * A scenario is a function that makes threads, joins them and says what must
 * hold. It is run again and again, as the main thread of a program; at each
 * call of pthreads, each atomic access and each access that races, the
 * explorer decides who goes on. One thread at a time really runs, so a run is
 * its list of decisions, and can be repeated exactly. What goes wrong is
 * shrunk and printed as a table. README.md here has the whole story.
 *
 *     static void two_takers(void)
 *     {
 *         ...pthread_create, pthread_join...
 *         explore_check(taken == 2, "%d items were taken, not 2", taken);
 *     }
 *
 *     static const struct explore_scenario scenarios[] = {
 *         {"two-takers", two_takers, {.spurious = 1}},
 *         {NULL, NULL, {0}},
 *     };
 *
 *     int main(int argc, char **argv)
 *     {
 *         return explore_main(argc, argv, scenarios);
 *     }
 *
 * The scenario and the code it tries are compiled with -fsanitize=thread and
 * linked with this library in place of the sanitizer's (CMake: explored_code,
 * explored_program). Nothing here may be called by two threads at once, and
 * one exploration at a time is all that a process can do.
 */
#ifndef TRIPTYCH_EXPLORE_H
#define TRIPTYCH_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a schedule, or a whole search, ended. */
enum explore_kind {
    EXPLORE_PASSED,
    EXPLORE_DEADLOCK,    /* nobody can run; a lost wake-up is seen as this */
    EXPLORE_CHECK,       /* explore_check or assert did not hold */
    EXPLORE_RACE,        /* two accesses, one a write, and nothing between */
    EXPLORE_MISUSE,      /* of a mutex, a condition, a thread ... */
    EXPLORE_MEMORY,      /* freed memory, or beyond the end of a block */
    EXPLORE_CRASH,       /* a signal such as SIGSEGV, or abort */
    EXPLORE_EXIT,        /* the code under test called exit */
    EXPLORE_ENDLESS,     /* too many steps: busy waiting, or a livelock */
    EXPLORE_STUCK,       /* blocked in a call that the explorer cannot see */
    EXPLORE_UNSUPPORTED, /* a call that cannot be explored, as pthread_cancel */
    EXPLORE_UNSTABLE,    /* the same decisions did not lead to the same end */
    EXPLORE_ERROR        /* of the explorer: no memory, no such schedule */
};

/* "deadlock", "failed check" and so on. */
const char *explore_kind_name(enum explore_kind kind);

/* For a number in the options: really 0, where 0 itself means the default. */
#define EXPLORE_NONE (-1)

enum explore_races {
    EXPLORE_RACES_FAIL,  /* a race is a failure, at once */
    EXPLORE_RACES_FOLLOW /* it is not: accesses that race become points of
                          * decision, so that what comes of it is found */
};

/* What to search. Zero means the default, in every field. */
struct explore_options {
    /* First all schedules with at most 0, then 1, ... then `bound` preemptions
     * (2): points where a thread that could go on has to make way. */
    int bound;
    /* Then so many schedules with random priorities (EXPLORE_NONE), from
     * `seed` (1). */
    int random;
    uint64_t seed;
    /* Instead of both: all schedules, whatever the number of preemptions. Those
     * that meet in the same state are gone on with once. */
    bool exhaustive;
    /* How many spurious wake-ups of condition waits a schedule may have (1). */
    int spurious;
    /* How many waits may time out in a schedule while another thread could
     * still run (EXPLORE_NONE). When none can, time always goes on. */
    int timeouts;
    /* Points of decision in a schedule before it counts as endless (5000). */
    int steps;
    /* Schedules before the search gives up: `complete` is false (1000000). */
    long limit;
    enum explore_races races;
    /* Searches without knowing states again. Slow; to check the explorer. */
    bool no_states;
    /* Instead of all that: this one schedule, as a result has it. */
    const char *replay;
};

struct explore_scenario {
    const char *name;
    void (*run)(void);
    struct explore_options needs; /* its own defaults */
};

struct explore_result {
    enum explore_kind kind;
    /* Nothing was left out of what was asked for: no limit was met. */
    bool complete;
    long schedules; /* that were run, those cut short included */
    long states;    /* that differ, where schedules could part */
    uint64_t seed;  /* of the random schedules, whether or not they failed */
    /* Of the failing schedule, after shrinking. */
    int preemptions;
    int switches; /* times another thread than the one before went on */
    int steps;
    char message[512]; /* what was observed: one sentence, no full stop */
    const char *means; /* of explore_expect; else NULL */
    const char *look;
    char place[160]; /* "queue.c:70 queue_take"; of a race, one side */
    char other[160]; /* of a race the other side; else empty */
    char *schedule;  /* for `replay`; NULL if there is none */
    char *table;     /* threads against steps, in lines; NULL likewise */
};

/* Explores one scenario. `options` may be NULL: then what the scenario needs,
 * or the defaults. A field of `options` that is not 0 goes before the
 * scenario's. The search runs in children, forked: nothing that the code under
 * test does comes back but the result. 0, and the verdict is result->kind; or
 * a negative errno. The result must be freed if 0 was returned. */
int explore_run(const struct explore_scenario *scenario,
                const struct explore_options *options,
                struct explore_result *result);

/* Frees what a result holds. */
void explore_result_free(struct explore_result *result);

/* A whole program: looks at the arguments (--help lists them), explores the
 * scenarios that are named, or all, and prints. `scenarios` ends with a NULL
 * name. The exit status: 0 all passed, 1 one failed, 2 wrong usage. */
int explore_main(int argc, char **argv,
                 const struct explore_scenario *scenarios);

/* --- For scenarios: called from the threads under test ------------------- */

/* Ends the schedule as a failed check, unless `condition` holds. */
void explore_check(bool condition, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same, with what a failure probably means and where to look: these two
 * must live for ever, as literals do. */
void explore_expect(bool condition, const char *means, const char *look,
                    const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Nanoseconds of virtual time since the run began. It goes on only in sleeps,
 * and where a wait had to end by its limit because nobody could run: a lost
 * wake-up of a wait that has a limit is seen by this alone. */
int64_t explore_time(void);

/* Waits until no other thread can go on: each has ended, or waits. */
void explore_settle(void);

/* Of the calls of pthread_create that come, all from the `after`th on (0: the
 * next one) fail with EAGAIN, `times` of them. */
void explore_fail_create(int after, int times);

/* How many threads were made in this run that nobody has joined. */
int explore_unjoined(void);

/* What was made in this run and is still there: blocks of memory; mutexes,
 * conditions and so on that were initialised by a call. */
void explore_left(int *blocks, int *objects);

/* Names a mutex, condition, semaphore ... by its address, for the table. Call
 * it again in each run. The name is copied, at most 23 bytes of it. */
void explore_name(const void *object, const char *name);

/* Names the calling thread, at most 15 bytes. Else it has the name of the
 * function that it was made with. */
void explore_thread_name(const char *name);

/* A step that is only shown: "reads the body". It is not a point of decision:
 * for that see explore_pause. */
void explore_note(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* A step that takes time, such as I/O: others may run meanwhile. */
void explore_pause(const char *what);

/* One of 0 .. count - 1: each is tried. For faults, sizes, orders. */
int explore_choose(int count, const char *what);

/* What to show of each state when the scenario is exported (--export): called
 * between two steps, it calls explore_value for each variable. It may look at
 * all memory that the run has, also what a lock guards, and must not change
 * any. Call it again in each run. */
void explore_show(void (*values)(void));
void explore_value(const char *name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* True in a scenario that is being explored, or replayed. */
bool explore_active(void);

#endif
