/*
 * Mistake 9: its own pipes' unused ends left open in the child
 * Lab: processes
 * File: processes/pool.c
 * Caught by: the_child_closes_the_parents_ends
 *
 * Symptom: with `--spawn each` the program makes the first requests, as many as
 * there are slots, and then stands still for ever: all workers live, and none
 * has anything to do. Without that option all goes well, but every run takes
 * half a second longer than it should.
 */

/* A plain fork will do. */
static pid_t fork_quietly(struct pool *pool, int slot, int jobs_fd,
                          int results_fd)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    int error = errno;
    if (pid == 0)
        run_child(pool, slot, jobs_fd, results_fd);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return pid;
}

/* The pipes of the other workers are none of this one's business. */
static _Noreturn void run_child(struct pool *pool, int slot, int jobs_fd,
                                int results_fd)
{
    for (size_t i = 0; i < pool->used; i++) {
        close_fd(&pool->workers[i].jobs_fd);
        close_fd(&pool->workers[i].results_fd);
    }
    leave_standard_streams();
    pool->main(pool->context, slot, jobs_fd, results_fd);
    _exit(70); /* not reached */
}
