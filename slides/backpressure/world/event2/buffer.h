/* A buffer of bytes that nobody looks at: their number. See ../../world.c. */
#ifndef WORLD_BUFFER_H
#define WORLD_BUFFER_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#define evbuffer_iovec iovec

struct evbuffer;
struct evbuffer_cb_entry;
struct evbuffer_cb_info {
    size_t n_deleted;
};

struct evbuffer *evbuffer_new(void);
void evbuffer_free(struct evbuffer *buffer);
size_t evbuffer_get_length(const struct evbuffer *buffer);
int evbuffer_add(struct evbuffer *buffer, const void *data, size_t n);
int evbuffer_drain(struct evbuffer *buffer, size_t n);
int evbuffer_peek(struct evbuffer *buffer, ssize_t n, void *from,
                  struct iovec *parts, int most);

/* Only of bufferevents, which there are none of here: */
struct evbuffer_cb_entry *evbuffer_add_cb(
    struct evbuffer *buffer,
    void (*call)(struct evbuffer *, const struct evbuffer_cb_info *, void *),
    void *arg);
int evbuffer_remove_cb_entry(struct evbuffer *buffer,
                             struct evbuffer_cb_entry *entry);
int evbuffer_freeze(struct evbuffer *buffer, int front);
int evbuffer_unfreeze(struct evbuffer *buffer, int front);

#endif
