/*
 * session: workloads are measured, round after round.
 *
 * Of each workload all programs are run in turn, round after round, so that
 * what disturbs the machine disturbs all of them; the first, shorter round is
 * for warming up and is not kept (--quick has none where each answer takes a
 * second). Every run becomes a row of results.tsv at
 * once, so that a session that is stopped keeps what it has.
 */
#ifndef TRIPTYCH_SESSION_H
#define TRIPTYCH_SESSION_H

#include "machine.h"
#include "results.h"
#include "trial.h"
#include "workload.h"

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

struct session {
    /* As the caller wants it. */
    bool quick;
    bool counts_calls;
    unsigned rounds;
    unsigned requests;  /* a run; 0: as the workload says */
    const char *out;    /* directory for the traces */
    const char *only;   /* this program, with the floor; NULL: all */
    bool growth;        /* each workload also 2 and 4 times as large */
    const char *origin; /* the practice server's program */
    FILE *file;         /* results.tsv */
    const volatile sig_atomic_t *stop;

    /* The session's own. */
    char scratch[PATH_MAX / 4]; /* directory for what is served and saved */
    struct surroundings around;
    struct results results;
};

/* Makes the scratch directory, prepares the machine, and writes down what it
 * is and who is missing. 0 or a negative errno. */
int session_begin(struct session *session);

/* Measures one workload and prints its table. 0, also when it was stopped; or
 * a negative errno if it could not be set up. */
int session_measure(struct session *session, const struct workload *workload);

/* Removes the scratch directory. The results stay with the caller. */
void session_end(struct session *session);

#endif
