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
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = net_socket_type(url),
                             .ai_flags = EVUTIL_AI_NUMERICSERV};
    const char *cause;
    struct addrinfo *addresses = NULL;
    /* The system knows names that libevent does not (NSS): ask it first. */
    enum result result = net_resolve(url, &addresses, &cause);
    if (result == RESULT_OK || net_is_address(url)) {
        on_resolved(result == RESULT_OK ? 0 : EVUTIL_EAI_FAIL, addresses, c);
    } else if (!need_dns(c->loop)) {
        on_resolved(EVUTIL_EAI_FAIL, NULL, c);
    } else {
        c->lookup = evdns_getaddrinfo(c->loop->dns, url->host, url->port,
                                      &hints, on_resolved, c);
        if (c->lookup != NULL) /* else it has been answered */
            c->loop->lookups++;
    }
}
