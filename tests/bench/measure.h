/*
 * measure: runs a program and looks at it from outside.
 *
 * Every program is measured alike, whatever it is made of: time and CPU as
 * the kernel accounts them to it and to all children it has waited for;
 * memory, threads, processes and descriptors by looking at /proc every few
 * milliseconds, and keeping the most that was seen. Memory is the
 * proportional set size (PSS): a page shared by N processes counts 1/N in
 * each, so that the sum over a family of forked workers is what they really
 * take.
 *
 * Looking costs CPU, too: after each look there is a pause twenty times as
 * long. What comes and goes in between is missed.
 */
#ifndef TRIPTYCH_MEASURE_H
#define TRIPTYCH_MEASURE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* How often it is looked at most, in milliseconds. */
#define MEASURE_LOOK_MS 20

/* How to run it. All zeroes will do. */
struct measure_setting {
    const char *input;   /* file for standard input; NULL: /dev/null */
    double rate;         /* bytes a second read from its output; 0: all */
    unsigned kill_ms;    /* so often something of it is killed; 0: never */
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
 * Runs argv[0] and reads all of its standard output. What is killed, if that is
 * asked for, is one of its children, or the program itself if it has not had
 * any. Returns when it has ended: 0, or a negative errno if it could not be run. Not
 * for more than one at a time.
 */
int measure_run(char *const argv[], const struct measure_setting *setting,
                struct measure *out);

/* Starts a program in the same way, for a caller who looks at it himself:
 * gives its pid, and the descriptor that its standard output is read from. 0
 * or a negative errno. */
int measure_start(char *const argv[], const struct measure_setting *setting,
                  pid_t *pid, int *fd);

/* A running hash over bytes in pieces of any size: start with hash 0 and
 * length 0, pass both on. */
void measure_hash(uint64_t *hash, uint64_t *length, const void *bytes,
                  size_t n);

/* The proportional set size, in bytes, of a process and all its descendants
 * together; 0 if it is gone. */
size_t measure_memory(pid_t pid);

#endif
