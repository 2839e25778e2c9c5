/*
 * Mistake 73: the event is prepared for the first wait only
 * Lab: coroutines
 * File: evloop/coroutines/coroutine.c
 * Caught by: each_wait_is_its_own
 *
 * Symptom: over a connection that is used again all is well; a request that
 * changes its connection, after a redirect say, waits for ever, though the
 * answer has come.
 */

static int await_any(struct coroutine *c, int fd, short events,
                     int64_t deadline)
{
    short what = (short)(((events & POLLIN) != 0 ? EV_READ : 0) |
                         ((events & POLLOUT) != 0 ? EV_WRITE : 0));
    c->state = WAITING;
    c->events = events;
    c->deadline = deadline;
    /* Once is enough: it is always the same event. */
    if (event_get_fd(&c->event) == -1)
        (void)event_assign(&c->event, c->all->base, fd, what, on_event, c);
    if ((fd != -1 || deadline != COROUTINE_NEVER) && set_event(c) != 0) {
        int ready = poll_now(fd, events);
        wake(c, ready != 0 ? ready : -ENOMEM); /* after the others */
    }
    return suspend(c);
}
