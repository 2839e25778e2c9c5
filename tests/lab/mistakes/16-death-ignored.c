/*
 * Mistake 16: a worker's death is ignored
 * Lab: processes
 * File: processes/request.c
 * Caught by: one_new_try
 *
 * Symptom: a worker is killed (kill -9, or by the kernel when memory is short)
 * in the middle of a request. The other requests are finished; then the
 * program waits for ever, with one request in flight and no worker at work.
 */

void request_bereft(struct request *r, int status)
{
    (void)status;
    if (r->job == NULL)
        free_slot(r);
    else if (mailbox_drain(&r->mailbox) && !ordered(r))
        (void)request_serve(r);
    /* else it has not sent a result yet */
}
