/* net: sockets, and what their errors mean. See net.h. */
#include "net.h"

#include "database.h"
#include "regular.h"
#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <unistd.h>

bool net_is_address(const struct url *url)
{
    struct in6_addr any;
    return inet_pton(AF_INET, url->host, &any) == 1 ||
           inet_pton(AF_INET6, url->host, &any) == 1;
}

int net_socket_type(const struct url *url)
{
    return url->scheme == SCHEME_UDP ? SOCK_DGRAM : SOCK_STREAM;
}

int net_socket(const struct addrinfo *address)
{
    int fd = socket(address->ai_family,
                    address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd == -1 ? -errno : fd;
}

int net_connect(const struct addrinfo *address)
{
    int fd = net_socket(address);
    if (fd < 0)
        return fd;
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0 ||
        errno == EINPROGRESS || errno == EINTR)
        return fd;
    int error = errno;
    (void)close(fd);
    return -error;
}

bool net_has_news(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN | POLLOUT};
    return poll(&poll_fd, 1, 0) == 1;
}

int net_connect_result(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1)
        return -errno;
    return -error;
}

/* EADDRNOTAVAIL means either that all local ports towards the address are in
 * use, or that the address cannot be reached from any of ours (::1 without
 * IPv6). A datagram socket has ports of its own: it fails for the latter
 * reason only. */
static bool can_be_routed(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return false;
    bool can = connect(fd, address->ai_addr, address->ai_addrlen) == 0;
    (void)close(fd);
    return can;
}

enum result net_result_of_lookup(int error, int number)
{
    if (error == EAI_MEMORY)
        return RESULT_NO_RESOURCES;
    switch (number) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
        return RESULT_NO_RESOURCES;
    default:
        return RESULT_DNS;
    }
}

enum result net_result_of_connect(int error, const struct addrinfo *address)
{
    switch (error) {
    case ECONNREFUSED:
        return RESULT_REFUSED;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE: /* in the handshake: the peer has closed, and resets */
        return RESULT_RESET;
    case ETIMEDOUT:
        return RESULT_CONNECT_TIMEOUT;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EAGAIN: /* no local port is left, says connect(2) */
        return RESULT_NO_RESOURCES;
    case TLS_BROKEN:
        return RESULT_TLS;
    case TLS_CUT: /* in the handshake: before the first byte */
        return RESULT_RESET;
    case MODULE_NOT_THERE:
        return RESULT_UNSUPPORTED;
    case DATABASE_REFUSED:
        return RESULT_DATABASE_ERROR;
    case DATABASE_BROKEN:
        return RESULT_PROTOCOL;
    case EADDRNOTAVAIL:
        return can_be_routed(address) ? RESULT_NO_RESOURCES
                                      : RESULT_UNREACHABLE;
    default:
        return RESULT_UNREACHABLE;
    }
}

enum result net_result_of_transfer(int error, const struct url *url)
{
    if (url->scheme == SCHEME_FILE)
        return regular_result(-error);
    switch (error) {
    case ECONNREFUSED: /* a datagram found no socket: ICMP says so later */
        return RESULT_REFUSED;
    case TLS_BROKEN:
        return RESULT_TLS;
    case EMSGSIZE: /* more than a datagram can carry */
    case DATABASE_COPY:
        return RESULT_UNSUPPORTED;
    case DATABASE_REFUSED:
        return RESULT_DATABASE_ERROR;
    case DATABASE_BROKEN:
        return RESULT_PROTOCOL;
    case ETIMEDOUT:
        return RESULT_TIMEOUT;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
        return RESULT_UNREACHABLE;
    case ENOMEM:
    case ENOBUFS:
        return RESULT_NO_RESOURCES;
    default:
        return RESULT_RESET;
    }
}

/* How telling a failure is; -1: it is none of connecting. A shortage is ours:
 * all addresses are to be tried again. */
static int weight(enum result result)
{
    static const enum result rising[] = {
        RESULT_UNREACHABLE,     RESULT_REFUSED,     RESULT_RESET,
        RESULT_CONNECT_TIMEOUT, RESULT_TIMEOUT,     RESULT_TLS,
        RESULT_UNSUPPORTED,     RESULT_NO_RESOURCES};
    int i = (int)(sizeof rising / sizeof *rising) - 1;
    while (i >= 0 && rising[i] != result)
        i--;
    return i;
}

void net_weigh(struct net_failure *telling, enum result result,
               const char *cause)
{
    if (weight(result) >= weight(telling->result))
        *telling = (struct net_failure){result, cause};
}

bool net_is_quiet(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK);
}
