/*
 * Mistake 10: later children inherit the ends of earlier ones
 * Lab: processes
 * File: processes/pool.c
 * Caught by: no_worker_holds_a_siblings_pipe
 *
 * Symptom: with `--spawn each` a worker that is done does not go away while
 * one that was made after it is at work: beside one slow request a finished
 * worker stays, and its slot is not used. `ls /proc/PID/fd` shows more
 * descriptors for each worker than for the one before.
 */

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

static _Noreturn void run_child(struct pool *pool, int slot, int jobs_fd,
                                int results_fd)
{
    /* The parent's ends of our pipes. */
    close_fd(&pool->workers[slot].jobs_fd);
    close_fd(&pool->workers[slot].results_fd);
    leave_standard_streams();
    pool->main(pool->context, slot, jobs_fd, results_fd);
    _exit(70); /* not reached */
}

static int make_worker(struct pool *pool, struct pool_worker *worker)
{
    int jobs[2] = {-1, -1};
    int results[2] = {-1, -1};
    int error = 0;
    if (pipe2(jobs, O_CLOEXEC) == -1 || pipe2(results, O_CLOEXEC) == -1 ||
        !set_nonblocking(jobs[1]) || !set_nonblocking(results[0]))
        error = -errno;
    worker->jobs_fd = jobs[1]; /* for the child to close */
    worker->results_fd = results[0];
    if (error == 0) {
        set_capacity(pool, results[1]);
        worker->pid = fork_quietly(pool, worker->slot, jobs[0], results[1]);
        if (worker->pid == -1)
            error = -errno;
    }
    close_fd(&jobs[0]);
    close_fd(&results[1]);
    if (error == 0)
        pool->alive++;
    else
        worker->pid = 0;
    return error;
}
