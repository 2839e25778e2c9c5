/* minimal_request: a request's connection and process. See minimal.h. */
#include "minimal.h"
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>

struct exchange *minimal_exchange(struct minimal *m, const struct job *job)
{
    struct exchange *x =
        exchange_new(&m->options, job->url, job->url_length, clock_us());
    if (x == NULL)
        minimal_fail(m, "a request", ENOMEM);
    if (exchange_want(x) == WANT_DONE)
        return x;
    enum scheme scheme = exchange_url(x)->scheme;
    if (scheme != SCHEME_HTTP && scheme != SCHEME_TCP)
        exchange_failed(x, RESULT_UNSUPPORTED,
                        "the minimal programs speak http and tcp", clock_us());
    return x;
}

/* --- Connections -------------------------------------------------------- */

struct addrinfo *minimal_resolve(struct exchange *x)
{
    const struct url *url = exchange_url(x);
    struct addrinfo hints = {.ai_socktype = net_socket_type(url),
                             .ai_flags = AI_NUMERICSERV};
    struct addrinfo *addresses = NULL;
    /* It may wait long; in fetch-*, a thread that can be left calls it. */
    errno = 0;
    int error = getaddrinfo(url->host, url->port, &hints, &addresses);
    if (error == 0)
        return addresses;
    exchange_failed(x, net_result_of_lookup(error, errno), gai_strerror(error),
                    clock_us());
    return NULL;
}

/* Connects to one address, in time. A socket, or a negative errno. */
static int dial(const struct addrinfo *address, const struct minimal *m,
                int64_t until)
{
    int fd = net_connect(address);
    if (fd < 0)
        return fd;
    while (!net_has_news(fd) && clock_us() < until)
        minimal_wait(m, fd, POLLOUT, until);
    int error = net_has_news(fd) ? net_connect_result(fd) : -ETIMEDOUT;
    if (error == 0)
        return fd;
    (void)close(fd);
    return error;
}

/* Makes the socket block, but not for ever. 0 or a negative errno. */
static int let_block(int fd, int64_t limit)
{
    struct timeval time = {limit / CLOCK_SECOND, limit % CLOCK_SECOND};
    int flags = fcntl(fd, F_GETFL);
    if (flags == -1 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == -1 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) == -1 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) == -1)
        return -errno;
    return 0;
}

int minimal_connect(struct exchange *x, const struct minimal *m)
{
    struct addrinfo *addresses = minimal_resolve(x);
    if (addresses == NULL)
        return -1;
    int fd = -ETIMEDOUT;
    for (struct addrinfo *at = addresses; at != NULL && fd < 0;
         at = at->ai_next)
        fd = dial(at, m, clock_us() + m->options.connect_timeout_us);
    freeaddrinfo(addresses);
    int error = fd < 0 ? fd : 0;
    if (error == 0 && m->await == NULL)
        error = let_block(fd, m->options.timeout_us);
    if (error != 0) {
        minimal_disconnect(fd);
        minimal_ended(x, -error);
        return -1;
    }
    exchange_connected(x, false, clock_us());
    return fd;
}

void minimal_disconnect(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

/* Here, too, an error is for receiving to meet. */
void minimal_shut(struct exchange *x, int fd)
{
    if (exchange_want(x) != WANT_SHUT)
        return;
    (void)shutdown(fd, SHUT_WR);
    exchange_shut(x);
}

void minimal_send(struct exchange *x, int fd, const struct minimal *m)
{
    int64_t until = clock_us() + m->options.timeout_us;
    while (exchange_want(x) == WANT_SEND) {
        const char *p;
        size_t n = exchange_output(x, &p);
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent >= 0)
            exchange_sent(x, (size_t)sent);
        else if (errno == EAGAIN && m->await != NULL && clock_us() < until)
            m->await(fd, POLLOUT, until);
        else if (errno != EINTR)
            exchange_unsendable(x); /* receiving meets the error */
    }
    minimal_shut(x, fd);
}

/* The result that a (positive) errno means. */
static enum result result_of(const struct exchange *x, int error)
{
    if (exchange_want(x) != WANT_CONNECT)
        return net_result_of_transfer(error, exchange_url(x));
    if (error == EADDRNOTAVAIL)
        return RESULT_UNREACHABLE;
    return net_result_of_connect(error, NULL);
}

void minimal_ended(struct exchange *x, int error)
{
    if (exchange_want(x) == WANT_DONE)
        return; /* it was complete before that */
    if (error == 0)
        exchange_eof(x, clock_us());
    else if (error == EAGAIN)
        exchange_expired(x, clock_us());
    else if (error != EINTR)
        exchange_failed(x, result_of(x, error), strerror(error), clock_us());
}

/* --- Processes ---------------------------------------------------------- */

pid_t minimal_fork(struct minimal *m, volatile pid_t *pid, int body)
{
    sigset_t all;
    sigset_t before;
    pid_t parent = getpid();
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    pid_t child = minimal_check(m, "a worker", fork());
    if (child == 0) {
        m->stop = _exit;
        (void)signal(SIGINT, SIG_IGN);
        (void)signal(SIGHUP, SIG_IGN);
        (void)signal(SIGTERM, SIG_DFL);
        /* The parent may have ended before we asked to be told. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != parent)
            _exit(1);
        output_close(&m->output);
        output_open(&m->output, body);
    } else {
        *pid = child;
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return child;
}

void minimal_crashed(struct outcome *outcome, int status)
{
    *outcome = OUTCOME_NONE;
    if (WIFSIGNALED(status))
        outcome_set(outcome, RESULT_WORKER_CRASHED,
                    "its worker was killed by signal %d", WTERMSIG(status));
    else
        outcome_set(outcome, RESULT_WORKER_CRASHED,
                    "its worker exited with status %d", WEXITSTATUS(status));
}
