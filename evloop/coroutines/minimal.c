/*
 * minimal-coroutines: many URLs at once, a coroutine for each in flight.
 *
 * Who sleeps: the loop alone. Each coroutine awaits, in the midst of code that
 * runs straight down. What wakes it: the loop, when its descriptor is ready;
 * or another coroutine, by a condition. In between no other runs: there is
 * no lock. A comment that says "awaits" stands at each such place.
 *
 * Left out: what minimal-threads does, and to look names up without sleeping.
 */
#include "minimal.h"
#include "group.h"

#include <event2/event.h>
#include <stdlib.h>

#define QUEUE_SIZE 16

static struct minimal m; /* options, list of URLs, messages, exit status */
static struct coroutine_group workers;
static struct job *queue[QUEUE_SIZE];
static size_t put, taken; /* so many jobs have been */
static uint64_t turn;     /* the id of the job that may write */
static struct condition not_empty, not_full, turn_passed;

/* Awaits a descriptor, for common/minimal as well. */
static void await(int fd, short events, int64_t until)
{
    int64_t zero = until < CLOCK_NEVER ? coroutine_now() - clock_us() : 0;
    (void)await_fd(fd, events, until + zero);
}

/* Puts a job into the queue, or NULL: the end. Awaits room. */
static void put_job(struct job *job)
{
    while (put - taken == QUEUE_SIZE)
        await_condition(&not_full, COROUTINE_NEVER);
    queue[put++ % QUEUE_SIZE] = job;
    condition_wake(&not_empty);
}

/* Takes what was put first. Awaits something. */
static struct job *step_take(void)
{
    while (put == taken)
        await_condition(&not_empty, COROUTINE_NEVER);
    struct job *job = queue[taken++ % QUEUE_SIZE];
    condition_wake(&not_full);
    return job;
}

/* Receives some of the answer. Awaits some; 0: it has ended. */
static size_t step_receive(struct exchange *x, int fd, char *chunk)
{
    await(fd, POLLIN, clock_us() + m.options.timeout_us);
    ssize_t n = recv(fd, chunk, MINIMAL_CHUNK, 0);
    if (n <= 0)
        minimal_ended(x, n == 0 ? 0 : errno);
    return n > 0 ? (size_t)n : 0;
}

/* Writes a piece of the body, or of none. Awaits that all earlier bodies are
 * written (with -n none has to be), and room in standard output. */
static int step_deliver(void *context, const char *p, size_t n)
{
    const struct job *job = context;
    while (turn != job->id && !m.options.discard)
        await_condition(&turn_passed, COROUTINE_NEVER);
    return minimal_deliver(&m, p, n);
}

/* Prints the result, in order; wakes the worker whose turn it is now. */
static void step_finish(struct job *job, struct exchange *x)
{
    (void)step_deliver(job, "", 0);
    minimal_finish(&m, job, exchange_outcome(x));
    exchange_free(x);
    turn++;
    condition_wake_all(&turn_passed);
}

/* A worker: job after job, each straight down. */
static int work(void *unused)
{
    char chunk[MINIMAL_CHUNK];
    for (struct job *job = step_take(); job != NULL; job = step_take()) {
        struct exchange *x = minimal_exchange(&m, job);
        while (exchange_want(x) == WANT_CONNECT) { /* again: a redirect */
            int fd = minimal_connect(x, &m);       /* awaits */
            minimal_send(x, fd, &m); /* awaits room in the socket */
            while (exchange_want(x) == WANT_RECEIVE) {
                size_t n = step_receive(x, fd, chunk); /* awaits */
                exchange_feed(x, chunk, n, step_deliver, job, clock_us());
            }
            minimal_disconnect(fd);
        }
        step_finish(job, x);
    }
    return unused != NULL;
}

/* The first coroutine. */
static int take_all(void *unused)
{
    struct job *job;
    size_t count = 0; /* of jobs; there is a worker for each, up to -j */
    do {
        job = minimal_next(&m); /* awaits the list */
        if (job != NULL && count++ < m.options.jobs)
            minimal_ok(&m, -group_start(&workers, work, unused));
        put_job(job);
    } while (job != NULL);
    for (size_t i = 1; i < count && i < m.options.jobs; i++)
        put_job(NULL); /* an end for each of the other workers */
    return await_group(&workers, COROUTINE_NEVER);
}

int main(int argc, char **argv)
{
    struct coroutines *all;
    minimal_open(&m, "minimal-coroutines", argc, argv, _exit);
    m.await = await;
    (void)setenv("EVENT_NOEPOLL", "1", 1); /* which takes no regular files */
    struct event_base *base = minimal_made(&m, event_base_new());
    minimal_ok(&m, -coroutines_open(&all, base));
    minimal_ok(&m, -coroutines_run(all, take_all, NULL));
    coroutines_close(all);
    event_base_free(base);
    return minimal_close(&m);
}
