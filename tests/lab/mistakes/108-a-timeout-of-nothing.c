/*
 * Mistake 108: that nothing is there any more counts as the deadline
 * Lab: coroutines
 * File: evloop/coroutines/coroutine.c
 * Caught by: waits_for_a_descriptor
 *
 * Symptom: of two that wait for one socket the slower one is told that its
 * time is up, though it has all the time in the world.
 */

/* The descriptor is ready, or the deadline has come; or seems to have come,
 * for libevent reckons from the beginning of its turn. */
static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct coroutine *c = arg;
    int answer = poll_now(fd, c->events);
    if (answer == 0 && (what & EV_TIMEOUT) != 0 &&
        coroutine_now() < c->deadline && set_event(c) == 0)
        return;
    unlink_coroutine(c);
    c->answer = answer != 0 ? answer : -ETIMEDOUT;
    resume(c);
}
