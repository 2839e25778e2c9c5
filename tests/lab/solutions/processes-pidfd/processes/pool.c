/* Style: a pidfd for each worker; plain fork; flags for lists, in a table here. */
#include "pool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* What struct pool_worker has no field for, by slot. */
struct more {
    int pidfd; /* -1: there is none */
    bool is_idle;
    bool is_vacant;
};

static struct more *more;

int pool_open(struct pool *pool, size_t limit, const int *kept_fds,
              pool_main *main, void *context)
{
    sigset_t child;
    *pool = (struct pool){.limit = limit,
                          .main = main,
                          .context = context,
                          .kept_fds = kept_fds};
    pool->workers = calloc(limit, sizeof *pool->workers);
    more = calloc(limit, sizeof *more);
    pool->signal_fd = epoll_create1(EPOLL_CLOEXEC);
    if (pool->workers == NULL || more == NULL || pool->signal_fd == -1) {
        int error = pool->signal_fd == -1 ? -errno : -ENOMEM;
        free(pool->workers);
        free(more);
        if (pool->signal_fd != -1)
            (void)close(pool->signal_fd);
        return error;
    }
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &child, &pool->mask);
    (void)signal(SIGCHLD, SIG_DFL);
    return 0;
}

/* --- In the child --------------------------------------------------------- */

static bool is_needed(const struct pool *pool, int fd, const int pipes[2])
{
    bool needed = fd <= STDERR_FILENO || fd == pipes[0] || fd == pipes[1];
    for (int i = 0; i < POOL_KEPT; i++)
        needed = needed || fd == pool->kept_fds[i];
    return needed;
}

/* One after the other, as /proc lists them. */
static void close_the_rest(const struct pool *pool, const int pipes[2])
{
    DIR *list = opendir("/proc/self/fd");
    const struct dirent *entry;
    if (list == NULL)
        _exit(71);
    while ((entry = readdir(list)) != NULL) {
        int fd = atoi(entry->d_name);
        if (fd != dirfd(list) && !is_needed(pool, fd, pipes))
            (void)close(fd);
    }
    (void)closedir(list);
}

static _Noreturn void be_a_worker(struct pool *pool, int slot, int jobs,
                                  int results)
{
    const int pipes[2] = {jobs, results};
    close_the_rest(pool, pipes);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null != -1) {
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(null, STDOUT_FILENO);
        (void)close(null);
    }
    pool->main(pool->context, slot, jobs, results);
    _exit(70);
}

/* --- In the parent -------------------------------------------------------- */

static void close_pair(const int ends[2])
{
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void size_pipe(struct pool *pool, int fd)
{
    if (pool->capacity == 0)
        return;
    size_t size = pool->capacity;
    while (size > 4096 &&
           (size > INT32_MAX || fcntl(fd, F_SETPIPE_SZ, (int)size) == -1))
        size /= 2;
    if (size <= 4096)
        (void)fcntl(fd, F_SETPIPE_SZ, 4096);
    int got = fcntl(fd, F_GETPIPE_SZ);
    if (got > 0 && (size_t)got < pool->capacity)
        pool->capacity = (size_t)got;
}

/* Forks, and watches the child. The pid, or a negative errno. */
static int give_birth(struct pool *pool, struct pool_worker *worker, int jobs,
                      int results)
{
    sigset_t all, before;
    sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        be_a_worker(pool, worker->slot, jobs, results);
    int error = pid == -1 ? -errno : 0;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return error;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = worker};
    more[worker->slot].pidfd = pidfd_open(pid, 0);
    if (more[worker->slot].pidfd == -1 ||
        epoll_ctl(pool->signal_fd, EPOLL_CTL_ADD, more[worker->slot].pidfd,
                  &event) == -1) {
        error = -errno;
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        if (more[worker->slot].pidfd != -1)
            (void)close(more[worker->slot].pidfd);
        more[worker->slot].pidfd = -1;
        return error;
    }
    return pid;
}

static int hire(struct pool *pool, struct pool_worker *worker)
{
    int down[2], up[2];
    if (pipe2(down, O_CLOEXEC) == -1)
        return -errno;
    if (pipe2(up, O_CLOEXEC) == -1) {
        int error = -errno;
        close_pair(down);
        return error;
    }
    size_pipe(pool, up[0]);
    (void)fcntl(down[1], F_SETFL, O_WRONLY | O_NONBLOCK);
    (void)fcntl(up[0], F_SETFL, O_RDONLY | O_NONBLOCK);
    int pid = give_birth(pool, worker, down[0], up[1]);
    if (pid < 0) {
        close_pair(down);
        close_pair(up);
        return pid;
    }
    (void)close(down[0]);
    (void)close(up[1]);
    worker->pid = pid;
    worker->jobs_fd = down[1];
    worker->results_fd = up[0];
    more[worker->slot].is_vacant = false;
    pool->alive++;
    return 0;
}

int pool_get(struct pool *pool, struct pool_worker **out)
{
    struct pool_worker *vacant = NULL;
    *out = NULL;
    for (size_t i = 0; i < pool->used; i++) {
        struct pool_worker *worker = &pool->workers[i];
        if (more[worker->slot].is_idle) {
            more[worker->slot].is_idle = false;
            *out = worker;
            return 0;
        }
        if (more[worker->slot].is_vacant && vacant == NULL)
            vacant = worker;
    }
    if (vacant == NULL && pool->used < pool->limit) {
        vacant = &pool->workers[pool->used];
        *vacant = (struct pool_worker){
            .slot = (int)pool->used++, .jobs_fd = -1, .results_fd = -1};
        more[vacant->slot] = (struct more){.pidfd = -1, .is_vacant = true};
    }
    if (vacant == NULL)
        return -EBUSY;
    int error = hire(pool, vacant);
    if (error == 0)
        *out = vacant;
    return error;
}

void pool_release(struct pool *pool, struct pool_worker *worker)
{
    (void)pool;
    more[worker->slot].is_idle = true;
}

static void let_go(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

void pool_retire(struct pool_worker *worker)
{
    let_go(&worker->jobs_fd);
}

void pool_retire_idle(struct pool *pool)
{
    for (size_t i = 0; i < pool->used; i++) {
        if (!more[i].is_idle)
            continue;
        more[i].is_idle = false;
        pool_retire(&pool->workers[i]);
    }
}

/* Waits for this one, and forgets it. */
static void bury(struct pool *pool, struct pool_worker *worker, int *status)
{
    while (waitpid(worker->pid, status, 0) == -1 && errno == EINTR)
        ;
    /* Or epoll would go on telling, should anybody else hold the pidfd. */
    (void)epoll_ctl(pool->signal_fd, EPOLL_CTL_DEL, more[worker->slot].pidfd,
                    NULL);
    let_go(&more[worker->slot].pidfd);
    worker->pid = 0;
    more[worker->slot].is_idle = false;
    pool->alive--;
}

struct pool_worker *pool_reap(struct pool *pool, int *status)
{
    struct epoll_event event;
    if (epoll_wait(pool->signal_fd, &event, 1, 0) != 1)
        return NULL;
    struct pool_worker *worker = event.data.ptr;
    bury(pool, worker, status);
    return worker;
}

void pool_vacate(struct pool *pool, struct pool_worker *worker)
{
    (void)pool;
    let_go(&worker->jobs_fd);
    let_go(&worker->results_fd);
    more[worker->slot].is_vacant = true;
}

void pool_kill(struct pool *pool, struct pool_worker *worker)
{
    int status;
    if (worker->pid == 0)
        return;
    (void)pidfd_send_signal(more[worker->slot].pidfd, SIGKILL, NULL, 0);
    bury(pool, worker, &status);
}

void pool_terminate(struct pool *pool)
{
    for (size_t i = 0; i < pool->used; i++) {
        let_go(&pool->workers[i].jobs_fd);
        if (more[i].pidfd != -1)
            (void)pidfd_send_signal(more[i].pidfd, SIGTERM, NULL, 0);
    }
}

void pool_end(struct pool *pool)
{
    for (size_t i = 0; i < pool->used; i++)
        pool_kill(pool, &pool->workers[i]);
}

void pool_free(struct pool *pool)
{
    for (size_t i = 0; i < pool->used; i++)
        pool_vacate(pool, &pool->workers[i]);
    (void)close(pool->signal_fd);
    free(pool->workers);
    free(more);
    (void)sigprocmask(SIG_SETMASK, &pool->mask, NULL);
}
