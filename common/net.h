/*
 * net: sockets, and what their errors mean.
 *
 * All sockets are non-blocking and close-on-exec. Of these functions only
 * net_resolve waits. Any thread may call.
 */
#ifndef TRIPTYCH_NET_H
#define TRIPTYCH_NET_H

#include "result.h"
#include "url.h"

#include <netdb.h>
#include <stdbool.h>
#include <sys/socket.h>

/*
 * Looks the URL's host up with getaddrinfo, which waits as long as it likes.
 * Returns RESULT_OK and a list for freeaddrinfo; else RESULT_DNS, or
 * RESULT_NO_RESOURCES, with words that live for ever in *cause.
 */
enum result net_resolve(const struct url *url, struct addrinfo **addresses,
                        const char **cause);

/* True if the host is an address, so that nothing needs to be looked up. */
bool net_is_address(const struct url *url);

/* Makes a non-blocking socket for an address that net_resolve gave. It, or a
 * negative errno. */
int net_socket(const struct addrinfo *address);

/* The type of socket that the URL's scheme needs. */
int net_socket_type(const struct url *url);

/*
 * Starts to connect to one address. Returns a socket - when it polls as
 * writable, net_connect_result tells - or a negative errno.
 */
int net_connect(const struct addrinfo *address);

/* True when the connecting has come to an end, good or bad; or, once it has,
 * when something has arrived. */
bool net_has_news(int fd);

/* How it came out: 0 or a negative errno. */
int net_connect_result(int fd);

/* The result that a (positive) errno of connect, or of anything after it,
 * means for the request. Shortages give RESULT_NO_RESOURCES. */
enum result net_result_of_connect(int error, const struct addrinfo *address);
enum result net_result_of_transfer(int error, const struct url *url);

/* True if an idle connection may be used: it is open, and nothing has come
 * that nobody asked for. */
bool net_is_quiet(int fd);

#endif
