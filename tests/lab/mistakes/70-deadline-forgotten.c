/*
 * Mistake 70: a wait for a descriptor has no deadline
 * Lab: coroutines
 * File: evloop/coroutines/coroutine.c
 * Caught by: a_deadline_ends_a_wait
 *
 * Symptom: a server that says nothing is waited for as long as it likes:
 * --timeout works while a name is looked up, and no longer once the connection
 * stands.
 */

static int await_any(struct coroutine *c, int fd, short events,
                     int64_t deadline)
{
    short what = (short)(((events & POLLIN) != 0 ? EV_READ : 0) |
                         ((events & POLLOUT) != 0 ? EV_WRITE : 0));
    c->state = WAITING;
    c->events = events;
    c->deadline = fd == -1 ? deadline : COROUTINE_NEVER;
    (void)event_assign(&c->event, c->all->base, fd, what, on_event, c);
    if ((fd != -1 || deadline != COROUTINE_NEVER) && set_event(c) != 0) {
        int ready = poll_now(fd, events);
        wake(c, ready != 0 ? ready : -ENOMEM); /* after the others */
    }
    return suspend(c);
}
