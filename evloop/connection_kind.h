/*
 * connection_kind: what a kind of connection does, and what it may use of the
 * connection. For the kinds; owners need connection.h alone.
 *
 * There are five: a bufferevent over a socket (tcp and http; socket.c), one
 * over TLS (https; secure.c), a plain event over a socket (datagrams;
 * datagram.c), one over a socket that is another library's (databases;
 * query.c), and a file, which a helper thread reads (diskfile.c). loop.c has
 * the table of them.
 */
#ifndef TRIPTYCH_CONNECTION_KIND_H
#define TRIPTYCH_CONNECTION_KIND_H

#include "connection.h"

struct connection_kind {
    bool looks_up; /* it is opened to the host's addresses, one by one */

    /* Begins to open it to the address; one that is not looked up, with NULL,
     * c->url's. When it is open connection_is_open is called, and when it
     * will not be, connection_address_failed: now or later. 0; or a negative
     * errno, and nothing is called. */
    int (*open)(struct connection *c, const struct addrinfo *address);

    /* Of those opened by socket_open: the socket is connected. */
    void (*dialled)(struct connection *c);

    /* In kinds without a stream: sends all of it. 0 or a negative errno. */
    int (*send)(struct connection *c, const void *p, size_t n);

    void (*pause)(struct connection *c);
    void (*resume)(struct connection *c);
    void (*read_arrived)(struct connection *c);

    /* NULL in kinds that are not kept: nothing is left in it, and it can go on
     * listening; nothing has come that was not asked for. */
    bool (*keep)(struct connection *c);
    bool (*is_quiet)(struct connection *c);

    /* Closes and frees what the kind has, be it open or not. */
    void (*drop)(struct connection *c);
};

extern const struct connection_kind socket_kind, secure_kind, datagram_kind,
    query_kind, diskfile_kind;

/* True while the owner wants what comes. */
bool connection_is_readable(const struct connection *c);

/* The address at hand will not do, says a negative errno: the next one, or the
 * end. */
void connection_address_failed(struct connection *c, int error);

/* It is open: the owner is told. */
void connection_is_open(struct connection *c);

/* If the connection is idle, whatever has come was not asked for, be it bytes
 * or the end: closes it, and is true. */
bool connection_drop_idle(struct connection *c);

#endif
