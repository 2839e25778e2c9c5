/*
 * Mistake 22: a low watermark is taken for the size of a message
 * Lab: evloop
 * File: evloop/socket.c
 * Caught by: short_tail
 *
 * Symptom: a large response stands still near its end, and a small one never
 * seems to come, until the time is over: `timeout`. Responses after which the
 * server closes are all right.
 */

void connection_has_stream(struct connection *c)
{
    c->stream = c->tls != NULL ? stream_new_lazy(c->bev) : stream_new(c->bev);
    /* Let libevent collect some bytes: so we are called less often. */
    bufferevent_setwatermark(c->bev, EV_READ, LIBEVENT_READ, 0);
    if (c->stream == NULL || bufferevent_enable(c->bev, EV_READ) != 0) {
        c->owner->failed(c->arg, RESULT_NO_RESOURCES, strerror(ENOMEM));
        return;
    }
    connection_is_open(c);
}
