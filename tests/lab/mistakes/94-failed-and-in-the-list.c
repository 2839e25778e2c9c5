/*
 * Mistake 94: one who could not wait stays in the list of those who wait
 * Lab: coroutines
 * File: evloop/coroutines/coroutine.c
 * Caught by: each_wait_is_its_own
 *
 * Symptom: once memory was short for a moment, which was said and dealt with.
 * From then on some request waits for a turn that never comes to it.
 */

/* Waits for a descriptor (-1: none), a deadline, to be woken; whichever comes
 * first. The caller has put it into a list to be woken from, or not. */
static int await_any(struct coroutine *c, int fd, short events,
                     int64_t deadline)
{
    short what = (short)(((events & POLLIN) != 0 ? EV_READ : 0) |
                         ((events & POLLOUT) != 0 ? EV_WRITE : 0));
    c->state = WAITING;
    c->events = events;
    c->deadline = deadline;
    (void)event_assign(&c->event, c->all->base, fd, what, on_event, c);
    if ((fd != -1 || deadline != COROUTINE_NEVER) && set_event(c) != 0) {
        int ready = poll_now(fd, events);
        c->state = RUNNING; /* it has not waited: nothing is to be undone */
        return ready != 0 ? ready : -ENOMEM;
    }
    return suspend(c);
}
