/*
 * socket: what the connections have in common that are a bufferevent over a
 * socket, whatever stands between the two.
 */
#ifndef TRIPTYCH_SOCKET_H
#define TRIPTYCH_SOCKET_H

#include "connection_kind.h"

#include <event2/util.h>

/* Connects a socket to the address, within the loop's limit; then the kind's
 * `dialled` goes on. 0 or a negative errno. */
int socket_open(struct connection *c, const struct addrinfo *address);

/* The bufferevent is connected, and gets its callbacks. */
void socket_is_connected(struct connection *c);

/* It gets its stream, and then it is open. */
void connection_has_stream(struct connection *c);

/* Frees the bufferevent. Its socket, or -1, is the caller's. */
evutil_socket_t connection_detach(struct connection *c);

/* Hands on what libevent has read. */
void connection_hand_on_input(struct connection *c);

/* The bufferevent's reading side has ended, or its writing side is broken. */
void connection_ended(struct connection *c, bool writing, int error);

void connection_pause_bufferevent(struct connection *c);
void connection_resume_bufferevent(struct connection *c);
void connection_read_arrived_bufferevent(struct connection *c);
bool connection_keep_bufferevent(struct connection *c);
bool connection_is_quiet_bufferevent(struct connection *c);
void connection_drop_bufferevent(struct connection *c);

/* These, as a part of a struct connection_kind. */
#define BUFFEREVENT_KIND                                                      \
    .pause = connection_pause_bufferevent,                                    \
    .resume = connection_resume_bufferevent,                                  \
    .read_arrived = connection_read_arrived_bufferevent,                      \
    .keep = connection_keep_bufferevent,                                      \
    .is_quiet = connection_is_quiet_bufferevent,                              \
    .drop = connection_drop_bufferevent

#endif
