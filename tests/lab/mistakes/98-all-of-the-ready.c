/*
 * Mistake 98: all that are ready run before the loop looks up
 * Lab: coroutines
 * File: evloop/coroutines/coroutine.c
 * Caught by: descriptors_get_their_turn
 *
 * Symptom: with ten thousand coroutines an answer lies in a socket as long as
 * all of them need that have something to do; with ten nothing is seen of it.
 */

static void run_ready(evutil_socket_t fd, short what, void *arg)
{
    struct coroutines *all = arg;
    (void)fd;
    (void)what;
    all->turn_is_set = false;
    /* Those that become ready meanwhile have the next turn. */
    struct coroutine *c = NULL;
    struct coroutine *last = all->ready.last;
    while (c != last) {
        c = all->ready.first;
        resume(c);
    }
    if (all->ready.first != NULL)
        set_turn(all);
    else if (all->newest == NULL)
        (void)event_base_loopbreak(all->base);
}
