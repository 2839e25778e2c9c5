/*
 * Mistake 101: who has ended when it is detached is not freed
 * Lab: coroutines
 * File: evloop/coroutines/coroutine.c
 * Caught by: gives_its_memory_back
 *
 * Symptom: a server that starts a coroutine for each guest, and looks after
 * it for a while before it lets it go, grows with each guest that was quick.
 */

void coroutine_detach(struct coroutine *c)
{
    c->detached = true; /* so it is freed at its end */
}
