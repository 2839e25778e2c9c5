/*
 * Mistake 12: one wait for each SIGCHLD
 * Lab: processes
 * File: processes/pool.c
 * Caught by: one_signal_many_deaths
 *
 * Symptom: now and then, on a busy machine, the program stands still for ever
 * after several of its workers were killed at about the same time. ps shows
 * some of them as <defunct>; the requests that they had are never made again.
 */

struct pool_worker *pool_reap(struct pool *pool, int *status)
{
    struct signalfd_siginfo info;
    /* A signal came: a child has died. */
    if (read(pool->signal_fd, &info, sizeof info) != sizeof info)
        return NULL;
    pid_t pid = waitpid(-1, status, WNOHANG);
    for (size_t i = 0; i < pool->used && pid > 0; i++) {
        struct pool_worker *worker = &pool->workers[i];
        if (worker->pid != pid)
            continue;
        worker->pid = 0;
        pool->alive--;
        take_out(&pool->idle, worker);
        return worker;
    }
    return NULL;
}
