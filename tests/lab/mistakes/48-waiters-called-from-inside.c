/*
 * Mistake 48: waiters are called from inside of the stream's functions
 * Lab: evloop
 * File: evloop/stream.c
 * Caught by: never_from_inside
 *
 * Symptom: mostly all is well. A program that pumps a long file through a
 * stream crashes, with thousands of calls on its stack; another one crashes
 * when the peer resets the connection while somebody waits.
 */

static void complete(struct stream *s, struct stream_waiter **list, int error)
{
    (void)s;
    while (*list != NULL) {
        struct stream_waiter *waiter = *list;
        *list = waiter->next;
        waiter->waits = false;
        /* Tell them at once: why should they wait any longer? */
        waiter->done(waiter->arg, error);
    }
}
