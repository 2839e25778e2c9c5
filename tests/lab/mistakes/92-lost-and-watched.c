/*
 * Mistake 92: a stream that is lost goes on asking whether it may write
 * Lab: evloop
 * File: evloop/stream.c
 * Caught by: loss_is_told
 *
 * Symptom: after a connection was reset in the midst of an upload the program
 * takes all of a processor until it ends.
 */

static void lose(struct stream *s, int error)
{
    if (s->lost)
        return;
    s->lost = true;
    s->error = error;
    s->paused = false;
    drop_output(s);
    complete(s, &s->draining, error);
    complete(s, &s->closed, error);
}
