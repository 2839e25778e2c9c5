/* connection: from look-up to close, whatever the kind. See connection.h. */
#include "connection.h"

#include "base.h"
#include "clock.h"
#include "database.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

void connection_check(const struct connection *c)
{
    assert(c->state != CLOSED || (c->owner == NULL && c->stream == NULL));
    assert(c->lookup == NULL || c->state < OPEN);
    assert(c->address == NULL || c->lookup != NULL);
    assert(c->state != RESOLVING || c->address == NULL);
    assert(c->owner != NULL || c->state >= OPEN); /* idle, or closed */
    (void)c;
}

/* --- Closing ------------------------------------------------------------ */

/* The owner may close from within `readable`, and its caller here looks at the
 * connection once more: the memory goes on the next turn. */
static void free_soon(struct connection *c)
{
    c->next = c->loop->closed;
    c->loop->closed = c;
    event_active(&c->loop->reaper, EV_TIMEOUT, 1);
}

static void drop_lookup(struct connection *c)
{
    lookup_drop(c->lookup);
    c->lookup = NULL;
    c->address = NULL;
}

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
    drop_lookup(c); /* under way or not */
    free_soon(c);
}

static void on_reap(evutil_socket_t fd, short what, void *arg)
{
    struct loop *loop = arg;
    (void)fd;
    (void)what;
    while (loop->closed != NULL) {
        struct connection *c = loop->closed;
        loop->closed = c->next;
        idle_unname(&c->node);
        free(c);
    }
}

bool connection_drop_idle(struct connection *c)
{
    if (c->state != OPEN || c->owner != NULL)
        return false;
    idle_remove(&c->loop->idle, &c->node);
    connection_close(c);
    return true;
}

/* --- An open connection ------------------------------------------------- */

bool connection_is_readable(const struct connection *c)
{
    return c->state == OPEN && c->owner != NULL && !c->paused;
}

void connection_pause(struct connection *c)
{
    c->paused = true;
    c->kind->pause(c);
}

void connection_resume(struct connection *c)
{
    c->paused = false;
    c->kind->resume(c);
}

void connection_read_arrived(struct connection *c)
{
    c->kind->read_arrived(c);
}

int connection_send(struct connection *c, const void *p, size_t n)
{
    return c->kind->send(c, p, n);
}

const char *connection_cause(const struct connection *c, int error)
{
    return c->database != NULL ? database_cause(c->database, -error)
                               : tls_cause(c->tls, -error);
}

void connection_is_open(struct connection *c)
{
    c->state = OPEN;
    c->url = NULL;
    drop_lookup(c);
    connection_check(c);
    c->owner->connected(c->arg);
}

/* --- Connecting --------------------------------------------------------- */

/* The address at hand has failed. True if there is one to try now: the next;
 * or the same again. Else the owner was told. */
static bool has_address_after(struct connection *c, int error)
{
    enum result result = net_result_of_connect(-error, c->address);
    const char *cause = connection_cause(c, error);
    if (database_has_spoken(c->database, -error)) {
        c->owner->failed(c->arg, result, cause);
        return false;
    }
    c->kind->drop(c);
    c->state = CONNECTING;
    if (result == RESULT_NO_RESOURCES && idle_drop(&c->loop->idle))
        return true; /* an idle connection's place will do */
    net_weigh(&c->failure, result, cause);
    c->address = c->address->ai_next;
    if (c->address != NULL)
        return true;
    c->owner->failed(c->arg, c->failure.result, c->failure.cause);
    return false;
}

/* Tries one address after the other, until one will tell later. (A loop: some
 * names have more addresses than the stack has room for calls.) */
static void try_addresses(struct connection *c)
{
    int error;
    do
        error = c->kind->open(c, c->address);
    while (error != 0 && has_address_after(c, error));
}

void connection_address_failed(struct connection *c, int error)
{
    if (has_address_after(c, error))
        try_addresses(c);
}

int connection_set_limit(struct connection *c)
{
    int64_t left = c->limit - clock_us();
    struct timeval time = {left > 0 ? left / CLOCK_SECOND : 0,
                           left > 0 ? left % CLOCK_SECOND : 0};
    return event_add(&c->event, &time) == 0 ? 0 : -ENOMEM;
}

bool connection_tells_more(struct connection *c)
{
    struct net_failure failure = c->failure;
    if (c->state != CONNECTING && c->state != SECURING)
        return false;
    net_weigh(&failure, RESULT_TIMEOUT, "");
    if (failure.result == RESULT_TIMEOUT)
        return false;
    c->owner->failed(c->arg, failure.result, failure.cause);
    return true;
}

/* --- Looking up --------------------------------------------------------- */

static void look_up(struct connection *c, const struct url *url);

/* The answer is there, or there will be none: `failure` says why. What the
 * helper thread lacked an idle connection may have. */
static void on_resolved(evutil_socket_t fd, short what, void *arg)
{
    struct connection *c = arg;
    (void)fd;
    (void)what;
    if (c->lookup != NULL)
        c->failure.result =
            lookup_answer(c->lookup, &c->address, &c->failure.cause);
    if (c->lookup != NULL && c->failure.result == RESULT_NO_RESOURCES &&
        idle_drop(&c->loop->idle)) {
        drop_lookup(c);
        look_up(c, c->url);
        return;
    }
    for (unsigned i = c->tried; i > 0 && c->address != NULL; i--) {
        net_weigh(&c->failure, RESULT_REFUSED, strerror(ECONNREFUSED));
        c->address = c->address->ai_next;
    }
    if (c->address == NULL) {
        c->owner->failed(c->arg, c->failure.result, c->failure.cause);
        return;
    }
    c->state = CONNECTING;
    try_addresses(c);
}

/* getaddrinfo waits, so a helper thread calls it (lookup.h), and its answer is
 * one more event. An answer that is here already - an address needs no name
 * server - is told on the next turn like the others: connection_open has not
 * returned the connection to its owner yet. For what a look-up lacks idle
 * connections are dropped, one by one; if that does not help the owner is told
 * of the shortage, on the next turn as well. */
static void look_up(struct connection *c, const struct url *url)
{
    int error;
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

struct connection *connection_open(struct loop *loop, const struct url *url,
                                   unsigned tried,
                                   const struct connection_owner *owner,
                                   void *arg, const struct lane *lane)
{
    struct connection *c = calloc(1, sizeof *c);
    if (c == NULL || idle_name(&c->node, url) != 0) {
        free(c);
        return NULL;
    }
    c->loop = loop;
    c->owner = owner;
    c->arg = arg;
    c->lane = lane;
    c->tried = tried;
    c->fd = -1;
    c->kind = loop->kinds[url->scheme];
    evtimer_assign(&c->event, loop->base, on_resolved, c);
    c->url = url;
    if (c->kind->looks_up) {
        look_up(c, url);
    } else {
        int error = c->kind->open(c, NULL);
        if (error != 0) {
            connection_close(c);
            return NULL;
        }
    }
    connection_check(c);
    return c;
}

/* --- Idle connections --------------------------------------------------- */

struct connection *connection_reuse(struct loop *loop, const struct url *url,
                                    const struct connection_owner *owner,
                                    void *arg)
{
    struct idle_node *node;
    while ((node = idle_take(&loop->idle, url)) != NULL) {
        struct connection *c = (struct connection *)node;
        /* What has come may not have been told yet. */
        if (c->kind->is_quiet(c)) {
            c->owner = owner;
            c->arg = arg;
            connection_check(c);
            return c;
        }
        connection_close(c);
    }
    return NULL;
}

void connection_keep(struct connection *c)
{
    if (c->kind->keep == NULL || !c->kind->keep(c)) {
        connection_close(c);
        return;
    }
    c->owner = NULL;
    c->paused = false;
    connection_check(c);
    idle_put(&c->loop->idle, &c->node);
}

static void close_idle(struct idle_node *node)
{
    connection_close((struct connection *)node);
}

int connections_open(struct loop *loop, size_t idle_limit)
{
    event_assign(&loop->reaper, loop->base, -1, 0, on_reap, loop);
    return idle_open(&loop->idle, idle_limit, close_idle);
}

void connections_close(struct loop *loop)
{
    idle_close(&loop->idle);
    on_reap(-1, 0, loop);
    event_del(&loop->reaper);
}
