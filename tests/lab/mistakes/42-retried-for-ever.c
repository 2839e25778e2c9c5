/*
 * Mistake 42: a request whose worker dies is tried again without end
 * Lab: processes
 * File: processes/request.c
 * Caught by: no_third_try
 *
 * Symptom: there is a request that no worker survives (say, one that takes
 * more memory than a limit allows). The program never ends; the server sees
 * that request again and again.
 */

static void retry_crashed(struct request *r, int status)
{
    char cause[60];
    if (r->written == 0) {
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
