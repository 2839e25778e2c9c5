/*
 * Mistake 44: the pipes of dead workers stay open in the parent
 * Lab: processes
 * File: processes/pool.c
 * Caught by: no_descriptor_is_left
 *
 * Symptom: after some hundred requests with `--spawn each` there is a warning,
 * `Too many open files: going on with fewer requests in flight`, and in the end
 * nothing goes on, though never more than eight requests were in flight.
 */

void pool_vacate(struct pool *pool, struct pool_worker *worker)
{
    /* The worker is dead, and so are its pipes. */
    worker->jobs_fd = -1;
    worker->results_fd = -1;
    worker->next = pool->vacant;
    pool->vacant = worker;
}
