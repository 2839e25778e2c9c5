/*
 * Mistake 93: a wait ends when the loop says so, not when the time has come
 * Lab: coroutines
 * File: evloop/coroutines/coroutine.c
 * Caught by: not_before_the_time
 *
 * Symptom: now and then a request that is to be tried again after 100 ms is
 * tried after 60, and another one is given up before its time is over; on a
 * machine with nothing else to do neither is ever seen.
 */

/* The descriptor is ready, or the deadline has come. */
static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct coroutine *c = arg;
    int answer = ((what & EV_READ) != 0 ? POLLIN : 0) |
                 ((what & EV_WRITE) != 0 ? POLLOUT : 0);
    /* libevent forgets that it is ready when the deadline comes as well. */
    if (answer == 0)
        answer = poll_now(fd, c->events);
    unlink_coroutine(c);
    c->answer = answer != 0 ? answer : -ETIMEDOUT;
    resume(c);
}
