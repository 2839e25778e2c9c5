/*
 * Mistake 77: a second wake-up says what the wait returns, not the first
 * Lab: coroutines
 * File: evloop/coroutines/coroutine.c
 * Caught by: what_came_first_counts
 *
 * Symptom: a lock is handed over to a request that is cancelled at the same
 * moment: that one takes it for not given, nobody gives it back, and all others
 * wait for ever.
 */

static void wake(struct coroutine *c, int answer)
{
    if (c->state == RUNNING || c->state == ENDED)
        return;
    unlink_coroutine(c);
    (void)event_del(&c->event);
    c->answer = answer;
    c->state = READY;
    append(&c->all->ready, c);
    set_turn(c->all);
}
