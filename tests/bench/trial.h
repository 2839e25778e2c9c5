/*
 * trial: one program does one task once, and is measured from outside.
 *
 * What it did is not taken from its word alone: files are counted where they
 * were saved, requests where they were served.
 */
#ifndef TRIPTYCH_TRIAL_H
#define TRIPTYCH_TRIAL_H

#include "contestant.h"
#include "machine.h"
#include "results.h"
#include "server.h"

#include <signal.h>

/* Where a trial takes place. */
struct surroundings {
    struct cores cores;
    const struct server *server;
    const char *origin;                /* the practice server's program */
    const char *scratch;               /* directory for what is left over */
    const volatile sig_atomic_t *stop; /* set: it is to end at once */
};

/* Runs the program and fills in a row but for its round. 0; or a negative
 * errno if it could not be run. */
int trial_run(const struct contestant *contestant, const struct task *task,
              const struct surroundings *around, struct row *row);

/* True if system calls can be counted. */
bool trial_has_strace(void);

/* Counts system calls a request with strace, in a run of its own: that slows
 * it down many times. -1 where strace is not to be had. */
double trial_calls(const struct contestant *contestant,
                   const struct task *task, const struct surroundings *around);

#endif
