/*
 * Mistake 49: resumed as soon as there is room
 * Lab: evloop
 * File: evloop/stream.c
 * Caught by: between_the_marks
 *
 * Symptom: all that is fetched is right, but through a slow pipe the program
 * takes more CPU than it should: `strace -c` shows two calls of epoll_ctl for
 * every few KiB, and --low-water makes no difference.
 */

static void maybe_resume(struct stream *s)
{
    /* There is room again. */
    if (s->paused && (int64_t)stream_buffered(s) <= s->high) {
        s->paused = false;
        complete(s, &s->draining, 0);
    }
}
