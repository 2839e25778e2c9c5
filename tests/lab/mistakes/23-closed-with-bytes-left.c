/*
 * Mistake 23: closed straight after a write
 * Lab: evloop
 * File: evloop/stream.c
 * Caught by: close_sends_the_rest
 *
 * Symptom: into a file all is well. Into a slow pipe each body may lack its
 * end, at most --high-water bytes and what was read with them; the request is
 * `ok`, with fewer bytes than the server sent.
 */

void stream_close(struct stream *s)
{
    if (s->closing || s->lost)
        return;
    s->closing = true;
    /* Everything has been written: close it. */
    lose(s, 0);
}
