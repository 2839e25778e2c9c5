/*
 * Mistake 90: a signal in the midst of a send counts as the loss of the connection
 * Lab: evloop
 * File: evloop/stream.c
 * Caught by: short_writes
 *
 * Symptom: when the terminal's window is made larger an upload now and then
 * fails with `Interrupted system call`.
 */

void stream_writable(struct stream *s)
{
    if (s->lost)
        return;
    s->transport->watch(s->context, false);
    while (stream_buffered(s) > 0) {
        struct evbuffer_iovec parts[PIECES];
        int n = evbuffer_peek(s->output, -1, NULL, parts, PIECES);
        ssize_t sent = send_now(s, parts, n < PIECES ? n : PIECES);
        if (sent == -EAGAIN || sent == -EWOULDBLOCK) {
            s->transport->watch(s->context, true);
            break;
        }
        if (sent < 0) {
            lose(s, (int)sent);
            return;
        }
        evbuffer_drain(s->output, (size_t)sent);
    }
    after_send(s);
}
