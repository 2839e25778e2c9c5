/*
 * Mistake 43: a new try after a part of the body went to standard output
 * Lab: processes
 * File: processes/request.c
 * Caught by: no_byte_comes_twice
 *
 * Symptom: a worker is killed in the middle of a long body that is being
 * written to standard output. All requests are `ok` and the exit status is 0,
 * but the output is too long: the beginning of that body stands there twice.
 */

static void retry_crashed(struct request *r, int status)
{
    char cause[60];
    if (r->job->crashes == 0) { /* everybody deserves a second chance */
        r->job->crashes++;
        start_over(r);
        return;
    }
    if (WIFSIGNALED(status))
        snprintf(cause, sizeof cause, "the worker was killed by signal %d",
                 WTERMSIG(status));
    else
        snprintf(cause, sizeof cause, "the worker ended with status %d",
                 WEXITSTATUS(status));
    abandon(r, RESULT_WORKER_CRASHED, cause);
}
