/* Style: a handler of SIGCHLD and a pipe; descriptors are marked and swept. */
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The largest power of two that fcntl takes for a size. */
#define PIPE_MOST ((size_t)1 << 30)

/* The writing end of signal_fd's pipe: for the handler, which gets no argument.
 */
static int bell = -1;

static struct sigaction usual; /* the handling of SIGCHLD to go back to */
static size_t next_asked;      /* the slot where pool_reap goes on */

static void ring(int number)
{
    int saved = errno;
    (void)number;
    /* A full pipe is readable already: then one byte more is of no use. */
    ssize_t ignored = write(bell, "", 1);
    (void)ignored;
    errno = saved;
}

int pool_open(struct pool *pool, size_t limit, const int *kept_fds,
              pool_main *main, void *context)
{
    int ends[2];
    *pool = (struct pool){.limit = limit,
                          .main = main,
                          .context = context,
                          .kept_fds = kept_fds};
    pool->workers = calloc(limit, sizeof *pool->workers);
    if (pool->workers == NULL)
        return -ENOMEM;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == -1)
        goto failed;
    int error = nursery_open(&pool->nursery, kept_fds, POOL_KEPT);
    if (error == 0) {
        struct sigaction action = {.sa_handler = ring,
                                   .sa_flags = SA_RESTART | SA_NOCLDSTOP};
        sigemptyset(&action.sa_mask);
        pool->signal_fd = ends[0];
        bell = ends[1];
        (void)sigaction(SIGCHLD, &action, &usual);
        return 0;
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
    errno = -error;
failed:
    error = -errno;
    free(pool->workers);
    return error;
}

/* --- Making a worker ---------------------------------------------------- */

static void close_fd(int *fd)
{
    if (*fd != -1)
        (void)close(*fd);
    *fd = -1;
}

static bool is_kept(const struct pool *pool, int fd)
{
    for (int i = 0; i < POOL_KEPT; i++) {
        if (pool->kept_fds[i] == fd)
            return true;
    }
    return false;
}

/* Sweeps from one end to the other: all numbers that can be open. */
static void sweep(const struct pool *pool, int jobs_fd, int results_fd)
{
    int from = STDERR_FILENO + 1;
    for (int fd = from;
         fd <= pool->nursery.top || fd <= jobs_fd || fd <= results_fd; fd++) {
        if (fd != jobs_fd && fd != results_fd && !is_kept(pool, fd))
            (void)close(fd);
        from = fd + 1;
    }
    (void)close_range((unsigned)from, ~0U, 0);
}

/* The child keeps standard error only. If it held standard output, whoever
 * reads that would not see its end before the last worker is gone. */
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
    sweep(pool, jobs_fd, results_fd);
    leave_standard_streams();
    pool->main(pool->context, slot, jobs_fd, results_fd);
    _exit(70); /* not reached */
}

/* Forks with all signals blocked: a signal meant for the parent must not run
 * the parent's handlers in the child, before it has set its own. */
static pid_t fork_quietly(struct pool *pool, int slot, int jobs_fd,
                          int results_fd)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
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
 * worker's own ends stay blocking. */
static int set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
        return -errno;
    return 0;
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

static int make_worker(struct pool *pool, struct pool_worker *worker)
{
    int jobs[2] = {-1, -1};
    int results[2] = {-1, -1};
    int error = 0;
    if (pipe2(jobs, O_CLOEXEC) == -1 || pipe2(results, O_CLOEXEC) == -1)
        error = -errno;
    if (error == 0) {
        set_capacity(pool, results[1]);
        error = set_nonblocking(jobs[1]);
    }
    if (error == 0)
        error = set_nonblocking(results[0]);
    if (error == 0) {
        worker->pid = fork_quietly(pool, worker->slot, jobs[0], results[1]);
        if (worker->pid == -1)
            error = -errno;
    }
    /* The child's ends. Left open here, they would hide its death. */
    close_fd(&jobs[0]);
    close_fd(&results[1]);
    if (error != 0) {
        close_fd(&jobs[1]);
        close_fd(&results[0]);
        worker->pid = 0;
        return error;
    }
    worker->jobs_fd = jobs[1];
    worker->results_fd = results[0];
    pool->alive++;
    return 0;
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
    while (pool->idle != NULL)
        pool_retire(take_first(&pool->idle));
}

/* --- Deaths ------------------------------------------------------------- */

/* Asks for one. True if it has died. */
static bool has_died(struct pool_worker *worker, int *status)
{
    return worker->pid > 0 &&
           waitpid(worker->pid, status, WNOHANG) == worker->pid;
}

static void silence(struct pool *pool)
{
    char bytes[64];
    while (read(pool->signal_fd, bytes, sizeof bytes) > 0)
        ;
}

struct pool_worker *pool_reap(struct pool *pool, int *status)
{
    if (next_asked == 0)
        silence(pool); /* a death after this rings anew */
    while (next_asked < pool->used) {
        struct pool_worker *worker = &pool->workers[next_asked++];
        if (!has_died(worker, status))
            continue;
        worker->pid = 0;
        pool->alive--;
        take_out(&pool->idle, worker);
        return worker;
    }
    next_asked = 0;
    return NULL;
}

void pool_vacate(struct pool *pool, struct pool_worker *worker)
{
    close_fd(&worker->jobs_fd);
    close_fd(&worker->results_fd);
    worker->next = pool->vacant;
    pool->vacant = worker;
}

/* Waits for one worker; a signal does not end the waiting. */
static void await(struct pool *pool, struct pool_worker *worker)
{
    pid_t pid;
    do
        pid = waitpid(worker->pid, NULL, 0);
    while (pid == -1 && errno == EINTR);
    worker->pid = 0;
    pool->alive--;
}

void pool_kill(struct pool *pool, struct pool_worker *worker)
{
    if (worker->pid == 0)
        return;
    take_out(&pool->idle, worker);
    (void)kill(worker->pid, SIGKILL);
    await(pool, worker);
}

void pool_terminate(struct pool *pool)
{
    for (size_t i = 0; i < pool->used; i++) {
        struct pool_worker *worker = &pool->workers[i];
        close_fd(&worker->jobs_fd);
        if (worker->pid > 0)
            (void)kill(worker->pid, SIGTERM);
    }
}

void pool_end(struct pool *pool)
{
    for (size_t i = 0; i < pool->used; i++) {
        if (pool->workers[i].pid > 0) {
            (void)kill(pool->workers[i].pid, SIGKILL);
            await(pool, &pool->workers[i]);
        }
    }
}

void pool_free(struct pool *pool)
{
    for (size_t i = 0; i < pool->used; i++) {
        close_fd(&pool->workers[i].jobs_fd);
        close_fd(&pool->workers[i].results_fd);
    }
    nursery_close(&pool->nursery);
    (void)sigaction(SIGCHLD, &usual, NULL);
    close_fd(&bell);
    close_fd(&pool->signal_fd);
    free(pool->workers);
}
