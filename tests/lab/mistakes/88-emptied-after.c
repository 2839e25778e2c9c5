/*
 * Mistake 88: the signals are thrown away after the dead were asked for
 * Lab: processes
 * File: processes/pool.c
 * Caught by: one_signal_many_deaths
 *
 * Symptom: once in some thousand deaths the parent does not notice one: the
 * request of that worker stands still until another worker dies.
 */

struct pool_worker *pool_reap(struct pool *pool, int *status)
{
    struct signalfd_siginfo info;
    pid_t pid;
    while ((pid = waitpid(-1, status, WNOHANG)) > 0) {
        /* They die in about the order of their slots: the search goes on
         * from the last one, or with thousands it would take its time. */
        for (size_t i = 0; i < pool->used; i++) {
            size_t slot = (pool->reaped + i) % pool->used;
            struct pool_worker *worker = &pool->workers[slot];
            if (worker->pid != pid)
                continue;
            worker->pid = 0;
            pool->reaped = slot;
            pool->alive--;
            take_out(&pool->idle, worker);
            return worker;
        }
        /* Not ours: a child of whoever became this program by exec. */
    }
    while (read(pool->signal_fd, &info, sizeof info) > 0)
        ; /* all of these have been dealt with */
    return NULL;
}
