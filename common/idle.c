/* idle: connections kept open for the next request. See idle.h. */
#include "idle.h"

#include "clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int idle_open(struct idle *idle, size_t limit,
              void (*close)(struct idle_node *node))
{
    *idle = (struct idle){.limit = limit, .close = close};
    return -pthread_mutex_init(&idle->lock, NULL);
}

int idle_name(struct idle_node *node, const struct url *url)
{
    node->scheme = url->scheme;
    memcpy(node->port, url->port, strlen(url->port) + 1);
    node->host = strdup(url->host);
    return node->host != NULL ? 0 : -ENOMEM;
}

void idle_unname(struct idle_node *node)
{
    free(node->host);
    node->host = NULL;
}

static bool leads_to(const struct idle_node *node, const struct url *url)
{
    return node->scheme == url->scheme && strcmp(node->port, url->port) == 0 &&
           strcmp(node->host, url->host) == 0;
}

static void unlink_locked(struct idle *idle, struct idle_node *node)
{
    if (node->newer != NULL)
        node->newer->older = node->older;
    else
        idle->newest = node->older;
    if (node->older != NULL)
        node->older->newer = node->newer;
    else
        idle->oldest = node->newer;
    node->newer = node->older = NULL;
    idle->count--;
}

static void link_locked(struct idle *idle, struct idle_node *node)
{
    node->older = idle->newest;
    node->newer = NULL;
    if (idle->newest != NULL)
        idle->newest->newer = node;
    else
        idle->oldest = node;
    idle->newest = node;
    idle->count++;
}

struct idle_node *idle_take(struct idle *idle, const struct url *url)
{
    pthread_mutex_lock(&idle->lock);
    struct idle_node *node = idle->newest;
    while (node != NULL && !leads_to(node, url))
        node = node->older;
    if (node != NULL)
        unlink_locked(idle, node);
    pthread_mutex_unlock(&idle->lock);
    return node;
}

/* Takes the oldest out if there are `least` or more; else NULL. */
static struct idle_node *take_oldest_locked(struct idle *idle, size_t least)
{
    struct idle_node *node = idle->oldest;
    if (node == NULL || idle->count < least)
        return NULL;
    unlink_locked(idle, node);
    return node;
}

/* A worker that goes on at once is back sooner, unless the machine is busy. */
#define FRESH_US 1000

bool idle_is_fresh(const struct idle_node *node)
{
    return clock_us() - node->since_us < FRESH_US;
}

void idle_put(struct idle *idle, struct idle_node *node)
{
    node->since_us = clock_us();
    pthread_mutex_lock(&idle->lock);
    link_locked(idle, node);
    struct idle_node *surplus = take_oldest_locked(idle, idle->limit + 1);
    pthread_mutex_unlock(&idle->lock);
    if (surplus != NULL)
        idle->close(surplus);
}

void idle_remove(struct idle *idle, struct idle_node *node)
{
    pthread_mutex_lock(&idle->lock);
    unlink_locked(idle, node);
    pthread_mutex_unlock(&idle->lock);
}

void idle_expect(struct idle *idle, size_t requests)
{
    struct idle_node *surplus;
    do {
        pthread_mutex_lock(&idle->lock);
        if (idle->limit > requests)
            idle->limit = requests;
        surplus = take_oldest_locked(idle, idle->limit + 1);
        pthread_mutex_unlock(&idle->lock);
        if (surplus != NULL)
            idle->close(surplus);
    } while (surplus != NULL);
}

bool idle_drop(struct idle *idle)
{
    pthread_mutex_lock(&idle->lock);
    struct idle_node *node = take_oldest_locked(idle, 1);
    pthread_mutex_unlock(&idle->lock);
    if (node != NULL)
        idle->close(node);
    return node != NULL;
}

void idle_close(struct idle *idle)
{
    while (idle_drop(idle))
        ;
    pthread_mutex_destroy(&idle->lock);
}
