/*
 * Mistake 20: the stream resumes at the low mark only if it stops just there
 * Lab: evloop
 * File: evloop/stream.c
 * Caught by: resumes_at_low
 *
 * Symptom: into a file or a fast pipe all is well. Once the consumer has been
 * slow for a while, the transfer stands still for ever, though the consumer
 * reads again: the program sleeps, and no time-out ends it.
 */

static void maybe_resume(struct stream *s)
{
    /* The low mark is reached. */
    if (s->paused && (int64_t)stream_buffered(s) == s->low) {
        s->paused = false;
        complete(s, &s->draining, 0);
    }
}
