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
    if (ordered(r) || worker->pid == 0)
        mailbox_unwatch(&r->mailbox);
    r->written = 0;
    r->peak = 0;
    r->out_failed = false;
    r->job = NULL;
    if (worker->pid == 0) {
        pool_vacate(&r->shared->pool, worker);
        r->mailbox.ended = false;
    } else if (r->shared->run->options->spawn_each) {
        pool_retire(&r->shared->pool, worker);
    } else if (!r->mailbox.ended) {
        pool_release(&r->shared->pool, worker);
    }
}

int request_send(struct request *r, struct job *job)
{
    /* A name that no file can have need not be sent whole. */
    size_t name = job->name != NULL ? strnlen(job->name, NAME_MAX + 1) : 0;
    struct frame_job fixed = {.id = job->id,
                              .url_length = (uint32_t)job->url_length,
                              .name_length = (uint32_t)name};
    struct iovec parts[] = {{&fixed, sizeof fixed},
                            {job->url, job->url_length + 1},
                            {job->name, name},
                            {(void *)"", 1}};
    int error = 0;
    /* Before the worker can have begun. */
    run_started(r->shared->run, job, r->mailbox.worker->slot);
    if (!ordered(r) || hoards(r))
        error = mailbox_watch(&r->mailbox);
    if (error == 0) {
        trace_hand_over(&r->shared->lane, PARCEL_JOB, job->id);
        error = mailbox_send(&r->mailbox, FRAME_JOB, parts, 4);
    }
    if (error != 0) {
        mailbox_unwatch(&r->mailbox);
        mailbox_clear(&r->mailbox);
        run_given_back(r->shared->run, job);
        return error;
    }
    r->job = job;
    flight_enter(&r->shared->flight, &r->flier, job->id);
    return 0;
}
