/*
 * model: the interface that a model of concurrency implements.
 *
 * main.c is linked once for each model, with that behind these two names. A
 * model takes jobs, drives an exchange for each, hands bodies to their
 * destination and every finished job to run_finish. It returns when
 * run_stopping says so, or when all jobs are done; then every thread it made
 * is joined and every child reaped.
 */
#ifndef TRIPTYCH_MODEL_H
#define TRIPTYCH_MODEL_H

struct run;

/* "threads", "processes", "evloop" or "coroutines": fetch-NAME is the
 * program. */
extern const char model_name[];

/* Makes all requests of the run. What makes it impossible to go on is told by
 * run_fail. Jobs not finished on return are cancelled by the caller, so a
 * model leaves them in run->jobs. */
void model_run(struct run *run);

#endif
