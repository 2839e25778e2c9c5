/*
 * idle: connections kept open for the next request to the same origin.
 *
 * A model embeds a struct idle_node in its own kind of connection. The list
 * never looks at the connection itself. The model probes it when it takes it
 * out, unless it is fresh: the server may have closed it meanwhile, or sent
 * bytes unasked.
 *
 * Any thread may call; no function waits for anything but the lock.
 */
#ifndef TRIPTYCH_IDLE_H
#define TRIPTYCH_IDLE_H

#include "url.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idle_node {
    struct idle_node *newer;
    struct idle_node *older;
    enum scheme scheme; /* of the origin that it leads to */
    char *host;
    char port[6];
    int64_t since_us; /* it is in the list, or was when it was taken */
};

struct idle {
    pthread_mutex_t lock;
    struct idle_node *newest;
    struct idle_node *oldest;
    size_t count;
    size_t limit;
    void (*close)(struct idle_node *node);
};

/* Prepares a list of at most `limit` connections; `close` closes one and
 * frees it. 0 or a negative errno. */
int idle_open(struct idle *idle, size_t limit,
              void (*close)(struct idle_node *node));

/* Notes which origin the connection leads to. 0 or -ENOMEM. */
int idle_name(struct idle_node *node, const struct url *url);

/* Forgets it again; for the connection's own freeing. */
void idle_unname(struct idle_node *node);

/* Takes out the youngest connection to the URL's origin: the one that the
 * server is least likely to have closed. NULL if there is none. */
struct idle_node *idle_take(struct idle *idle, const struct url *url);

/* True if the connection was put in but a moment ago. If its socket was empty
 * then, it need not be probed: a byte that comes now does the same harm as one
 * that comes after the probe, and a probe is one call of five. */
bool idle_is_fresh(const struct idle_node *node);

/* Puts a connection in, at the cost of the oldest if the list is full. */
void idle_put(struct idle *idle, struct idle_node *node);

/* Takes out this one, for the server has closed it, or said something. */
void idle_remove(struct idle *idle, struct idle_node *node);

/* At most `requests` requests remain. Closes the oldest connections beyond
 * that number: one by one, while answers are waited for, and not all at the
 * end. */
void idle_expect(struct idle *idle, size_t requests);

/* Closes the oldest; false if there was none. For when descriptors are out. */
bool idle_drop(struct idle *idle);

/* Closes them all; the list may not be used afterwards. */
void idle_close(struct idle *idle);

#endif
