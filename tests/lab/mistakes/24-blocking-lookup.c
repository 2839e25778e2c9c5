/*
 * Mistake 24: a blocking call in a callback
 * Lab: evloop
 * File: evloop/connection.c
 * Caught by: stalled_lookup
 *
 * Symptom: now and then everything stands still for five or ten seconds - all
 * downloads, the progress line, even Ctrl-C - and then goes on as if nothing
 * had been. The servers' logs show the same gap for every connection.
 */

static void look_up(struct connection *c, const struct url *url)
{
    struct addrinfo hints = {.ai_socktype = net_socket_type(url),
                             .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int error;
    /* A name that nobody knows is worth no thread: a short look. */
    int unknown = net_is_address(url) ? 0
                                      : getaddrinfo(url->host, url->port,
                                                    &hints, &found);
    if (found != NULL)
        freeaddrinfo(found);
    if (unknown != 0) {
        c->failure =
            (struct net_failure){RESULT_DNS, gai_strerror(unknown)};
        base_next_turn(&c->event);
        return;
    }
    do
        error = lookup_begin(url, false, &c->lookup);
    while (error != 0 && idle_drop(&c->loop->idle));
    if (error == 0 && lookup_fd(c->lookup) != -1) {
        event_assign(&c->event, c->loop->base, lookup_fd(c->lookup), EV_READ,
                     on_resolved, c);
        if (event_add(&c->event, NULL) == 0)
            return;
        drop_lookup(c);
        error = -ENOMEM;
    }
    if (error != 0)
        c->failure =
            (struct net_failure){RESULT_NO_RESOURCES, strerror(-error)};
    evtimer_assign(&c->event, c->loop->base, on_resolved, c);
    base_next_turn(&c->event);
}
