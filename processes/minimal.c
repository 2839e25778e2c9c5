/*
 * minimal-processes: many URLs at once, a forked process for each in flight.
 *
 * Who sleeps: each worker, in the midst of code that runs straight down; and
 * the parent, in poll. What wakes it: a worker, its socket, or room in its
 * pipe; the parent, bytes in a pipe, or the pipe's end: the worker has ended.
 *
 * Left out: keep-alive, retries, uploads (common/blocking.c); files, https,
 * the report (common/sink.c, tls.c, run.c); workers that stay, and a new one
 * for the job of a killed one (pool.c, frame.c, request.c).
 */
#include "minimal_steps.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#define CHUNK 16384

struct worker {
    volatile pid_t pid; /* 0: the place is free */
    struct job *job;
    int body[2];    /* two pipes: the worker writes to [1], the parent reads */
    int outcome[2]; /* from [0]; the body's bytes, and a struct outcome */
};

static struct minimal m; /* options, list of URLs, messages, exit status */
static struct worker workers[MINIMAL_JOBS];
static struct pollfd fds[MINIMAL_JOBS + 1]; /* the workers'; the list */
static size_t in_flight;
static uint64_t turn; /* the id of the job whose body is read; not with -n */

static _Noreturn void work(struct worker *w);

/* Forks a worker for the job. */
static void step_start(struct job *job)
{
    struct worker *w = workers;
    while (w->pid != 0)
        w++; /* to a free place */
    w->job = job;
    minimal_check(&m, "a pipe", pipe2(w->body, O_CLOEXEC));
    minimal_check(&m, "a pipe", pipe2(w->outcome, O_CLOEXEC));
    if (minimal_fork(&m, &w->pid, w->body[1]) == 0)
        work(w);
    (void)close(w->body[1]); /* else the pipe would never end */
    (void)close(w->outcome[1]);
    in_flight++;
}

/* Takes as many jobs as there are places. */
static void step_take(void)
{
    while (in_flight < m.options.jobs) {
        struct job *job = minimal_take(&m);
        if (job == NULL)
            return;
        step_start(job);
    }
}

/* Hands on what the worker has written; false: it has ended. While standard
 * output is full, the worker's pipe fills up, and then the worker sleeps. */
static bool step_deliver(struct worker *w)
{
    char chunk[CHUNK];
    ssize_t n = read(w->body[0], chunk, sizeof chunk);
    if (n > 0)
        minimal_write_all(&m, chunk, (size_t)n);
    return n > 0;
}

/* The worker has ended: takes its outcome, if it left one, and reaps it. */
static void step_finish(struct worker *w)
{
    int status;
    pid_t pid = w->pid;
    struct outcome outcome;
    ssize_t n = read(w->outcome[0], &outcome, sizeof outcome);
    w->pid = 0; /* from now on no signal handler must kill it */
    if (waitpid(pid, &status, 0) != pid || n != sizeof outcome)
        minimal_crashed(&outcome, status);
    (void)close(w->body[0]);
    (void)close(w->outcome[0]);
    minimal_finish(&m, w->job, &outcome);
    in_flight--;
    turn++;
}

/* A worker's life: its standard output is the pipe. */
static void work(struct worker *w)
{
    struct exchange *x = minimal_exchange(&m, w->job);
    while (exchange_want(x) == WANT_CONNECT) { /* again: a redirect */
        int fd = step_connect(x);
        while (exchange_want(x) == WANT_SEND)
            step_send(x, fd);
        while (exchange_want(x) == WANT_RECEIVE)
            step_receive(x, fd, minimal_deliver, &m);
        if (fd != -1)
            (void)close(fd);
    }
    struct outcome *outcome = exchange_outcome(x);
    _exit(write(w->outcome[1], outcome, sizeof *outcome) == -1);
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
    for (step_take(); in_flight > 0 || m.input != -1; step_take()) {
        for (size_t i = 0; i < n; i++) {
            struct worker *w = &workers[i];
            bool heard =
                w->pid != 0 && (m.options.discard || w->job->id == turn);
            fds[i] = (struct pollfd){heard ? w->body[0] : -1, POLLIN, 0};
        }
        fds[n] = (struct pollfd){in_flight < n ? m.input : -1, POLLIN, 0};
        if (poll(fds, n + 1, -1) == -1 && errno != EINTR)
            minimal_fail(&m, "so many workers", errno);
        for (size_t i = 0; i < n; i++)
            if (fds[i].revents != 0 && !step_deliver(&workers[i]))
                step_finish(&workers[i]);
        if (fds[n].revents != 0)
            minimal_read(&m);
    }
    return minimal_close(&m);
}
