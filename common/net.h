/*
 * net: sockets, and what their errors mean.
 *
 * All sockets are non-blocking and close-on-exec. None of these functions
 * waits. Any thread may call.
 */
#ifndef TRIPTYCH_NET_H
#define TRIPTYCH_NET_H

#include "result.h"
#include "url.h"

#include <netdb.h>
#include <stdbool.h>
#include <sys/socket.h>

/* True if the host is an address, so that nothing needs to be looked up. */
bool net_is_address(const struct url *url);

/* Makes a non-blocking socket for an address of a look-up. It, or a negative
 * errno. */
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

/* The result that an error of getaddrinfo means for the request, which is not
 * 0; `number` is what errno was then, if it was 0 before. (Where no descriptor
 * is left for the hosts file or a socket, glibc says that there is no such
 * name: only errno tells.) */
enum result net_result_of_lookup(int error, int number);

/* The result that a (positive) errno of connect, or of anything after it,
 * means for the request. Shortages give RESULT_NO_RESOURCES. */
enum result net_result_of_connect(int error, const struct addrinfo *address);
enum result net_result_of_transfer(int error, const struct url *url);

/* Why no address of a host would do: the most telling failure of several. */
struct net_failure {
    enum result result; /* RESULT_OK: none was tried yet */
    const char *cause;  /* in words that live for ever */
};

/* One more address has failed. What counts is, in this order: tls, timeout,
 * connect-timeout, reset, refused, unreachable; but our own shortage before
 * all, for then the host has not been heard. Of two alike the later counts. */
void net_weigh(struct net_failure *telling, enum result result,
               const char *cause);

/* True if an idle connection may be used: it is open, and nothing has come
 * unasked. */
bool net_is_quiet(int fd);

#endif
