/*
 * measure: runs a program and looks at it from outside.
 *
 * Every program is measured alike, whatever it is made of: time and CPU as
 * the kernel accounts them to it and to all children it has waited for;
 * memory, threads, processes and descriptors by looking at /proc every few
 * milliseconds, and keeping the most that was seen (see family.h).
 *
 * Looking costs CPU, too: after each look there is a pause twenty times as
 * long. What comes and goes in between is missed.
 */
#ifndef TRIPTYCH_MEASURE_H
#define TRIPTYCH_MEASURE_H

#include "family.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* How to run it. All zeroes will do. */
struct measure_setting {
    const char *input;   /* file for standard input; NULL: /dev/null */
    double rate;         /* bytes a second read from its output; 0: all */
    unsigned kill_ms;    /* so often something of it is killed; 0: never */
    bool has_workers;    /* ... a child, whenever it has any; else itself */
    unsigned look_ms;    /* so often it is looked at at most; 0: 20 */
    bool unseen;         /* it is not looked at: that would disturb it */
    double limit;        /* seconds after which it is killed; 0: none */
    unsigned first_core; /* it may run on these ... */
    unsigned core_count; /* ... only; 0: on all */
    const char *errors;  /* file for standard error; NULL: ours */
    bool own_group;      /* a process group of its own, which is killed as a
                            whole; and it does not outlive us */
    const volatile sig_atomic_t *stop; /* killed once it is set; NULL: never */
};

struct measure {
    int status;  /* the exit status; 128 + the signal if one killed it */
    double wall; /* seconds, as are the next two */
    double user;
    double system;
    uint64_t bytes;  /* read from its standard output */
    uint64_t hash;   /* ... and a hash of them: see measure_hash */
    size_t peak_pss; /* bytes, of all its processes together */
    unsigned threads;
    unsigned processes;
    unsigned descriptors;
    long voluntary; /* context switches */
    long involuntary;
    char text[4096]; /* how its standard output begins; ends with a NUL */
};

/*
 * Runs argv[0] and reads all of its standard output. Returns when it has
 * ended: 0, or a negative errno if it could not be run.
 */
int measure_run(char *const argv[], const struct measure_setting *setting,
                struct measure *out);

/*
 * The same for callers who watch several programs at a time, and poll(2) by
 * themselves: for what watch_due says, and for `fd` while watch_reads.
 */
struct watch {
    pid_t pid;
    int fd;            /* its standard output, to be read from */
    double begun;      /* seconds of the monotonic clock */
    struct family now; /* what was seen when it was last looked at */

    /* Nobody else's: */
    const struct measure_setting *setting;
    struct measure *out;
    char *chunk;
    double next_look; /* when these are due; 0: never, or at once */
    double next_kill;
    double next_read;
    double end;
};

/* Starts it. `setting` and `out` must live until watch_end. 0 or a negative
 * errno, and there is nothing to end. */
int watch_begin(struct watch *watch, char *const argv[],
                const struct measure_setting *setting, struct measure *out);

/* Does what is due. Returns how many milliseconds there are until something is
 * again. */
int watch_due(struct watch *watch);

/* False while its output has to wait, for the sake of the rate. */
bool watch_reads(const struct watch *watch);

/* Reads a piece of its output; blocks until there is one. False: it has ended.
 */
bool watch_read(struct watch *watch);

/* Kills it, and with own_group all of its group. */
void watch_kill(struct watch *watch);

/* Waits until it has ended, and completes what was measured. 0 or a negative
 * errno. */
int watch_end(struct watch *watch);

/* Starts a program in the same way, for a caller who looks at it himself:
 * gives its pid, and the descriptor that its standard output is read from. 0
 * or a negative errno. */
int measure_start(char *const argv[], const struct measure_setting *setting,
                  pid_t *pid, int *fd);

/* A running hash over bytes in pieces of any size: start with hash 0 and
 * length 0, pass both on. */
void measure_hash(uint64_t *hash, uint64_t *length, const void *bytes,
                  size_t n);

#endif
