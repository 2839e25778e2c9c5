/*
 * minimal-threads: many URLs at once, a thread for each request in flight.
 *
 * Who sleeps: each thread, in the midst of code that runs straight down.
 * What wakes it: the kernel, when its descriptor is ready (the sleeps are in
 * common/minimal.c); or another thread (pthread_cond_signal, _broadcast).
 *
 * Left out: keep-alive, retries, uploads (common/blocking.c); files, https,
 * the report (common/sink.c, tls.c, run.c); a shortage of threads, waking the
 * one thread whose turn it is (fetch.c, places.c).
 */
#include "minimal_steps.h"

#include <pthread.h>

#define QUEUE_SIZE 16

static struct minimal m; /* options, list of URLs, messages, exit status */
static pthread_t workers[MINIMAL_JOBS];
static size_t worker_count;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards these: */
static struct job *queue[QUEUE_SIZE];
static size_t put, taken; /* so many jobs have been */
static bool closed;       /* no more will be put */
static uint64_t turn;     /* the id of the job that may write */
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER;
static pthread_cond_t turn_passed = PTHREAD_COND_INITIALIZER;

static void *work(void *unused);

/* Makes one more worker, unless there are enough. */
static void step_start(void)
{
    if (worker_count == m.options.jobs)
        return;
    int error = pthread_create(&workers[worker_count], NULL, work, NULL);
    if (error != 0)
        minimal_fail(&m, "a thread", error);
    worker_count++;
}

/* Main puts a job into the queue; sleeps while that is full. */
static void put_job(struct job *job)
{
    pthread_mutex_lock(&lock);
    while (put - taken == QUEUE_SIZE)
        pthread_cond_wait(&not_full, &lock);
    queue[put++ % QUEUE_SIZE] = job;
    pthread_cond_signal(&not_empty);
    pthread_mutex_unlock(&lock);
}

/* Takes a job; sleeps while there is none. NULL: there will be none. */
static struct job *step_take(void)
{
    pthread_mutex_lock(&lock);
    while (put == taken && !closed)
        pthread_cond_wait(&not_empty, &lock);
    struct job *job = put > taken ? queue[taken++ % QUEUE_SIZE] : NULL;
    pthread_cond_signal(&not_full);
    pthread_mutex_unlock(&lock);
    return job;
}

/* Sleeps until all earlier bodies are written; with -n none has to be. */
static void wait_for_turn(const struct job *job)
{
    pthread_mutex_lock(&lock);
    while (turn != job->id && !m.options.discard)
        pthread_cond_wait(&turn_passed, &lock);
    pthread_mutex_unlock(&lock);
}

/* Writes a piece of the job's body; sleeps while standard output is full. */
static int step_deliver(void *job, const char *p, size_t n)
{
    wait_for_turn(job);
    return minimal_deliver(&m, p, n);
}

/* Records the result; wakes the worker whose turn it is now. */
static void step_finish(struct job *job, struct exchange *x)
{
    wait_for_turn(job);
    minimal_finish(&m, job, exchange_outcome(x));
    exchange_free(x);
    pthread_mutex_lock(&lock);
    turn++;
    pthread_cond_broadcast(&turn_passed);
    pthread_mutex_unlock(&lock);
}

/* A worker: job after job, each straight down. The steps on a socket sleep. */
static void *work(void *unused)
{
    for (struct job *job = step_take(); job != NULL; job = step_take()) {
        struct exchange *x = minimal_exchange(&m, job);
        while (exchange_want(x) == WANT_CONNECT) { /* again: a redirect */
            int fd = step_connect(x);
            while (exchange_want(x) == WANT_SEND)
                step_send(x, fd);
            while (exchange_want(x) == WANT_RECEIVE)
                step_receive(x, fd, step_deliver, job);
            if (fd != -1)
                (void)close(fd);
        }
        step_finish(job, x);
    }
    return unused;
}

/* No job will come: wakes the workers that wait for one, and joins all. */
static void step_stop(void)
{
    pthread_mutex_lock(&lock);
    closed = true;
    pthread_cond_broadcast(&not_empty);
    pthread_mutex_unlock(&lock);
    while (worker_count > 0)
        (void)pthread_join(workers[--worker_count], NULL);
}

int main(int argc, char **argv)
{
    minimal_open(&m, "minimal-threads", argc, argv, _exit);
    for (struct job *job = minimal_next(&m); job != NULL;
         job = minimal_next(&m)) {
        step_start();
        put_job(job);
    }
    step_stop();
    return minimal_close(&m);
}
