/*
 * Mistake 25: a callback goes on with a connection that is freed
 * Lab: evloop
 * File: evloop/connection.c
 * Caught by: nothing_is_touched_after_the_end
 *
 * Symptom: the program crashes once in a while, mostly when a server has said
 * `Connection: close` or reset the connection; under load more often. Compiled
 * with -fsanitize=address it never gets past such a response.
 */

void connection_close(struct connection *c)
{
    if (c->state == CLOSED)
        return;
    c->state = CLOSED;
    c->owner = NULL;
    event_del(&c->event);
    stream_free(c->stream);
    c->stream = NULL;
    c->kind->drop(c);
    drop_lookup(c);
    /* Nobody has it any more. */
    idle_unname(&c->node);
    free(c);
}
