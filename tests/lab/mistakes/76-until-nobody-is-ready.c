/*
 * Mistake 76: those who get ready meanwhile run in the same turn
 * Lab: coroutines
 * File: evloop/coroutines/coroutine.c
 * Caught by: descriptors_get_their_turn
 *
 * Symptom: while one coroutine computes, politely, with await_others in its
 * loop, nothing comes in: all servers seem to be silent, and answer at once
 * when it is done.
 */

static void run_ready(evutil_socket_t fd, short what, void *arg)
{
    struct coroutines *all = arg;
    (void)fd;
    (void)what;
    all->turn_is_set = false;
    /* Who is ready is not to wait. */
    while (all->ready.first != NULL)
        resume(all->ready.first);
    if (all->ready.first != NULL)
        set_turn(all);
    else if (all->newest == NULL)
        (void)event_base_loopbreak(all->base);
}
