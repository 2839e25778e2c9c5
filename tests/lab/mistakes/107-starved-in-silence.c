/*
 * Mistake 107: a worker without memory ends as if nothing were the matter
 * Lab: processes
 * File: processes/worker.c
 * Caught by: a_long_job
 *
 * Symptom: when memory is short a request fails as if its worker had crashed;
 * it could have waited until another one had ended.
 */

/* Reads until a whole FRAME_JOB is there. False when there will be none. */
static bool read_job(struct worker *w, struct frame *frame)
{
    *frame = frame_next(&w->reader);
    while (frame->type == FRAME_NONE) {
        if (frame_read(&w->reader, w->jobs_fd) <= 0)
            return false; /* the parent has closed the pipe, or is dead */
        *frame = frame_next(&w->reader);
    }
    return frame->type == FRAME_JOB;
}
