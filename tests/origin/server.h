/*
 * server: the practice server's connections, one libevent loop a process.
 *
 * HTTP/1.x with behaviours asked for in the URL, TCP echo, UDP echo. What a
 * client is sent goes through evloop/stream, so a client that does not read
 * costs no memory here either.
 */
#ifndef TRIPTYCH_SERVER_H
#define TRIPTYCH_SERVER_H

#include <event2/event.h>
#include <stdatomic.h>
#include <stdint.h>

/* Barriers by key; the key is taken modulo this. */
#define SERVER_BARRIERS 64

/* Counted by all processes of the server, in memory that they share. */
struct statistics {
    atomic_ullong requests;
    atomic_ullong connections; /* accepted so far */
    atomic_llong open;
    atomic_llong peak_open;
    atomic_llong in_flight;
    atomic_llong peak_in_flight;
    atomic_ullong sent; /* bytes of responses that the kernel took */
    atomic_ullong received; /* bytes of request bodies */
    atomic_ullong arrived[SERVER_BARRIERS];
};

struct server {
    struct event_base *base;
    struct statistics *statistics;
    unsigned http_port;
    int log; /* a line for each request; or -1 */
};

/* Takes a connected socket over, to speak HTTP, or to echo. */
void server_accept_http(struct server *server, evutil_socket_t fd);
void server_accept_echo(struct server *server, evutil_socket_t fd);

/* Answers what datagrams there are. */
void server_echo_datagrams(evutil_socket_t fd);

#endif
