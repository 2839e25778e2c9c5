/*
 * Mistake 21: paused by the read high-watermark
 * Lab: evloop
 * File: evloop/socket.c
 * Caught by: pause_sleeps
 *
 * Symptom: all that is fetched is right, and memory is bounded. But while the
 * consumer of standard output stands still, `top` shows one CPU at 100%, and
 * `strace -c` a million calls of epoll_wait.
 */

void connection_pause_bufferevent(struct connection *c)
{
    /* libevent stops reading when so much is in the input. */
    bufferevent_setwatermark(c->bev, EV_READ, 0, LIBEVENT_READ);
}

void connection_resume_bufferevent(struct connection *c)
{
    bufferevent_setwatermark(c->bev, EV_READ, 0, 0);
    connection_hand_on_input(c);
}
