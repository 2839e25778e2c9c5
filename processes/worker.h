/*
 * worker: what a forked worker does until its pipe is closed.
 *
 * It reads a job, drives it from connect to finish, straight down, and writes
 * the result; then the next. Of its siblings it knows nothing. What it
 * waits for, it waits for alone: a body that the parent does not read fills
 * the pipe, and then the worker sleeps in write and reads nothing from the
 * network - back-pressure, kept by the kernel.
 */
#ifndef TRIPTYCH_WORKER_H
#define TRIPTYCH_WORKER_H

/* The status of a worker that ends because it lacks memory. */
#define WORKER_STARVED 71

/* Never returns. Called in the child, with all signals blocked. `run` is a
 * copy of the parent's, made by the fork. FRAME_JOBs come from jobs_fd;
 * FRAME_BODY and FRAME_RESULT go to results_fd. */
_Noreturn void worker_main(void *run, int slot, int jobs_fd, int results_fd);

#endif
