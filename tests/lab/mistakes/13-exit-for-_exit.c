/*
 * Mistake 13: exit for _exit after fork
 * Lab: processes
 * File: processes/worker.c
 * Caught by: what_is_buffered_is_printed_once
 *
 * Symptom: somebody adds `printf("starting\n");` before model_run. On a
 * terminal it is printed once; into a file or a pipe once more for each worker
 * that was made, unless the worker was killed.
 */

void worker_main(void *run, int slot, int jobs_fd, int results_fd)
{
    static char buffer[BLOCKING_CHUNK];
    struct worker *w = &the_worker;
    struct lane *lane = &w->outlet.blocking.lane;
    w->jobs_fd = jobs_fd;
    w->results_fd = results_fd;
    w->outlet.blocking.buffer = buffer;
    outlet_prepare(&w->outlet, run, &w->idle, step_deliver);
    trace_name(&w->outlet.run->trace, lane, slot + 1, "worker %d", slot);
    trace_step(lane, STEP_TAKE);
    set_signals(w);
    blocking_prepare();
    /* One for each worker makes no more than --jobs altogether. */
    if (idle_open(&w->idle, 1, blocking_close_idle) == 0) {
        while (atomic_load(&w->outlet.blocking.told) == TOLD_NOTHING &&
               step_take(w) && go(w))
            ;
        idle_close(&w->idle);
    }
    trace_step(lane, STEP_NONE);
    bytes_free(&w->reader.in);
    exit(EXIT_SUCCESS);
}
