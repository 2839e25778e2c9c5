/*
 * Mistake 40: half a frame of a dead worker stays in the mailbox
 * Lab: processes
 * File: processes/request.c
 * Caught by: half_a_frame_is_forgotten
 *
 * Symptom: a worker is killed while its body waits for its turn on standard
 * output. The request is made again, its result is `ok` or `worker-crashed`,
 * and the output is garbled: it begins with the dead worker's bytes, and has
 * a few in it that no server sent.
 */

static void free_slot(struct request *r)
{
    struct pool_worker *worker = r->mailbox.worker;
    /* The result was the last to come: there is nothing in the mailbox. */
    r->mailbox.watched = false;
    r->written = 0;
    r->peak = 0;
    r->out_error = 0;
    r->job = NULL;
    if (worker->pid == 0) {
        pool_vacate(&r->shared->pool, worker);
        r->mailbox.ended = false; /* for the next worker */
    } else if (r->shared->run->options->spawn_each) {
        pool_retire(worker); /* its death frees the slot */
    } else if (!r->mailbox.ended) {
        pool_release(&r->shared->pool, worker);
    } /* else it is dying: its death frees the slot */
}
