/*
 * Mistake 106: a worker that is stopped counts as dead
 * Lab: processes
 * File: processes/pool.c
 * Caught by: the_dead_are_reaped
 *
 * Symptom: a worker that somebody looks at in a debugger loses its request to
 * another one, and is a zombie when it ends.
 */

struct pool_worker *pool_reap(struct pool *pool, int *status)
{
    struct signalfd_siginfo info;
    pid_t pid;
    while (read(pool->signal_fd, &info, sizeof info) > 0)
        ; /* emptied first: a death after this makes it readable anew */
    while ((pid = waitpid(-1, status, WNOHANG | WUNTRACED)) > 0) {
        /* They die in about the order of their slots. The search goes on from
         * the last one: with thousands, from the first would take long. */
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
        /* Not ours: the program that became this one by exec had children. */
    }
    return NULL;
}
