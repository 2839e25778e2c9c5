/*
 * Mistake 18: EV_WRITE is always armed
 * Lab: evloop
 * File: evloop/stream.c
 * Caught by: idle_costs_nothing
 *
 * Symptom: all that is fetched is right. But while the program waits for a
 * server that thinks before it answers on, `top` shows one CPU at 100%.
 */

void stream_writable(struct stream *s)
{
    if (s->lost)
        return;
    while (stream_buffered(s) > 0) {
        struct evbuffer_iovec parts[PIECES];
        int n = evbuffer_peek(s->output, -1, NULL, parts, PIECES);
        ssize_t sent = send_now(s, parts, n < PIECES ? n : PIECES);
        if (is_later(sent))
            break;
        if (sent < 0) {
            lose(s, (int)sent);
            return;
        }
        evbuffer_drain(s->output, (size_t)sent);
    }
    /* We want to hear of the next chance, too. */
    s->transport->watch(s->context, true);
    after_send(s);
}
