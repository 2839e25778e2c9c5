/*
 * Mistake 69: who is cancelled stays in the list in which it waited
 * Lab: coroutines
 * File: evloop/coroutines/coroutine.c
 * Caught by: a_cancelled_wait_is_forgotten
 *
 * Symptom: some time after a request was cancelled another one, which waits
 * for its turn, stands still for ever; or what is woken is somebody who waits
 * for something else.
 */

static void wake(struct coroutine *c, int answer)
{
    if (c->state != WAITING)
        return;
    if (answer != -ECANCELED)
        unlink_coroutine(c);
    c->list = NULL;
    (void)event_del(&c->event);
    c->answer = answer;
    c->state = READY;
    append(&c->all->ready, c);
    set_turn(c->all);
}
