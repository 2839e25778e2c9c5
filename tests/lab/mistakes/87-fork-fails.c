/*
 * Mistake 87: the pipes of a worker that could not be forked stay open
 * Lab: processes
 * File: processes/pool.c
 * Caught by: a_shortage_is_undone
 *
 * Symptom: on a machine whose limit of processes is reached now and then, the
 * parent runs out of descriptors after some hours.
 */

static int make_worker(struct pool *pool, struct pool_worker *worker)
{
    int jobs[2] = {-1, -1};
    int results[2] = {-1, -1};
    int error = 0;
    if (pipe2(jobs, O_CLOEXEC) == -1 || pipe2(results, O_CLOEXEC) == -1 ||
        !set_nonblocking(jobs[1]) || !set_nonblocking(results[0]))
        error = -errno;
    if (error == 0) {
        set_capacity(pool, results[1]);
        worker->pid = fork_quietly(pool, worker->slot, jobs[0], results[1]);
        if (worker->pid == -1)
            error = -errno;
    }
    /* The child's ends. Left open here, they would hide its death. */
    close_fd(&jobs[0]);
    close_fd(&results[1]);
    if (worker->pid == -1) { /* nobody is there to use them */
        worker->pid = 0;
        return error;
    }
    worker->jobs_fd = jobs[1];
    worker->results_fd = results[0];
    if (error == 0)
        pool->alive++;
    else
        worker->pid = 0;
    return error;
}
