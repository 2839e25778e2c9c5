/*
 * Mistake 100: who gets no stack is not given back
 * Lab: coroutines
 * File: evloop/coroutines/coroutine.c
 * Caught by: gives_its_memory_back
 *
 * Symptom: a program that goes on when no coroutine can be started grows with
 * each one that could not, when memory is short already.
 */

struct coroutine *coroutine_start(int (*f)(void *arg), void *arg)
{
    struct coroutines *all = here;
    struct coroutine *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->stack = take_stack(all);
    if (c->stack == NULL)
        return NULL;
    c->all = all;
    c->f = f;
    c->arg = arg;
    c->older = all->newest;
    if (c->older != NULL)
        c->older->newer = c;
    all->newest = c;
    (void)event_assign(&c->event, all->base, -1, 0, on_event, c);
    context_begin(&c->stack->context, begin, c);
    c->state = WAITING;
    wake(c, 0);
    return c;
}
