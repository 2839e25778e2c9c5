/* minimal_steps: steps that sleep. See minimal_steps.h. */
#include "minimal_steps.h"

#include "net.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define CHUNK 16384 /* bytes that are read from a socket at once */

/* On connecting to one address. */
#define CONNECT_LIMIT (10 * CLOCK_SECOND)

/* Connects to one address. A socket, or a negative errno. */
static int dial(const struct addrinfo *address, int64_t limit)
{
    int fd = net_connect(address);
    if (fd < 0)
        return fd;
    while (!net_has_news(fd) && clock_us() < limit)
        minimal_sleep(fd, POLLOUT, limit);
    int error = net_has_news(fd) ? net_connect_result(fd) : -ETIMEDOUT;
    if (error == 0)
        return fd;
    (void)close(fd);
    return error;
}

void step_expire(struct exchange *x)
{
    if (clock_us() >= exchange_deadline(x))
        exchange_expired(x, clock_us());
}

int step_connect(struct exchange *x)
{
    struct addrinfo *addresses;
    const char *cause;
    int64_t deadline = exchange_deadline(x);
    enum result result = net_resolve(exchange_url(x), &addresses, &cause);
    if (result != RESULT_OK) {
        exchange_failed(x, result, cause, clock_us());
        return -1;
    }
    int fd = -ETIMEDOUT;
    for (struct addrinfo *at = addresses;
         at != NULL && fd < 0 && clock_us() < deadline; at = at->ai_next) {
        int64_t limit = clock_us() + CONNECT_LIMIT;
        fd = dial(at, limit < deadline ? limit : deadline);
    }
    freeaddrinfo(addresses);
    if (fd < 0) {
        step_expire(x);
        if (exchange_want(x) == WANT_CONNECT)
            minimal_broken(x, -fd);
        return -1;
    }
    exchange_connected(x, false, clock_us());
    minimal_shut(x, fd);
    return fd;
}

void step_send(struct exchange *x, int fd)
{
    const char *p;
    size_t n = exchange_output(x, &p);
    ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
    if (sent >= 0)
        exchange_sent(x, (size_t)sent);
    else if (errno == EAGAIN)
        minimal_sleep(fd, POLLOUT, exchange_deadline(x));
    else if (errno != EINTR)
        exchange_unsendable(x);
    minimal_shut(x, fd);
    step_expire(x);
}

void step_receive(struct exchange *x, int fd,
                  int (*deliver)(void *context, const char *p, size_t n),
                  void *context)
{
    char chunk[CHUNK];
    ssize_t n = recv(fd, chunk, sizeof chunk, 0);
    int64_t now = clock_us();
    if (n > 0) {
        exchange_feed(x, chunk, (size_t)n, deliver, context, now);
        exchange_paused(x, clock_us() - now);
    } else if (n == 0) {
        exchange_eof(x, now);
    } else if (errno == EAGAIN) {
        minimal_sleep(fd, POLLIN, exchange_deadline(x));
    } else if (errno != EINTR) {
        minimal_broken(x, errno);
    }
    step_expire(x);
}

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
