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
 * Looking costs CPU, too, and what comes and goes between two looks is missed.
 */
#ifndef TRIPTYCH_MEASURE_H
#define TRIPTYCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* How often it is looked, in milliseconds. */
#define MEASURE_LOOK_MS 20

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
};

/*
 * Runs argv[0] with its standard input from the file `input` (NULL: /dev/null)
 * and reads all of its standard output. Standard error is ours. Returns when
 * it has ended: 0, or a negative errno if it could not be run. Not for more
 * than one at a time.
 */
int measure_run(char *const argv[], const char *input, struct measure *out);

/* Starts a program in the same way, for a caller who looks at it himself:
 * gives its pid, and the descriptor that its standard output is read from. 0
 * or a negative errno. */
int measure_start(char *const argv[], const char *input, pid_t *pid, int *fd);

/* A running hash over bytes in pieces of any size: start with hash 0 and
 * length 0, pass both on. */
void measure_hash(uint64_t *hash, uint64_t *length, const void *bytes,
                  size_t n);

/* The proportional set size, in bytes, of a process and all its descendants
 * together; 0 if it is gone. */
size_t measure_memory(pid_t pid);

#endif
