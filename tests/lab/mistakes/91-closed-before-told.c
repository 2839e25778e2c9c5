/*
 * Mistake 91: the end of a stream that is closed as well is not told
 * Lab: evloop
 * File: evloop/stream.c
 * Caught by: half_close
 *
 * Symptom: a server that answers when it has seen the end of the upload never
 * answers; with a body so small that it is sent at once it does.
 */

static void after_send(struct stream *s)
{
    if (s->lost)
        return;
    maybe_resume(s);
    if (stream_buffered(s) > 0)
        return;
    if (s->closing) {
        lose(s, 0);
        return;
    }
    if (s->eof && !s->shut) {
        s->shut = true;
        if (s->bev != NULL)
            (void)shutdown(bufferevent_getfd(s->bev), SHUT_WR);
        else
            s->transport->shut(s->context);
    }
    if (s->closing)
        lose(s, 0);
}
