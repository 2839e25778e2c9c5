/*
 * Mistake 99: what cannot be watched counts as no memory
 * Lab: coroutines
 * File: evloop/coroutines/coroutine.c
 * Caught by: waits_for_a_descriptor
 *
 * Symptom: a program that copies from a pipe to a pipe fails for want of
 * memory when its output is a file.
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
    if ((fd != -1 || deadline != COROUTINE_NEVER) && set_event(c) != 0)
        wake(c, -ENOMEM); /* after the others */
    return suspend(c);
}
