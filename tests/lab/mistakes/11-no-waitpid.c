/*
 * Mistake 11: no waitpid
 * Lab: processes
 * File: processes/pool.c
 * Caught by: the_dead_are_reaped
 *
 * Symptom: while `fetch-processes --spawn each -j1` works through a long list,
 * ps shows more and more `fetch-processes <defunct>`, one for each request
 * that is done; with some thousand requests no process can be made any more.
 * With a larger -j it may also stand still.
 */

/* The signal brings all that there is to know: who, and how. */
struct pool_worker *pool_reap(struct pool *pool, int *status)
{
    struct signalfd_siginfo info;
    while (read(pool->signal_fd, &info, sizeof info) == sizeof info) {
        for (size_t i = 0; i < pool->used; i++) {
            struct pool_worker *worker = &pool->workers[i];
            if (worker->pid != (pid_t)info.ssi_pid)
                continue;
            *status = info.ssi_code == CLD_EXITED ? info.ssi_status << 8
                                                  : info.ssi_status;
            worker->pid = 0;
            pool->alive--;
            take_out(&pool->idle, worker);
            return worker;
        }
    }
    return NULL;
}
