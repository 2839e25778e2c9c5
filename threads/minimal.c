/*
 * minimal-threads: many URLs at once, a thread for each request in flight.
 *
 * Who sleeps: each thread, in the midst of code that runs straight down. What
 * wakes it: the kernel, when its descriptor is ready; or another thread, by a
 * condition. A comment that says "sleeps" stands at each such place.
 *
 * Left out: keep-alive, retries, uploads, receiving while still sending, a
 * limit on the whole request (common/blocking.c); files, https, the report
 * (common/sink.c, tls.h, run.c); a shortage of threads (fetch.c, places.c).
 */
#include "minimal.h"

#include <pthread.h>

#define QUEUE_SIZE 16

static struct minimal m; /* options, list of URLs, messages, exit status */
static pthread_t workers[MINIMAL_JOBS];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards these: */
static struct job *queue[QUEUE_SIZE];
static size_t put, taken; /* so many jobs have been */
static uint64_t turn;     /* the id of the job that may write */
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER;
static pthread_cond_t turn_passed = PTHREAD_COND_INITIALIZER;

/* Puts a job into the queue, or NULL: the end. Sleeps while it is full. */
static void put_job(struct job *job)
{
    pthread_mutex_lock(&lock);
    while (put - taken == QUEUE_SIZE)
        pthread_cond_wait(&not_full, &lock);
    queue[put++ % QUEUE_SIZE] = job;
    pthread_cond_signal(&not_empty);
    pthread_mutex_unlock(&lock);
}

/* Takes what was put first. Sleeps while the queue is empty. */
static struct job *step_take(void)
{
    pthread_mutex_lock(&lock);
    while (put == taken)
        pthread_cond_wait(&not_empty, &lock);
    struct job *job = queue[taken++ % QUEUE_SIZE];
    pthread_cond_signal(&not_full);
    pthread_mutex_unlock(&lock);
    return job;
}

/* Receives some of the answer. Sleeps until there is some; 0: it has ended. */
static size_t step_receive(struct exchange *x, int fd, char *chunk)
{
    ssize_t n = recv(fd, chunk, MINIMAL_CHUNK, 0);
    if (n <= 0)
        minimal_ended(x, n == 0 ? 0 : errno);
    return n > 0 ? (size_t)n : 0;
}

/* Writes a piece of the body, or of none. Sleeps until all earlier bodies are
 * written (with -n none has to be), and while standard output is full. */
static int step_deliver(void *context, const char *p, size_t n)
{
    const struct job *job = context;
    pthread_mutex_lock(&lock);
    while (turn != job->id && !m.options.discard)
        pthread_cond_wait(&turn_passed, &lock);
    pthread_mutex_unlock(&lock);
    return minimal_deliver(&m, p, n);
}

/* Prints the result, in order; wakes the worker whose turn it is now. */
static void step_finish(struct job *job, struct exchange *x)
{
    (void)step_deliver(job, "", 0);
    minimal_finish(&m, job, exchange_outcome(x));
    exchange_free(x);
    pthread_mutex_lock(&lock);
    turn++;
    pthread_cond_broadcast(&turn_passed);
    pthread_mutex_unlock(&lock);
}

/* A worker: job after job, each straight down. */
static void *work(void *unused)
{
    char chunk[MINIMAL_CHUNK];
    for (struct job *job = step_take(); job != NULL; job = step_take()) {
        struct exchange *x = minimal_exchange(&m, job);
        while (exchange_want(x) == WANT_CONNECT) { /* again: a redirect */
            int fd = minimal_connect(x, &m);       /* sleeps */
            minimal_send(x, fd, &m); /* sleeps while the socket is full */
            while (exchange_want(x) == WANT_RECEIVE) {
                size_t n = step_receive(x, fd, chunk); /* sleeps */
                exchange_feed(x, chunk, n, step_deliver, job, clock_us());
            }
            minimal_disconnect(fd);
        }
        step_finish(job, x);
    }
    return unused;
}

static void start_worker(pthread_t *worker)
{
    minimal_ok(&m, pthread_create(worker, NULL, work, NULL));
}

int main(int argc, char **argv)
{
    struct job *job;
    size_t count = 0; /* of workers: one for each job, up to -j */
    minimal_open(&m, "minimal-threads", argc, argv, _exit);
    do {
        job = minimal_next(&m); /* sleeps for the list */
        if (job != NULL && count < m.options.jobs)
            start_worker(&workers[count++]);
        put_job(job);
    } while (job != NULL);
    for (size_t i = 1; i < count; i++)
        put_job(NULL); /* an end for each of the other workers */
    for (size_t i = 0; i < count; i++)
        minimal_ok(&m, pthread_join(workers[i], NULL));
    return minimal_close(&m);
}
