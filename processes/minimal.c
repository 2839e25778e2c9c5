/*
 * minimal-processes: many URLs at once, a forked process for each in flight.
 *
 * Who sleeps: each worker, straight down, for its socket and for room in its
 * pipe; the parent, in poll, for bytes in a pipe, or its end: the worker's.
 *
 * Left out: what minimal-threads leaves out; workers that stay (pool.c), and
 * that are replaced when they die (request.c).
 */
#include "minimal.h"

#include <signal.h>
#include <sys/wait.h>

static struct minimal m; /* options, list of URLs, messages, exit status */
static struct worker {
    volatile pid_t pid; /* 0: the place is free */
    struct job *job;
    int body[2]; /* two pipes: the worker writes to [1], the parent reads */
    int end[2];  /* from [0]; the body's bytes, and a struct outcome */
} workers[MINIMAL_JOBS];
static struct pollfd fds[MINIMAL_JOBS + 1]; /* the workers'; the list */
static uint64_t turn; /* the id of the job whose body is read; not with -n */

/* Takes a job for a free place; false: there is none. */
static bool step_take(struct worker *w)
{
    w->job = minimal_take(&m);
    return w->job != NULL;
}

/* In a worker: receives some of the answer. Sleeps until there is some. */
static size_t step_receive(struct exchange *x, int fd, char *chunk)
{
    ssize_t n = recv(fd, chunk, MINIMAL_CHUNK, 0);
    if (n <= 0)
        minimal_ended(x, n == 0 ? 0 : errno);
    return n > 0 ? (size_t)n : 0;
}

/* A worker's life, straight down. It sleeps, too, while its pipe is full. */
static _Noreturn void work(struct worker *w)
{
    char chunk[MINIMAL_CHUNK];
    struct exchange *x = minimal_exchange(&m, w->job);
    while (exchange_want(x) == WANT_CONNECT) { /* again: a redirect */
        int fd = minimal_connect(x, &m);       /* sleeps */
        minimal_send(x, fd, &m); /* sleeps while the socket is full */
        while (exchange_want(x) == WANT_RECEIVE) {
            size_t n = step_receive(x, fd, chunk); /* sleeps */
            exchange_feed(x, chunk, n, minimal_deliver, &m, clock_us());
        }
        minimal_disconnect(fd);
    }
    _exit(write(w->end[1], exchange_outcome(x), sizeof(struct outcome)) < 0);
}

static void start_worker(struct worker *w)
{
    minimal_check(&m, "a pipe", pipe(w->body));
    minimal_check(&m, "a pipe", pipe(w->end));
    if (minimal_fork(&m, &w->pid, w->body[1]) == 0)
        work(w);
    (void)close(w->body[1]); /* else the pipe would never end */
    (void)close(w->end[1]);
}

/* Hands on what the worker has written; false: it has ended. Sleeps while
 * standard output is full; the pipe fills up, and the worker sleeps, too. */
static bool step_deliver(struct worker *w)
{
    char chunk[MINIMAL_CHUNK];
    ssize_t n = read(w->body[0], chunk, sizeof chunk);
    minimal_write_all(&m, chunk, n > 0 ? (size_t)n : 0);
    return n > 0;
}

/* Takes the worker's outcome, if it left one, and reaps it. */
static void step_finish(struct worker *w)
{
    int status;
    pid_t pid = w->pid;
    struct outcome outcome;
    w->pid = 0; /* from now on no signal handler must kill it */
    minimal_check(&m, "a worker", waitpid(pid, &status, 0));
    if (read(w->end[0], &outcome, sizeof outcome) != sizeof outcome)
        minimal_crashed(&outcome, status);
    (void)close(w->body[0]);
    (void)close(w->end[0]);
    minimal_finish(&m, w->job, &outcome);
    turn++;
}

/* A signal has come, or the program cannot go on: may be a signal handler. */
static void step_stop(int status)
{
    for (size_t i = 0; i < m.options.jobs; i++)
        if (workers[i].pid != 0)
            (void)kill(workers[i].pid, SIGKILL);
    while (wait(NULL) > 0)
        ;
    _exit(status);
}

int main(int argc, char **argv)
{
    minimal_open(&m, "minimal-processes", argc, argv, step_stop);
    size_t n = m.options.jobs;
    for (;;) {
        size_t busy = 0;
        for (size_t i = 0; i < n; i++) {
            struct worker *w = &workers[i];
            if (w->pid == 0 && step_take(w))
                start_worker(w);
            busy += w->pid != 0;
            fds[i] = (struct pollfd){-1, POLLIN, 0};
            if (w->pid != 0 && (m.options.discard || w->job->id == turn))
                fds[i].fd = w->body[0];
        }
        if (busy == 0 && m.input == -1)
            return minimal_close(&m);
        fds[n] = (struct pollfd){busy < n ? m.input : -1, POLLIN, 0};
        minimal_check(&m, "poll", poll(fds, n + 1, -1)); /* sleeps */
        for (size_t i = 0; i < n; i++)
            if (fds[i].revents != 0 && !step_deliver(&workers[i]))
                step_finish(&workers[i]);
        if (fds[n].revents != 0)
            minimal_read(&m);
    }
}
