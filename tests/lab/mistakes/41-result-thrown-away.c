/*
 * Mistake 41: the result of a worker that died since is thrown away
 * Lab: processes
 * File: processes/request.c
 * Caught by: a_result_counts_when_its_worker_is_dead
 *
 * Symptom: a worker is killed after its request is done, while the result
 * waits for its turn on standard output. The server sees the request a second
 * time, and the report has `2` in the column `attempts`.
 */

void request_bereft(struct request *r, int status)
{
    if (r->job == NULL)
        free_slot(r);
    else
        retry_crashed(r, status); /* it died with a job */
}
