/* pool: forked workers, as their parent sees them. See pool.h. */
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* The largest power of two that fcntl takes for a size. */
#define PIPE_MOST ((size_t)1 << 30)

static void close_fd(int *fd)
{
    if (*fd != -1)
        (void)close(*fd);
    *fd = -1;
}

int pool_open(struct pool *pool, size_t limit, const int *kept_fds,
              pool_main *main, void *context)
{
    sigset_t child;
    *pool = (struct pool){.limit = limit,
                          .main = main,
                          .context = context,
                          .kept_fds = kept_fds};
    pool->workers = calloc(limit, sizeof *pool->workers);
    if (pool->workers == NULL)
        return -ENOMEM;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &child, &pool->mask);
    /* A shell may have left SIGCHLD ignored; then children leave no status. */
    (void)signal(SIGCHLD, SIG_DFL);
    pool->signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    int error = pool->signal_fd == -1
                    ? -errno
                    : nursery_open(&pool->nursery, kept_fds, POOL_KEPT);
    if (error != 0) {
        close_fd(&pool->signal_fd);
        free(pool->workers);
    }
    return error;
}

/* --- Making a worker ---------------------------------------------------- */

/* Closes the numbers from `first` to `last`. A container or a sandbox may
 * forbid close_range: then one after the other. */
static void close_span(int first, int last)
{
    if (close_range((unsigned)first, (unsigned)last, 0) == 0)
        return;
    for (int fd = first; fd <= last; fd++)
        (void)close(fd);
}

/* Closes all descriptors in the child but the standard ones and those at
 * `keep`. Above all the ends of its siblings' pipes: as long as one process
 * holds the writing end of a pipe, its reader never sees the end. */
static void close_all_but(const int *keep, int n)
{
    int from = STDERR_FILENO + 1;
    for (;;) {
        int next = INT_MAX; /* to be kept */
        for (int i = 0; i < n; i++)
            next = keep[i] >= from && keep[i] < next ? keep[i] : next;
        if (next == INT_MAX)
            break;
        if (next > from)
            close_span(from, next - 1);
        from = next + 1;
    }
    closefrom(from); /* it has ways of its own, and aborts if none works */
}

/* The child keeps standard error only. If it held standard output, the reader
 * of that would not see its end before the last worker is gone. */
static void leave_standard_streams(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null == -1)
        return;
    (void)dup2(null, STDIN_FILENO);
    (void)dup2(null, STDOUT_FILENO);
    (void)close(null);
}

static _Noreturn void run_child(struct pool *pool, int slot, int jobs_fd,
                                int results_fd)
{
    int keep[2 + POOL_KEPT] = {jobs_fd, results_fd};
    for (int i = 0; i < POOL_KEPT; i++)
        keep[2 + i] = pool->kept_fds[i];
    close_all_but(keep, 2 + POOL_KEPT);
    leave_standard_streams();
    pool->main(pool->context, slot, jobs_fd, results_fd);
    _exit(70); /* not reached */
}

/* Forks with all signals blocked. A signal meant for the parent would
 * otherwise run the parent's handlers in the child, before the child has set
 * its own. */
static pid_t fork_quietly(struct pool *pool, int slot, int jobs_fd,
                          int results_fd)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    /* With thousands of workers the nursery is faster; in the child it gives
     * the two descriptors other numbers. */
    pid_t pid = pool->nursery.shares
                    ? nursery_fork(&pool->nursery, &jobs_fd, &results_fd)
                    : fork();
    int error = errno;
    if (pid == 0)
        run_child(pool, slot, jobs_fd, results_fd);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return pid;
}

/* The parent never blocks on one child. The flag is of the one end: the
 * worker's own ends stay blocking. False with errno. */
static bool set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags != -1 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) != -1;
}

/* Gives a pipe pool->capacity, which the kernel rounds up to pages, a power
 * of two of them. An unprivileged user gets no more than 1 MiB, and little
 * after some thousand pipes: then capacity is what there is. */
static void set_capacity(struct pool *pool, int fd)
{
    size_t size = pool->capacity < PIPE_MOST ? pool->capacity : PIPE_MOST;
    if (size == 0 || fcntl(fd, F_GETPIPE_SZ) == (int)size)
        return;
    while (fcntl(fd, F_SETPIPE_SZ, (int)size) == -1 && size > 1)
        size /= 2;
    int got = fcntl(fd, F_GETPIPE_SZ);
    if (got > 0 && (size_t)got < pool->capacity)
        pool->capacity = (size_t)got;
}

/* 0; or a negative errno, and pool_vacate comes next. */
static int make_worker(struct pool *pool, struct pool_worker *worker)
{
    int jobs[2] = {-1, -1};
    int results[2] = {-1, -1};
    int error = 0;
    if (pipe2(jobs, O_CLOEXEC) == -1 || pipe2(results, O_CLOEXEC) == -1 ||
        !set_nonblocking(jobs[1]) || !set_nonblocking(results[0]))
        error = -errno;
    if (error == 0) {
        set_capacity(pool, results[1]);
        worker->pid = fork_quietly(pool, worker->slot, jobs[0], results[1]);
        if (worker->pid == -1)
            error = -errno;
    }
    /* The child's ends. Left open here, they would hide its death. */
    close_fd(&jobs[0]);
    close_fd(&results[1]);
    worker->jobs_fd = jobs[1];
    worker->results_fd = results[0];
    if (error == 0)
        pool->alive++;
    else
        worker->pid = 0;
    return error;
}

/* --- Lists -------------------------------------------------------------- */

static struct pool_worker *take_first(struct pool_worker **list)
{
    struct pool_worker *worker = *list;
    if (worker != NULL)
        *list = worker->next;
    return worker;
}

static void take_out(struct pool_worker **list, struct pool_worker *worker)
{
    while (*list != NULL && *list != worker)
        list = &(*list)->next;
    if (*list != NULL)
        *list = worker->next;
}

int pool_get(struct pool *pool, struct pool_worker **out)
{
    *out = take_first(&pool->idle);
    if (*out != NULL)
        return 0;
    struct pool_worker *worker = take_first(&pool->vacant);
    if (worker == NULL && pool->used < pool->limit) {
        worker = &pool->workers[pool->used];
        *worker = (struct pool_worker){
            .slot = (int)pool->used++, .jobs_fd = -1, .results_fd = -1};
    }
    if (worker == NULL)
        return -EBUSY;
    nursery_make_room(&pool->nursery);
    int error = make_worker(pool, worker);
    if (error != 0)
        pool_vacate(pool, worker);
    else
        *out = worker;
    return error;
}

void pool_release(struct pool *pool, struct pool_worker *worker)
{
    worker->next = pool->idle;
    pool->idle = worker;
}

void pool_retire(struct pool_worker *worker)
{
    close_fd(&worker->jobs_fd); /* no more jobs, is what it reads there */
}

void pool_retire_idle(struct pool *pool)
{
    struct pool_worker *worker;
    while ((worker = take_first(&pool->idle)) != NULL)
        pool_retire(worker);
}

/* --- Deaths ------------------------------------------------------------- */

struct pool_worker *pool_reap(struct pool *pool, int *status)
{
    struct signalfd_siginfo info;
    pid_t pid;
    while (read(pool->signal_fd, &info, sizeof info) > 0)
        ; /* emptied first: a death after this makes it readable anew */
    while ((pid = waitpid(-1, status, WNOHANG)) > 0) {
        /* They die in about the order of their slots. The search goes on from
         * the last one: with thousands, from the first would take long. */
        for (size_t i = 0; i < pool->used; i++) {
            size_t slot = (pool->reaped + i) % pool->used;
            struct pool_worker *worker = &pool->workers[slot];
            if (worker->pid != pid)
                continue;
            worker->pid = 0;
            pool->reaped = slot;
            pool->alive--;
            take_out(&pool->idle, worker);
            return worker;
        }
        /* Not ours: the program that became this one by exec had children. */
    }
    return NULL;
}

void pool_vacate(struct pool *pool, struct pool_worker *worker)
{
    close_fd(&worker->jobs_fd);
    close_fd(&worker->results_fd);
    worker->next = pool->vacant;
    pool->vacant = worker;
}

void pool_kill(struct pool *pool, struct pool_worker *worker)
{
    if (worker->pid == 0)
        return;
    take_out(&pool->idle, worker);
    (void)kill(worker->pid, SIGKILL);
    while (waitpid(worker->pid, NULL, 0) == -1 && errno == EINTR)
        ; /* a signal does not end the waiting */
    worker->pid = 0;
    pool->alive--;
}

void pool_terminate(struct pool *pool)
{
    pool->idle = NULL; /* none is got any more */
    for (size_t i = 0; i < pool->used; i++) {
        struct pool_worker *worker = &pool->workers[i];
        close_fd(&worker->jobs_fd);
        if (worker->pid > 0)
            (void)kill(worker->pid, SIGTERM);
    }
}

void pool_end(struct pool *pool)
{
    for (size_t i = 0; i < pool->used; i++)
        pool_kill(pool, &pool->workers[i]);
}

void pool_free(struct pool *pool)
{
    for (size_t i = 0; i < pool->used; i++) {
        close_fd(&pool->workers[i].jobs_fd);
        close_fd(&pool->workers[i].results_fd);
    }
    nursery_close(&pool->nursery);
    close_fd(&pool->signal_fd);
    free(pool->workers);
    (void)sigprocmask(SIG_SETMASK, &pool->mask, NULL);
}
