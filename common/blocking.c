/* blocking: one request at a time, waiting for each step. See blocking.h. */
#include "blocking.h"

#include "clock.h"
#include "database.h"
#include "lookup.h"
#include "net.h"
#include "regular.h"
#include "upload.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Chunks read in a row without a wait; then the worker looks whether it was
 * told something. */
#define BUSY_SHARE 16

/* A connection, in use or idle. */
struct channel {
    struct idle_node node; /* first, so that one is the other */
    int fd;
    bool is_file;
    struct ssl_st *tls;        /* NULL: none */
    struct database *database; /* ... whose the socket then is */
    bool drained;  /* the last read left nothing: wait before the next */
    short events;  /* ... for these */
    bool reset;    /* by the peer, as sending has met */
    int64_t grace; /* bytes that had arrived when the limit passed, and that
                     * may still be read; -1: it has not passed */
};

/* SCHED_BATCH: a woken worker does not preempt the running one, which saves
 * time with small bodies (tests/bench/MEASURED.md). */
void blocking_prepare(void)
{
    struct sched_param none = {0};
    (void)sched_setscheduler(0, SCHED_BATCH, &none);
}

/* --- What waits --------------------------------------------------------- */

static int plain_wait(struct blocking *b, int fd, short events,
                      int64_t deadline)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};
    for (;;) {
        struct timespec left;
        int ms = clock_poll_ms(deadline);
        left.tv_sec = ms / 1000;
        left.tv_nsec = (long)(ms % 1000) * 1000000;
        /* The signal that comes with `told` is blocked here, and let in by
         * ppoll alone: it cannot slip in between the look and the sleep. */
        if (atomic_load(&b->told) != TOLD_NOTHING)
            return -ECANCELED;
        int ready = ppoll(&poll_fd, 1, ms >= 0 ? &left : NULL, &b->wait_mask);
        if (ready > 0)
            return poll_fd.revents;
        if (ready == 0 && clock_poll_ms(deadline) == 0)
            return 0;
    }
}

static void plain_call(struct blocking *b, void (*f)(void *arg), void *arg)
{
    (void)b;
    f(arg);
}

static char *plain_take_buffer(struct blocking *b)
{
    return b->buffer;
}

static void plain_put_buffer(struct blocking *b, char *buffer)
{
    (void)b;
    (void)buffer;
}

static const struct blocking_waits plain = {
    .wait = plain_wait,
    .call = plain_call,
    .buffer_size = BLOCKING_CHUNK,
    .take_buffer = plain_take_buffer,
    .put_buffer = plain_put_buffer,
    .may_look_up = true,
};

static const struct blocking_waits *waits(const struct blocking *b)
{
    return b->waits != NULL ? b->waits : &plain;
}

int blocking_wait(struct blocking *b, int fd, short events, int64_t deadline)
{
    b->busy = 0;
    return waits(b)->wait(b, fd, events, deadline);
}

bool blocking_is_told(struct blocking *b)
{
    return blocking_wait(b, -1, 0, 0) == -ECANCELED;
}

void blocking_call(struct blocking *b, void (*f)(void *arg), void *arg)
{
    waits(b)->call(b, f, arg);
}

/* --- Connections -------------------------------------------------------- */

static void channel_close(struct channel *channel)
{
    if (channel == NULL)
        return;
    tls_shutdown(channel->tls);
    tls_free(channel->tls);
    database_end(channel->database);
    if (channel->fd != -1 && channel->database == NULL)
        (void)close(channel->fd);
    idle_unname(&channel->node);
    free(channel);
}

void blocking_close_idle(struct idle_node *node)
{
    channel_close((struct channel *)node);
}

/* Makes a channel of a connected socket, which it owns even on failure; or,
 * of -1, one that has none yet. */
static struct channel *channel_new(int fd, const struct url *url)
{
    struct channel *channel = calloc(1, sizeof *channel);
    if (channel == NULL || idle_name(&channel->node, url) != 0) {
        free(channel);
        if (fd != -1)
            (void)close(fd);
        return NULL;
    }
    channel->fd = fd;
    return channel;
}

/* What a call that may wait for a disk is about, and what came of it. */
struct disk {
    struct blocking *blocking;
    struct channel *channel;
    const struct addrinfo *address;
    char *p;
    size_t n;
    ssize_t got;
};

static void read_disk(void *arg)
{
    struct disk *disk = arg;
    disk->got = read(disk->channel->fd, disk->p, disk->n);
    if (disk->got == -1)
        disk->got = -errno;
}

static ssize_t file_read(struct blocking *b, struct channel *channel, char *p,
                         size_t n)
{
    struct disk disk = {.channel = channel, .p = p, .n = n};
    blocking_call(b, read_disk, &disk);
    return disk.got;
}

/* Like read, but errors are negative. */
static ssize_t channel_read(struct blocking *b, struct channel *channel,
                            char *p, size_t n)
{
    ssize_t got;
    if (channel->is_file)
        return file_read(b, channel, p, n); /* it is never drained */
    channel->events = POLLIN;
    if (channel->tls != NULL || channel->database != NULL) {
        /* What is left inside of the library, poll does not see. */
        got = channel->tls != NULL
                  ? tls_read(channel->tls, p, n, &channel->events)
                  : database_read(channel->database, p, n, &channel->events);
        channel->drained = got == -EAGAIN;
        return got;
    }
    got = read(channel->fd, p, n);
    channel->drained = got < (ssize_t)n;
    if (got == 0 && channel->reset)
        return -ECONNRESET;
    return got >= 0 ? got : -errno;
}

/* Like send, but errors are negative. The kernel tells an error only once:
 * after a reset that sending has met, reading finds a plain end. */
static ssize_t channel_send(struct channel *channel, const char *p, size_t n)
{
    short events; /* without renegotiation, writing needs no reading */
    if (channel->database != NULL) {
        database_ask(channel->database, p, n);
        return (ssize_t)n;
    }
    if (channel->tls != NULL)
        return tls_write(channel->tls, p, n, &events);
    ssize_t sent = send(channel->fd, p, n, MSG_NOSIGNAL);
    if (sent == -1 && errno == ECONNRESET)
        channel->reset = true;
    return sent >= 0 ? sent : -errno;
}

/* What has failed there, in words. */
static const char *channel_cause(const struct channel *channel, int error)
{
    if (channel != NULL && channel->database != NULL)
        return database_cause(channel->database, -error);
    return tls_cause(channel != NULL ? channel->tls : NULL, -error);
}

/* Told something: the request ends here, whatever it is about. */
static void told(struct blocking *b)
{
    exchange_failed(b->x, RESULT_CANCELLED, "the run ended first", clock_us());
}

/* Something has failed with a negative errno. */
static void broken(struct blocking *b, const struct channel *channel,
                   int error)
{
    struct exchange *x = b->x;
    if (error == -TLS_CUT)
        exchange_cut(x, clock_us());
    else
        exchange_failed(x, net_result_of_transfer(-error, exchange_url(x)),
                        channel_cause(channel, error), clock_us());
}

/* Connects a socket to an address. It, or a negative errno. */
static int connect_socket(struct blocking *b, const struct addrinfo *address,
                          int64_t limit)
{
    int fd;
    do
        fd = net_connect(address);
    while (fd < 0 &&
           net_result_of_connect(-fd, address) == RESULT_NO_RESOURCES &&
           idle_drop(b->idle)); /* an idle connection's place will do */
    if (fd < 0)
        return fd;
    int ready = blocking_wait(b, fd, POLLOUT, limit);
    int error = ready == 0 ? -ETIMEDOUT : ready;
    if (ready > 0)
        error = net_connect_result(fd);
    if (error == 0)
        return fd;
    (void)close(fd);
    return error;
}

/* Waits for what the peer has to say before there is a connection. 0 or a
 * negative errno. What has come by the limit is looked at once: then no more,
 * for a peer that never stops would gain time by that. */
static int await_more(struct blocking *b, int fd, short events, int64_t limit,
                      bool *late)
{
    if (*late)
        return -ETIMEDOUT;
    *late = clock_us() >= limit;
    int ready = blocking_wait(b, fd, events, limit);
    return ready == 0 ? -ETIMEDOUT : ready > 0 ? 0 : ready;
}

/* The first session loads OpenSSL and the certificates of the system. */
static void begin_tls(void *arg)
{
    struct disk *disk = arg;
    struct channel *channel = disk->channel;
    disk->got = tls_begin(disk->blocking->tls, channel->node.host, channel->fd,
                          &channel->tls);
}

/* Has TLS over the connection. 0 or a negative errno. */
static int secure(struct blocking *b, struct channel *channel, int64_t limit)
{
    struct disk disk = {.blocking = b, .channel = channel};
    blocking_call(b, begin_tls, &disk);
    int error = (int)disk.got;
    bool late = false;
    while (error == 0) {
        error = tls_handshake(channel->tls, &channel->events);
        if (error != -EAGAIN)
            return error;
        error = await_more(b, channel->fd, channel->events, limit, &late);
    }
    return error;
}

/* The first connection loads libpq. */
static void begin_database(void *arg)
{
    struct disk *disk = arg;
    disk->got = database_begin(exchange_url(disk->blocking->x), disk->address,
                               &disk->channel->database);
}

/* Connects and logs in, by a library that has a socket of its own. 0 or a
 * negative errno. */
static int log_in(struct blocking *b, struct channel *channel,
                  const struct addrinfo *address, int64_t limit)
{
    struct disk disk = {.blocking = b, .channel = channel, .address = address};
    blocking_call(b, begin_database, &disk);
    int error = (int)disk.got;
    bool late = false;
    while (error == 0) {
        short events;
        error = database_connect(channel->database, &events);
        channel->fd = database_fd(channel->database);
        if (error != -EAGAIN)
            return error;
        error = await_more(b, channel->fd, events, limit, &late);
    }
    return error;
}

/* Step expire: the limit has passed, and nothing that had arrived by then is
 * left to be read. */
static void step_expire(struct blocking *b)
{
    trace_within(&b->lane, STEP_EXPIRE, trace_now(&b->lane));
    exchange_expired(b->x, clock_us());
}

/* Connects to an address, with all that the scheme needs. 0, or a negative
 * errno; then, too, there may be a channel, which knows more of it. */
static int open_channel(struct blocking *b, const struct url *url,
                        const struct addrinfo *address, int64_t limit,
                        struct channel **channel)
{
    bool is_database = url->scheme == SCHEME_POSTGRESQL;
    int fd = is_database ? -1 : connect_socket(b, address, limit);
    if (fd < 0 && !is_database)
        return fd;
    *channel = channel_new(fd, url);
    if (*channel == NULL)
        return -ENOMEM;
    if (is_database)
        return log_in(b, *channel, address, limit);
    return url->scheme == SCHEME_HTTPS ? secure(b, *channel, limit) : 0;
}

/* Tries one address. NULL when it cannot be had, which *failure is told, or
 * the exchange; the return of *error is why. */
static struct channel *dial(struct blocking *b, const struct url *url,
                            const struct addrinfo *address, int64_t deadline,
                            struct net_failure *failure, int *error)
{
    struct channel *channel = NULL;
    int64_t limit = clock_us() + b->options->connect_timeout_us;
    if (limit > deadline)
        limit = deadline;
    *error = open_channel(b, url, address, limit, &channel);
    if (*error == 0)
        return channel;
    enum result result = net_result_of_connect(-*error, address);
    const char *cause = channel_cause(channel, *error);
    if (channel != NULL && database_has_spoken(channel->database, -*error))
        exchange_failed(b->x, result, cause, clock_us());
    else
        net_weigh(failure, result, cause);
    channel_close(channel);
    return NULL;
}

/* Looks the host up. NULL when the exchange has failed: the look-up is left
 * when the time is up, or the run. */
static struct lookup *look_up(struct blocking *b)
{
    struct exchange *x = b->x;
    struct lookup *lookup;
    int error;
    do
        error = lookup_begin(exchange_url(x), waits(b)->may_look_up, &lookup);
    while (error != 0 && idle_drop(b->idle));
    if (error != 0) {
        exchange_failed(x, RESULT_NO_RESOURCES, strerror(-error), clock_us());
        return NULL;
    }
    int fd = lookup_fd(lookup);
    int ready =
        fd != -1 ? blocking_wait(b, fd, POLLIN, exchange_deadline(x)) : 1;
    if (ready > 0)
        return lookup;
    lookup_drop(lookup);
    if (ready == 0)
        step_expire(b);
    else
        told(b);
    return NULL;
}

/* No address would do. */
static void not_dialled(struct blocking *b, struct net_failure *failure,
                        int error)
{
    if (error == -ECANCELED) {
        told(b);
        return;
    }
    bool late = clock_us() >= exchange_deadline(b->x);
    if (late)
        net_weigh(failure, RESULT_TIMEOUT, "");
    if (late && failure->result == RESULT_TIMEOUT)
        step_expire(b);
    else
        exchange_failed(b->x, failure->result, failure->cause, clock_us());
}

/* Looks the host up and tries every address in turn. Returns a connection, or
 * NULL when the exchange has failed. What the look-up's thread lacked an idle
 * connection may have. */
static struct channel *dial_host(struct blocking *b)
{
    struct exchange *x = b->x;
    const struct addrinfo *at;
    struct net_failure failure = {0};
    struct channel *channel = NULL;
    int error = 0;
    struct lookup *lookup = NULL;
    do {
        lookup_drop(lookup);
        lookup = look_up(b);
        if (lookup == NULL)
            return NULL;
        failure.result = lookup_answer(lookup, &at, &failure.cause);
    } while (failure.result == RESULT_NO_RESOURCES && idle_drop(b->idle));
    for (unsigned i = exchange_tried(x); i > 0 && at != NULL; i--) {
        net_weigh(&failure, RESULT_REFUSED, strerror(ECONNREFUSED));
        at = at->ai_next;
    }
    for (;
         at != NULL && channel == NULL && error != -ECANCELED &&
         exchange_want(x) == WANT_CONNECT && clock_us() < exchange_deadline(x);
         at = at->ai_next)
        channel = dial(b, exchange_url(x), at, exchange_deadline(x), &failure,
                       &error);
    if (channel == NULL && exchange_want(x) == WANT_CONNECT)
        not_dialled(b, &failure, error);
    lookup_drop(lookup);
    return channel;
}

static void open_disk(void *arg)
{
    struct disk *disk = arg;
    uint64_t size;
    disk->got = regular_open(exchange_url(disk->blocking->x)->target, &size);
}

/* A file is a connection that only speaks. NULL when the exchange has failed.
 */
static struct channel *open_file(struct blocking *b)
{
    struct exchange *x = b->x;
    struct disk disk = {.blocking = b};
    int fd;
    do {
        blocking_call(b, open_disk, &disk);
        fd = (int)disk.got;
    } while (fd < 0 && regular_result(fd) == RESULT_NO_RESOURCES &&
             idle_drop(b->idle));
    if (fd < 0) {
        exchange_failed(x, regular_result(fd), regular_fault(fd), clock_us());
        return NULL;
    }
    struct channel *channel = channel_new(fd, exchange_url(x));
    if (channel == NULL)
        exchange_failed(x, RESULT_NO_RESOURCES, "out of memory", clock_us());
    else
        channel->is_file = true;
    return channel;
}

/* --- The steps ---------------------------------------------------------- */

/* True if an idle connection may be used again. */
static bool is_quiet(const struct channel *channel)
{
    bool was_empty = channel->drained && idle_is_fresh(&channel->node);
    return (was_empty || net_is_quiet(channel->fd)) &&
           tls_is_quiet(channel->tls);
}

/* Step connect: an idle connection if there is one, else a new one. */
static struct channel *step_connect(struct blocking *b)
{
    struct exchange *x = b->x;
    struct channel *channel = NULL;
    bool reused = false;
    while (channel == NULL && exchange_may_reuse(x)) {
        channel = (struct channel *)idle_take(b->idle, exchange_url(x));
        if (channel == NULL)
            break;
        reused = is_quiet(channel);
        if (!reused) {
            channel_close(channel);
            channel = NULL;
        }
    }
    if (channel == NULL && exchange_url(x)->scheme == SCHEME_FILE)
        channel = open_file(b);
    else if (channel == NULL)
        channel = dial_host(b);
    if (channel == NULL)
        return NULL;
    channel->drained = tls_is_quiet(channel->tls) && !channel->is_file &&
                       channel->database == NULL;
    channel->events = POLLIN;
    channel->grace = -1;
    exchange_connected(x, reused, clock_us());
    return channel;
}

/* Hands a stretch of the body to the model's step deliver. While the consumer
 * holds us up, the request's time stands still. */
static int deliver(void *context, const char *p, size_t n)
{
    struct blocking *b = context;
    int64_t before = clock_us();
    int error = b->deliver(b, p, n);
    exchange_paused(b->x, clock_us() - before);
    trace_within(&b->lane, STEP_DELIVER, before);
    return error;
}

/* True once the limit has passed. Then channel->grace says how many bytes may
 * still be read: after a SIGCONT the answer may be here although the time is
 * over. They are counted once, and the end as one more: a server that
 * never stops sending must not gain time by that. */
static bool is_late(struct blocking *b, struct channel *channel)
{
    int arrived = 0;
    if (clock_us() < exchange_deadline(b->x)) {
        channel->grace = -1;
        return false;
    }
    if (channel->grace == -1) {
        /* (Of a file all has arrived, however long it is.) */
        if (channel->is_file || ioctl(channel->fd, FIONREAD, &arrived) == -1)
            arrived = 0;
        channel->grace = (int64_t)arrived + 1;
    }
    return true;
}

/* Waits until something can be read. If the last read has left something there
 * is no wait, but signals are let in now and then: with a peer that always has
 * more, no wait would do so. False if nothing is to be read now. */
static bool may_receive(struct blocking *b, struct channel *channel, bool late)
{
    int ready = 1;
    if (channel->drained && !late)
        ready = blocking_wait(b, channel->fd, channel->events,
                              exchange_deadline(b->x));
    else if (++b->busy >= BUSY_SHARE && blocking_is_told(b))
        ready = -ECANCELED;
    if (ready == -ECANCELED)
        told(b);
    return ready > 0;
}

/* Something to read into; NULL when the exchange has failed. */
static char *take_buffer(struct blocking *b)
{
    char *buffer = waits(b)->take_buffer(b);
    if (buffer == NULL)
        exchange_failed(b->x, RESULT_NO_RESOURCES, "out of memory",
                        clock_us());
    return buffer;
}

/* Step receive: reads what there is, or waits until there is something, and
 * feeds it to the exchange. */
static void step_receive(struct blocking *b, struct channel *channel)
{
    struct exchange *x = b->x;
    bool late = is_late(b, channel);
    if (late && channel->grace == 0) {
        step_expire(b);
        return;
    }
    if (!may_receive(b, channel, late))
        return;
    size_t size = BLOCKING_CHUNK;
    if (late && (uint64_t)channel->grace < size &&
        channel->database == NULL && /* whose bytes are not the socket's */
        exchange_url(x)->scheme != SCHEME_UDP) /* which comes whole or cut */
        size = (size_t)channel->grace;
    char *buffer = take_buffer(b);
    if (buffer == NULL)
        return;
    ssize_t n = channel_read(b, channel, buffer, size);
    if (late && n > 0)
        channel->grace -= n < channel->grace ? n : channel->grace;
    if (n > 0)
        exchange_feed(x, buffer, (size_t)n, deliver, b, clock_us());
    else if (n == 0)
        exchange_eof(x, clock_us());
    else if (n == -EAGAIN && late)
        step_expire(b);
    else if (n != -EINTR && (n != -EAGAIN || channel->is_file))
        broken(b, channel, (int)n);
    waits(b)->put_buffer(b, buffer);
}

/* Waits until the peer takes more or says something, which is then read.
 * A sender must also read, or two full buffers face each other; and a
 * server may answer before it has heard everything. One that takes all that it
 * is offered gains no time by that. True if it is time to send. */
static bool may_send(struct blocking *b, struct channel *channel)
{
    int ready = blocking_wait(b, channel->fd, POLLIN | POLLOUT,
                              exchange_deadline(b->x));
    bool sends = ready > 0 && (ready & POLLIN) == 0 &&
                 clock_us() < exchange_deadline(b->x);
    if (ready == -ECANCELED)
        told(b);
    else if (ready >= 0 && !sends)
        step_receive(b, channel);
    return sends;
}

/* The peer takes no more. It may have answered before that, which the reading
 * side will see; a datagram that was refused has no reading side. Nor is there
 * anything to be read when it is we who have no memory to send. */
static void not_sent(struct blocking *b, const struct channel *channel,
                     int error)
{
    struct exchange *x = b->x;
    if (exchange_url(x)->scheme == SCHEME_UDP ||
        net_result_of_transfer(-error, exchange_url(x)) == RESULT_NO_RESOURCES)
        broken(b, channel, error);
    else
        exchange_unsendable(x);
}

/* Sends, or waits until it is time for that. */
static void send_piece(struct blocking *b, struct channel *channel,
                       const char *p, size_t n)
{
    ssize_t sent = channel_send(channel, p, n);
    if (sent >= 0)
        exchange_sent(b->x, (size_t)sent);
    else if (sent == -EAGAIN)
        (void)may_send(b, channel);
    else if (sent != -EINTR)
        not_sent(b, channel, (int)sent);
}

static void read_upload(void *arg)
{
    struct disk *disk = arg;
    struct blocking *b = disk->blocking;
    disk->got = (ssize_t)upload_read(b->options, b->x, disk->p, disk->n);
}

/* How much of an upload is read at once: no more is to be in hand than the
 * high mark allows, and a chunk. */
static size_t upload_piece(const struct blocking *b)
{
    size_t size = waits(b)->buffer_size;
    size_t high_water = b->options->high_water;
    return size - BLOCKING_CHUNK <= high_water ? size
                                               : BLOCKING_CHUNK + high_water;
}

/* Sends a piece of what is uploaded. What the socket has no room for is read
 * once more: simpler than to keep it, and in the page cache by then. */
static void send_upload(struct blocking *b, struct channel *channel)
{
    char *buffer = take_buffer(b);
    if (buffer == NULL)
        return;
    struct disk disk = {.blocking = b, .p = buffer, .n = upload_piece(b)};
    blocking_call(b, read_upload, &disk);
    if (disk.got > 0)
        send_piece(b, channel, buffer, (size_t)disk.got);
    waits(b)->put_buffer(b, buffer);
}

/* Step send: the head, at once; then what is uploaded, as it is taken. The
 * socket's full buffer is its drain: while the server does not read, nor do
 * we read the file. */
static void step_send(struct blocking *b, struct channel *channel)
{
    const char *p;
    size_t n = exchange_output(b->x, &p);
    uint64_t offset;
    if (n > 0 || exchange_upload(b->x, &offset) == 0)
        send_piece(b, channel, p, n);
    else if (may_send(b, channel))
        send_upload(b, channel);
}

/* Step send, its end: the peer learns that no more comes. An error is the
 * reading side's to meet. */
static void shut(struct blocking *b, struct channel *channel)
{
    (void)shutdown(channel->fd, SHUT_WR);
    exchange_shut(b->x);
}

/* Step retry: lets the time pass, keeping the place. */
static void step_retry(struct blocking *b)
{
    b->restart(b);
    if (blocking_wait(b, -1, 0, exchange_deadline(b->x)) == -ECANCELED)
        told(b);
    else
        exchange_waited(b->x, clock_us());
}

/* True when the want has left the connection behind. */
static bool is_over(const struct exchange *x)
{
    enum want want = exchange_want(x);
    return want == WANT_CONNECT || want == WANT_WAIT || want == WANT_DONE;
}

void blocking_fetch(struct blocking *b, struct exchange *x)
{
    struct channel *channel = NULL;
    b->x = x;
    while (exchange_want(x) != WANT_DONE) {
        /* A server that never makes us wait is no reason not to listen. */
        if (atomic_load(&b->told) != TOLD_NOTHING)
            told(b);
        trace_want(&b->lane, exchange_want(x));
        switch (exchange_want(x)) {
        case WANT_CONNECT:
            channel = step_connect(b);
            break;
        case WANT_SEND:
            step_send(b, channel);
            break;
        case WANT_SHUT:
            shut(b, channel);
            break;
        case WANT_RECEIVE:
            step_receive(b, channel);
            break;
        case WANT_WAIT:
            step_retry(b);
            break;
        case WANT_DONE:
            break;
        }
        if (channel != NULL && is_over(x)) {
            if (exchange_reusable(x))
                idle_put(b->idle, &channel->node);
            else
                channel_close(channel);
            channel = NULL;
        }
    }
    b->x = NULL;
}

void blocking_fetch_job(struct blocking *b, struct job *job)
{
    struct exchange *x =
        exchange_new(b->options, job->url, job->url_length, clock_us());
    if (x == NULL) {
        outcome_set(&job->outcome, RESULT_NO_RESOURCES, "out of memory");
        return;
    }
    blocking_fetch(b, x);
    job->outcome = *exchange_outcome(x);
    exchange_free(x);
}
