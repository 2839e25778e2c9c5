/*
 * Mistake 67: the stack is given back by the one who stands on it
 * Lab: coroutines
 * File: evloop/coroutines/coroutine.c
 * Caught by: stacks_are_used_again
 *
 * Symptom: with a few requests all is well; with hundreds that end at about
 * the same time the program is killed by SIGSEGV, each time in a function that
 * was just returning.
 */

static void begin(void *arg)
{
    struct coroutine *c = arg;
    c->answer = c->f(c->arg);
    c->state = ENDED;
    *(c->newer != NULL ? &c->newer->older : &c->all->newest) = c->older;
    if (c->older != NULL)
        c->older->newer = c->newer;
    condition_wake_all(&c->ended);
    /* It has ended: what it had is free. */
    give_stack_back(c->all, c->stack);
    if (c->all->newest == NULL)
        set_turn(c->all); /* run_ready ends the loop */
    context_switch(&c->stack->context, &c->all->loop, true);
}

static void free_coroutine(struct coroutine *c)
{
    if (c->detached)
        free(c);
}
