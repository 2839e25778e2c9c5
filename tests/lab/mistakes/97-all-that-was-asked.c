/*
 * Mistake 97: what was asked for is given, not what has come
 * Lab: coroutines
 * File: evloop/coroutines/coroutine.c
 * Caught by: waits_for_a_descriptor
 *
 * Symptom: who waits until it can send or receive, whichever comes first, is
 * told that both can be done, receives, and is told -EAGAIN; if the
 * descriptor blocks, the whole program stands still.
 */

/* The descriptor is ready, or the deadline has come; or seems to have come,
 * for libevent reckons from the beginning of its turn. */
static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct coroutine *c = arg;
    int answer = (what & (EV_READ | EV_WRITE)) != 0 ? c->events : 0;
    /* libevent forgets that it is ready when the deadline comes as well. */
    if (answer == 0)
        answer = poll_now(fd, c->events);
    if (answer == 0 && coroutine_now() < c->deadline && set_event(c) == 0)
        return;
    unlink_coroutine(c);
    c->answer = answer != 0 ? answer : -ETIMEDOUT;
    resume(c);
}
