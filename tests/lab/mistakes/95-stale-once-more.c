/*
 * Mistake 95: a kept connection was closed under a request, and the next kept
 * one is tried
 * Lab: evloop
 * File: evloop/request.c
 * Caught by: keeps_connections
 *
 * Symptom: of one request the server's log has nine lines, and our report one
 * attempt. The file was uploaded nine times. It was the first one after
 * a pause of some seconds. With -j 1 it is two lines at most.
 */

/* Step connect: an idle connection if there is one, else a new one. */
static void step_connect(struct request *r)
{
    struct loop *loop = r->loop;
    const struct url *url = exchange_url(r->x);
    r->connection = connection_reuse(loop, url, &connection_owner, r);
    if (r->connection != NULL) {
        exchange_connected(r->x, true, clock_us());
        return;
    }
    r->connection = connection_open(loop, url, exchange_tried(r->x),
                                    &connection_owner, r, &r->lane);
    if (r->connection == NULL)
        exchange_failed(r->x, RESULT_NO_RESOURCES, strerror(ENOMEM),
                        clock_us());
}
