/*
 * The pool: workers are made, hold what is theirs and nothing else, and are
 * reaped when they end.
 *
 * The workers here do the test's work, and not that of worker.c: each says
 * hello, sends back what it is sent, and ends when its jobs pipe does.
 */
#include "pool.h"
#include "lab.h"
#include "look.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT 8

#define MAKE  "make_worker: which ends are closed after the fork, and where"
#define CHILD "run_child, and what it calls: what the child closes"
#define REAP  "pool_reap: how often it calls waitpid, and what it returns"

/* What a worker says first. */
struct hello {
    int slot;
    bool blocks; /* its ends of the pipes do */
    bool masked; /* the signals are blocked */
    pid_t pid;
};

static struct pool pool;
static struct pool_worker *workers[LIMIT];
static int kept[POOL_KEPT] = {-1, -1, -1};
static bool stubborn; /* the workers do not end when they are asked to */
static bool deaf;     /* SIGTERM does not end them */
static bool busy;     /* they do not look at their jobs pipe */

/* --- The workers --------------------------------------------------------- */

static void ignore(int number)
{
    (void)number;
}

static bool blocks(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags != -1 && (flags & O_NONBLOCK) == 0;
}

static void work(void *context, int slot, int jobs_fd, int results_fd)
{
    char text[100];
    ssize_t n;
    sigset_t mask;
    (void)sigprocmask(SIG_SETMASK, NULL, &mask);
    struct hello hello = {.slot = slot,
                          .blocks = blocks(jobs_fd) && blocks(results_fd),
                          .masked = sigismember(&mask, SIGTERM) == 1 &&
                                    sigismember(&mask, SIGINT) == 1 &&
                                    sigismember(&mask, SIGCHLD) == 1,
                          .pid = getpid()};
    if (context != &pool)
        _exit(90);
    sigemptyset(&mask);
    (void)signal(SIGTERM, stubborn || deaf ? SIG_IGN : SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &mask, NULL);
    if (write(results_fd, &hello, sizeof hello) != sizeof hello)
        _exit(91);
    while (busy)
        (void)pause();
    while ((n = read(jobs_fd, text, sizeof text)) > 0) {
        if (write(results_fd, text, (size_t)n) != n)
            _exit(92);
    }
    while (stubborn)
        (void)pause();
    _exit(n == 0 ? 40 + slot : 93);
}

/* --- What the tests are made of ------------------------------------------ */

static void open_pool(size_t limit)
{
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGTERM, ignore);
    int error = pool_open(&pool, limit, kept, work, &pool);
    lab_check(error == 0, "the pool is not prepared", "pool_open",
              "pool_open returned %s", lab_value(error));
}

static bool readable(void *context)
{
    struct pollfd fd = {.fd = *(int *)context, .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

/* Reads from a worker; waits until it has written, or never will. */
static ssize_t read_from(struct pool_worker *worker, void *to, size_t n)
{
    if (look_until(worker->pid, readable, &worker->results_fd) != LOOK_REACHED)
        return -1;
    return read(worker->results_fd, to, n);
}

static struct hello meet(struct pool_worker *worker)
{
    struct hello hello = {.slot = -1};
    ssize_t n = read_from(worker, &hello, sizeof hello);
    lab_check(n == sizeof hello && hello.slot == worker->slot &&
                  hello.pid == worker->pid,
              "the child does not call pool->main, or with other arguments; "
              "or pid and results_fd of struct pool_worker are not set",
              "make_worker and run_child",
              "worker %d (process %d) did not say hello: %zd bytes came, from "
              "slot %d, process %d",
              worker->slot, (int)worker->pid, n, hello.slot, (int)hello.pid);
    return hello;
}

static struct pool_worker *make_one(void)
{
    struct pool_worker *worker = NULL;
    lab_doing("making a worker", "what was made is not a worker",
              "make_worker");
    int error = pool_get(&pool, &worker);
    lab_check(error == 0, "the stub, or an error that is none", "make_worker",
              "pool_get returned %s", lab_value(error));
    lab_check(worker != NULL && worker->pid > 0,
              "the pid that fork returned is not kept", "make_worker",
              "pool_get returned 0, and no worker with a process");
    nursery_settle(&pool.nursery);
    return worker;
}

/* Makes n workers, and waits until each is at work. */
static void make(int n)
{
    open_pool(LIMIT);
    for (int i = 0; i < n; i++)
        workers[i] = make_one();
    for (int i = 0; i < n; i++)
        (void)meet(workers[i]);
}

/* What the parent does when signal_fd is readable: reaps until there is none.
 * Returns how many were reaped; *last is the last of them. */
static int reap_all(struct pool_worker **last, int *status)
{
    int n = 0;
    struct pool_worker *dead;
    int of_dead = 0;
    lab_check(lab_eventually(readable, &pool.signal_fd),
              "nobody is told of deaths", "pool_open: signal_fd",
              "a worker has died, and signal_fd is not readable");
    while (n <= LIMIT && (dead = pool_reap(&pool, &of_dead)) != NULL) {
        *last = dead;
        *status = of_dead;
        n++;
    }
    return n;
}

/* The same, where one has died. */
static struct pool_worker *reap_one(int *status)
{
    struct pool_worker *dead = NULL;
    int n = reap_all(&dead, status);
    lab_check(n == 1, "the death goes unnoticed, or counts twice", REAP,
              "a worker has died; calling pool_reap until it returned NULL "
              "gave %d",
              n);
    return dead;
}

static bool has_died(void *context)
{
    struct pool_worker *worker = context;
    return look_ended(&worker->pid);
}

static void kill_worker(struct pool_worker *worker)
{
    if (kill(worker->pid, SIGKILL) == -1 ||
        look_until(worker->pid, has_died, worker) != LOOK_REACHED)
        lab_broken("worker %d cannot be killed", worker->slot);
}

/* --- What a system call may do ------------------------------------------ */

static int interruptions;        /* of so many waits that would block */
static struct pool_worker *late; /* dies when waitpid says: nobody has */

static bool no_fork;

pid_t __real_fork(void);
pid_t __wrap_fork(void);

pid_t __wrap_fork(void)
{
    if (!no_fork)
        return __real_fork();
    errno = EAGAIN;
    return -1;
}

pid_t __real_waitpid(pid_t pid, int *status, int options);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);

pid_t __wrap_waitpid(pid_t pid, int *status, int options)
{
    if (interruptions > 0 && (options & WNOHANG) == 0) {
        interruptions--;
        errno = EINTR;
        return -1;
    }
    pid_t found = __real_waitpid(pid, status, options);
    if (found == 0 && late != NULL) {
        struct pool_worker *worker = late;
        late = NULL;
        kill_worker(worker);
    }
    return found;
}

/* --- Making -------------------------------------------------------------- */

static void a_worker_answers(void)
{
    char text[20] = "";
    make(2);
    struct pool_worker *worker = workers[1];
    lab_doing("sending bytes to worker 1, and reading its answer",
              "parent and worker have not the ends of the same pipes",
              "make_worker: which ends the child gets");
    lab_check(write(worker->jobs_fd, "ping", 4) == 4,
              "the parent has not the writing end of the jobs pipe",
              "make_worker: jobs_fd", "jobs_fd cannot be written to: %s",
              strerror(errno));
    ssize_t n = read_from(worker, text, sizeof text);
    lab_check(n == 4 && memcmp(text, "ping", 4) == 0,
              "parent and worker have not the ends of the same pipes",
              "make_worker: which ends the child gets",
              "\"ping\" was sent, and %zd bytes came back", n);
    n = read(worker->results_fd, text, sizeof text);
    lab_check(n == -1 && errno == EAGAIN,
              "the parent never waits for one child", "make_worker",
              "an empty results pipe gave %zd (%s)", n, strerror(errno));
    pool_release(&pool, worker);
    struct pool_worker *again = NULL;
    lab_check(pool_get(&pool, &again) == 0 && again == worker,
              "a worker was made though one is idle", "pool_get",
              "the worker that was released is not found again");
}

static void nobody_blocks_but_the_worker(void)
{
    open_pool(LIMIT);
    pool.capacity = 8192;
    struct pool_worker *worker = make_one();
    struct hello hello = meet(worker);
    lab_check(!blocks(worker->jobs_fd) && !blocks(worker->results_fd),
              "the parent would sleep with one child, and all others wait",
              "make_worker: set_nonblocking",
              "the parent's ends of the pipes block");
    lab_check(hello.blocks,
              "a worker is to sleep in write while its pipe is full",
              "make_worker: set_nonblocking is for the parent's ends",
              "the worker's ends of the pipes do not block");
    int capacity = fcntl(worker->results_fd, F_GETPIPE_SZ);
    lab_check(capacity == 8192,
              "bodies wait for their turn in the results pipe: it is to hold "
              "what --high-water says",
              "make_worker: set_capacity",
              "the results pipe holds %d bytes, pool->capacity is 8192",
              capacity);
}

/* The child of a fork has the parent's handlers. */
static void signals_are_blocked_at_birth(void)
{
    sigset_t before, after;
    open_pool(LIMIT);
    (void)sigprocmask(SIG_SETMASK, NULL, &before);
    struct hello hello = meet(make_one());
    (void)sigprocmask(SIG_SETMASK, NULL, &after);
    lab_check(hello.masked,
              "a signal that comes before the worker has set its own handlers "
              "runs the parent's in it",
              "fork_quietly", "in the new worker signals are not blocked");
    lab_check(sigismember(&after, SIGTERM) == 0 &&
                  sigismember(&before, SIGTERM) == 0,
              "the parent cannot be interrupted any more", "fork_quietly",
              "the parent has SIGTERM blocked after a worker was made");
}

/* --- Who holds which end ------------------------------------------------- */

/* Copies the two ends that the worker is to hold; fails when it holds none. */
static void find_own(struct pool_worker *worker, unsigned long *jobs,
                     unsigned long *results)
{
    char text[60];
    *jobs = *results = 0;
    look_target(getpid(), worker->jobs_fd, text, sizeof text);
    (void)sscanf(text, "pipe:[%lu]", jobs);
    look_target(getpid(), worker->results_fd, text, sizeof text);
    (void)sscanf(text, "pipe:[%lu]", results);
    lab_check(*jobs != 0 && *results != 0 && *jobs != *results,
              "each worker has a pipe of its own for each direction",
              "make_worker", "jobs_fd and results_fd are not two pipes");
    lab_check(look_holds(worker->pid, *jobs, false) &&
                  look_holds(worker->pid, *results, true),
              "it has closed what it needs, or got the wrong end", CHILD,
              "worker %d does not hold the reading end of its jobs pipe and "
              "the writing end of its results pipe",
              worker->slot);
}

static void the_child_closes_the_parents_ends(void)
{
    unsigned long jobs, results;
    int status = 0;
    make(1);
    lab_doing("looking at what the worker has open",
              "a child has a copy of all that its parent had open", CHILD);
    find_own(workers[0], &jobs, &results);
    lab_check(!look_holds(workers[0]->pid, jobs, true),
              "it never reads the end of that pipe: it is waiting for itself",
              CHILD,
              "the worker holds the writing end of the pipe that it reads its "
              "jobs from");
    lab_check(!look_holds(workers[0]->pid, results, false),
              "when the parent is gone its writes do not fail, but fill the "
              "pipe, and then it sleeps for ever",
              CHILD,
              "the worker holds the reading end of the pipe that it writes "
              "its results to");
    lab_doing("retiring a worker: closing its jobs pipe",
              "the worker never reads the end of its jobs pipe", CHILD);
    pool_retire(workers[0]);
    pid_t pid = workers[0]->pid;
    lab_check(look_until(pid, look_ended, &pid) == LOOK_REACHED,
              "somebody holds the writing end of its jobs pipe still", CHILD,
              "the jobs pipe is closed, and the worker does not end: %s",
              look_words(getpid()));
    struct pool_worker *dead = reap_one(&status);
    lab_check(dead == workers[0] && WIFEXITED(status) &&
                  WEXITSTATUS(status) == 40,
              "*status is what waitpid says", REAP,
              "the worker ended with status 40; pool_reap returned %s, and "
              "status 0x%x",
              dead == NULL ? "NULL" : "a worker", (unsigned)status);
}

static void no_worker_holds_a_siblings_pipe(void)
{
    unsigned long jobs[5], results[5];
    make(5);
    for (int i = 0; i < 5; i++)
        find_own(workers[i], &jobs[i], &results[i]);
    lab_doing("looking at what the workers have open",
              "a child has a copy of all that its parent had open", CHILD);
    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < 5; k++) {
            bool any =
                i != k && (look_holds(workers[i]->pid, jobs[k], true) ||
                           look_holds(workers[i]->pid, results[k], true));
            lab_check(!any,
                      "a child has a copy of all that its parent had open "
                      "when it was forked: the ends of earlier workers' pipes "
                      "as well. As long as it lives, they never end",
                      CHILD,
                      "worker %d holds a writing end of worker %d's pipes; "
                      "from slot 0 on the workers have %d, %d, %d, %d, %d "
                      "descriptors open",
                      i, k, look_descriptors(workers[0]->pid),
                      look_descriptors(workers[1]->pid),
                      look_descriptors(workers[2]->pid),
                      look_descriptors(workers[3]->pid),
                      look_descriptors(workers[4]->pid));
        }
    }
}

static void the_parent_closes_the_childs_ends(void)
{
    unsigned long jobs, results;
    char text[20];
    make(1);
    lab_doing("looking at what the parent has open",
              "after a fork both sides hold both ends", MAKE);
    find_own(workers[0], &jobs, &results);
    lab_check(!look_holds(getpid(), jobs, false),
              "a job can be sent to a worker that is dead, and nobody hears "
              "of it",
              MAKE, "the parent holds the reading end of the jobs pipe");
    lab_check(!look_holds(getpid(), results, true),
              "the results pipe of a dead worker never ends: its parent could "
              "still write",
              MAKE, "the parent holds the writing end of the results pipe");
    kill_worker(workers[0]);
    ssize_t n = read(workers[0]->results_fd, text, sizeof text);
    lab_check(n == 0, "somebody could still write", MAKE,
              "the worker is dead, and its results pipe gives %zd (%s)", n,
              n == -1 ? strerror(errno) : "");
    n = write(workers[0]->jobs_fd, "ping", 4);
    lab_check(n == -1 && errno == EPIPE, "somebody could still read", MAKE,
              "the worker is dead, and its jobs pipe took %zd bytes", n);
}

static void check_ends(const struct pool_worker *worker, const char *how)
{
    struct look_end ends[20];
    int n = look_ends(worker->pid, ends, 20);
    lab_check(n == 2, "what a worker does not need it must not hold", CHILD,
              "the worker holds %d ends of pipes, not 2%s", n, how);
}

/* What is to be inherited, and what not. */
static void the_worker_keeps_what_it_needs(void)
{
    char target[100];
    int output[2], other[2];
    if (pipe2(output, O_CLOEXEC) == -1 || pipe2(other, O_CLOEXEC) == -1 ||
        dup2(output[1], STDOUT_FILENO) == -1)
        lab_broken("pipe: %s", strerror(errno));
    for (int i = 0; i < POOL_KEPT; i++)
        kept[i] = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Far above all others, as in a program with many connections. */
    if (fcntl(other[1], F_DUPFD, 300) == -1 ||
        fcntl(other[0], F_DUPFD, 700) == -1)
        lab_broken("fcntl: %s", strerror(errno));
    make(1);
    lab_doing("looking at what the worker has open",
              "a child has a copy of all that its parent had open", CHILD);
    look_target(workers[0]->pid, STDOUT_FILENO, target, sizeof target);
    lab_check(strncmp(target, "pipe:", 5) != 0,
              "whoever reads the program's output does not see its end before "
              "the last worker is gone",
              "run_child: leave_standard_streams",
              "the worker holds the program's standard output");
    look_target(workers[0]->pid, STDERR_FILENO, target, sizeof target);
    lab_check(target[0] != '\0', "what goes wrong there cannot be told", CHILD,
              "the worker has no standard error");
    for (int i = 0; i < POOL_KEPT; i++) {
        look_target(workers[0]->pid, kept[i], target, sizeof target);
        lab_check(target[0] == '/', "pool->kept_fds are for the workers, too",
                  CHILD, "the worker has closed the descriptor kept_fds[%d]",
                  i);
    }
    check_ends(workers[0], "");
    /* As on a system where each child gets a copy of all (nursery.h). */
    pool.nursery.shares = false;
    workers[1] = make_one();
    (void)meet(workers[1]);
    check_ends(workers[1], "; its parent had some above all that it needs");
}

/* --- Deaths -------------------------------------------------------------- */

static bool has_stopped(void *context)
{
    return look_state(*(pid_t *)context) == 'T';
}

/* By Ctrl-Z, a debugger: it is not dead, though its parent gets SIGCHLD. */
static void the_stopped_are_not(struct pool_worker *worker)
{
    int status = 0;
    pid_t pid = worker->pid;
    if (kill(pid, SIGSTOP) == -1 || !lab_eventually(has_stopped, &pid))
        lab_broken("a worker cannot be stopped");
    lab_check(pool_reap(&pool, &status) == NULL && worker->pid == pid,
              "who is stopped goes on some time, and has its job still",
              "pool_reap: what waitpid is asked for",
              "a worker was stopped, not killed, and pool_reap returned it, "
              "with status 0x%x",
              (unsigned)status);
    (void)kill(pid, SIGCONT);
    lab_check(pool_reap(&pool, &status) == NULL && worker->pid == pid,
              "who goes on is not dead",
              "pool_reap: what waitpid is asked for",
              "a worker that was stopped goes on, and pool_reap returned it, "
              "with status 0x%x",
              (unsigned)status);
}

static void the_dead_are_reaped(void)
{
    int status = 0;
    make(1);
    lab_doing("reaping one worker",
              "pool_reap waits for somebody who does not die", REAP);
    lab_check(pool_reap(&pool, &status) == NULL,
              "pool_reap must not wait, and nobody is dead", REAP,
              "nobody has died, and pool_reap returned a worker");
    the_stopped_are_not(workers[0]);
    pool_release(&pool, workers[0]);
    kill_worker(workers[0]);
    struct pool_worker *dead = reap_one(&status);
    lab_check(dead == workers[0], "the death goes unnoticed", REAP,
              "a worker was killed, and pool_reap returned %s",
              dead == NULL ? "NULL" : "another one");
    lab_check(look_zombies(getpid()) == 0,
              "a child that has ended stays in the table of processes until "
              "its parent calls waitpid",
              REAP, "after pool_reap there is %d zombie",
              look_zombies(getpid()));
    lab_check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
              "*status is what waitpid says", REAP,
              "the worker was killed by signal 9, and the status is 0x%x",
              (unsigned)status);
    lab_check(dead->pid == 0 && pool.alive == 0,
              "the pool takes it for alive still", REAP,
              "after pool_reap its pid is %d, and %zu workers are alive",
              (int)dead->pid, pool.alive);
    struct pool_worker *next = NULL;
    lab_check(pool_get(&pool, &next) == 0 && next != workers[0],
              "a dead worker is in the list of the idle", REAP,
              "pool_get gives the dead worker another job");
}

/* One dies after waitpid has said that nobody has, and before pool_reap
 * returns: its signal must not be thrown away. */
static void a_death_just_then(void)
{
    struct pool_worker *dead = NULL;
    int status;
    struct pool_worker *one = make_one(), *two = make_one();
    (void)meet(one);
    (void)meet(two);
    kill_worker(one);
    late = two;
    int n = reap_all(&dead, &status);
    if (late != NULL) { /* waitpid never says so here */
        late = NULL;
        kill_worker(two);
    }
    bool told = n == 2 || lab_eventually(readable, &pool.signal_fd);
    lab_check(told,
              "the signal of a death that comes between is thrown away: the "
              "parent sleeps, and a dead worker's request stands still",
              "pool_reap: is signal_fd emptied before waitpid is called, or "
              "after",
              "a worker died when waitpid had just said that nobody has; "
              "%d were reaped, and signal_fd is not readable",
              n);
    if (n == 1)
        n += reap_all(&dead, &status);
    lab_check(n == 2 && dead == two, "a death is forgotten", REAP,
              "two workers died, and %d were reaped", n);
}

/* Signals of one kind do not queue. */
static void one_signal_many_deaths(void)
{
    make(5);
    for (int i = 0; i < 5; i++)
        kill_worker(workers[i]);
    lab_doing("reaping five workers that died before anybody looked",
              "pool_reap waits for more deaths than there are", REAP);
    struct pool_worker *last = NULL;
    int status;
    int n = reap_all(&last, &status);
    lab_check(n == 5 && look_zombies(getpid()) == 0,
              "signals of one kind do not queue: one SIGCHLD may stand for "
              "many deaths",
              REAP,
              "five workers died; calling pool_reap until it returned NULL "
              "gave %d, and %d zombies are left",
              n, look_zombies(getpid()));
    lab_check(!readable(&pool.signal_fd),
              "the parent never sleeps again: it is told of deaths for ever",
              "pool_reap: what it does with signal_fd",
              "all are reaped, and signal_fd is readable still");
    a_death_just_then();
}

static void no_descriptor_is_left(void)
{
    int status;
    make(1);
    kill_worker(workers[0]);
    lab_doing("replacing a dead worker, again and again",
              "the slot of a dead worker cannot be used again",
              "pool_vacate, make_worker");
    int before = 0;
    for (int i = 0; i < 20; i++) {
        struct pool_worker *dead = reap_one(&status);
        pool_vacate(&pool, dead);
        if (i == 0)
            before = look_descriptors(getpid());
        struct pool_worker *next = make_one();
        lab_check(next == dead && next->slot == 0,
                  "a replacement takes the slot of the dead",
                  "pool_vacate: the list of the vacant",
                  "the replacement has slot %d, not 0", next->slot);
        kill_worker(next);
    }
    pool_vacate(&pool, reap_one(&status));
    int after = look_descriptors(getpid());
    lab_check(after == before,
              "the ends of dead workers' pipes stay open, until there are no "
              "descriptors any more",
              "pool_vacate, and make_worker",
              "after 20 workers more the parent has %d descriptors open, %d "
              "more than before",
              after, after - before);
}

static void killed_at_once(void)
{
    make(2);
    pool_release(&pool, workers[0]);
    pid_t pid = workers[0]->pid;
    lab_doing("pool_kill", "it waits for a worker that it did not kill",
              "pool_kill");
    pool_kill(&pool, workers[0]);
    lab_check(look_state(pid) == 0,
              "it must be dead, and reaped, when pool_kill returns",
              "pool_kill", "after pool_kill the worker is in state %c",
              look_state(pid));
    lab_check(pool.alive == 1 && workers[0]->pid == 0,
              "the pool takes it for alive still", "pool_kill",
              "after pool_kill %zu workers are alive, and its pid is %d",
              pool.alive, (int)workers[0]->pid);
    struct pool_worker *next = NULL;
    lab_check(pool_get(&pool, &next) == 0 && next != workers[0],
              "a dead worker is in the list of the idle", "pool_kill",
              "pool_get gives the dead worker another job");
}

static void all_are_ended(void)
{
    make(3);
    lab_doing("ending workers that end when they are asked to",
              "it waits where it must not", "pool_terminate");
    pool_terminate(&pool);
    for (int i = 0; i < 3; i++) {
        pid_t pid = workers[i]->pid;
        lab_check(look_until(pid, look_ended, &pid) == LOOK_REACHED,
                  "it was neither sent SIGTERM, nor was its jobs pipe closed",
                  "pool_terminate",
                  "pool_terminate was called, and worker %d is alive: %s", i,
                  look_words(getpid()));
    }

    stubborn = true;
    workers[3] = make_one();
    workers[4] = make_one();
    (void)meet(workers[3]);
    (void)meet(workers[4]);
    pid_t last = workers[4]->pid;
    lab_doing("ending workers that ignore SIGTERM",
              "who does not end by itself must be killed", "pool_end");
    pool_terminate(&pool);
    pool_end(&pool);
    lab_check(look_state(last) == 0 && look_living(getpid()) == 0 &&
                  look_zombies(getpid()) == 0 && pool.alive == 0,
              "all must be dead, and reaped, when pool_end returns",
              "pool_end", "after pool_end: %s; %zu workers are alive",
              look_words(getpid()), pool.alive);
    pool_free(&pool);
}

static void interrupted_waits(void)
{
    static const char means[] =
        "a signal handler ran while waitpid waited: it gives -1 with EINTR, "
        "and nobody was reaped";
    make(3);
    pid_t pid = workers[0]->pid;
    lab_doing("pool_kill, while signals come", means, "pool_kill");
    interruptions = 2;
    pool_kill(&pool, workers[0]);
    interruptions = 0;
    lab_check(look_state(pid) == 0 && workers[0]->pid == 0 && pool.alive == 2,
              means, "pool_kill: what it does when waitpid gives -1",
              "waitpid was interrupted twice; after pool_kill the worker is "
              "in state %c, and %zu workers are alive",
              look_state(pid) != 0 ? look_state(pid) : '-', pool.alive);
    pid = workers[2]->pid;
    lab_doing("pool_end, while signals come", means, "pool_end");
    interruptions = 3;
    pool_end(&pool);
    interruptions = 0;
    lab_check(look_state(pid) == 0 && look_zombies(getpid()) == 0 &&
                  pool.alive == 0,
              means, "pool_end: what it does when waitpid gives -1",
              "waitpid was interrupted; after pool_end: %s; %zu workers are "
              "alive",
              look_words(getpid()), pool.alive);
}

/* Who is killed is waited for, and nobody else: the others' deaths are for
 * pool_reap. */
static void others_deaths_are_kept(void)
{
    int status = 0;
    make(3);
    kill_worker(workers[0]);
    lab_doing("killing a worker while another one is dead",
              "the wrong one was waited for", "pool_kill");
    pool_kill(&pool, workers[1]);
    struct pool_worker *dead = reap_one(&status);
    lab_check(dead == workers[0],
              "pool_kill took another worker's death for its own: the pool "
              "never hears of it",
              "pool_kill: for whom waitpid waits",
              "worker 0 died, worker 1 was killed; pool_reap returned worker "
              "%d",
              dead != NULL ? dead->slot : -1);
    lab_check(pool.alive == 1 && look_zombies(getpid()) == 0,
              "a death was counted twice, or not at all",
              "pool_kill and pool_reap: pool->alive",
              "of three workers two are dead and reaped: %zu are alive, and "
              "there are %d zombies",
              pool.alive, look_zombies(getpid()));
}

/* A program may have children from before it became this one, by exec. */
static void a_stranger_dies(void)
{
    pid_t stranger = fork();
    if (stranger == -1)
        lab_broken("fork: %s", strerror(errno));
    if (stranger == 0)
        _exit(0);
    if (look_until(stranger, look_ended, &stranger) != LOOK_REACHED)
        lab_broken("a child does not end");
}

/* One that is older than the workers, and one that is younger. */
static void a_stranger_among_the_dead(void)
{
    int status = 0;
    a_stranger_dies();
    make(2);
    a_stranger_dies();
    kill_worker(workers[1]);
    struct pool_worker *dead = reap_one(&status);
    /* Whether the stranger is reaped is nobody's concern. */
    lab_check(dead == workers[1],
              "a child that is no worker was taken for the end of the dead, "
              "or for a worker",
              "pool_reap: what it does with a pid that no slot has",
              "two strangers and worker 1 died; pool_reap returned worker %d",
              dead != NULL ? dead->slot : -1);
}

static void expect_end(struct pool_worker *worker, const char *kind,
                       const char *means)
{
    int status = 0;
    pid_t pid = worker->pid;
    lab_doing("pool_terminate", means, "pool_terminate");
    pool_terminate(&pool);
    lab_check(look_until(pid, look_ended, &pid) == LOOK_REACHED, means,
              "pool_terminate",
              "pool_terminate was called, and %s is alive: %s", kind,
              look_words(getpid()));
    struct pool_worker *dead = reap_one(&status);
    lab_check(dead == worker &&
                  !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL),
              "a worker that is asked to end may bring its work to an end; "
              "one that is killed leaves half of it behind",
              "pool_terminate: which signal it sends",
              "after pool_terminate %s has died of signal 9", kind);
    pool_vacate(&pool, dead);
}

/* In both ways, for each alone may not be heard. */
static void asked_in_both_ways(void)
{
    open_pool(LIMIT);
    deaf = true;
    struct pool_worker *worker = make_one();
    (void)meet(worker);
    expect_end(worker, "a worker that ignores SIGTERM and reads its jobs",
               "its jobs pipe is not closed, which says that no more come");
    deaf = false;
    busy = true;
    worker = make_one();
    (void)meet(worker);
    expect_end(worker, "a worker that does not look for jobs",
               "it was not sent SIGTERM");
}

/* The limit that leaves so many descriptors to be had. */
static rlim_t limit_for(int spare)
{
    int fd = 0;
    for (int found = 0;; fd++) {
        if (fcntl(fd, F_GETFD) == -1 && found++ == spare)
            return (rlim_t)fd;
    }
}

/* Four times: with no descriptor to be had, with one, two and three. */
static void run_out_of_descriptors(void)
{
    struct rlimit limit;
    struct pool_worker *worker = NULL;
    if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
        lab_broken("getrlimit: %s", strerror(errno));
    rlim_t most = limit.rlim_cur;
    for (int spare = 0; spare < 4; spare++) {
        limit.rlim_cur = limit_for(spare);
        if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
            lab_broken("setrlimit: %s", strerror(errno));
        int error = pool_get(&pool, &worker);
        lab_check(error == -EMFILE,
                  "the errno of what failed is not passed on",
                  "make_worker, where pipe2 fails",
                  "with %d descriptors to be had pool_get returned %s, not "
                  "-EMFILE",
                  spare, lab_value(error));
        nursery_settle(&pool.nursery);
    }
    limit.rlim_cur = most;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Three times. */
static void run_out_of_processes(void)
{
    struct pool_worker *worker = NULL;
    bool shares = pool.nursery.shares;
    pool.nursery.shares = false; /* then it is fork that makes a worker */
    no_fork = true;
    for (int i = 0; i < 3; i++) {
        int error = pool_get(&pool, &worker);
        lab_check(
            error == -EAGAIN, "the errno of what failed is not passed on",
            "fork_quietly, make_worker, where the fork fails",
            "fork gave -1 with EAGAIN, and pool_get %s", lab_value(error));
    }
    no_fork = false;
    pool.nursery.shares = shares;
    sigset_t blocked;
    (void)sigprocmask(SIG_BLOCK, NULL, &blocked);
    lab_check(sigismember(&blocked, SIGTERM) == 0,
              "the parent would hear no signal any more",
              "fork_quietly, where the fork fails",
              "the fork has failed, and the parent's signals stay blocked");
    nursery_settle(&pool.nursery);
}

static void a_shortage_is_undone(void)
{
    make(1);
    int before = look_descriptors(getpid());
    lab_doing("making a worker while descriptors run out",
              "an error is not looked at", "make_worker, where pipe2 fails");
    run_out_of_descriptors();
    run_out_of_processes();
    int after = look_descriptors(getpid());
    lab_check(after == before && look_living(getpid()) == 1 &&
                  look_zombies(getpid()) == 0,
              "what was made before the failure must be undone",
              "make_worker, where pipe2 or the fork fails",
              "making a worker failed 7 times, and left %d descriptors and %d "
              "children",
              after - before,
              look_living(getpid()) - 1 + look_zombies(getpid()));
    for (size_t i = 1; i < pool.used; i++)
        lab_check(pool.workers[i].pid == 0,
                  "-1 is no process: kill(-1, ...) kills all that one may",
                  "make_worker, where the fork fails",
                  "making worker %zu has failed, and its pid is %d, not 0", i,
                  (int)pool.workers[i].pid);
    (void)meet(make_one());
}

int main(void)
{
    static const struct lab_test tests[] = {
        {"a_worker_answers", a_worker_answers},
        {"nobody_blocks_but_the_worker", nobody_blocks_but_the_worker},
        {"signals_are_blocked_at_birth", signals_are_blocked_at_birth},
        {"the_child_closes_the_parents_ends",
         the_child_closes_the_parents_ends},
        {"no_worker_holds_a_siblings_pipe", no_worker_holds_a_siblings_pipe},
        {"the_parent_closes_the_childs_ends",
         the_parent_closes_the_childs_ends},
        {"the_worker_keeps_what_it_needs", the_worker_keeps_what_it_needs},
        {"the_dead_are_reaped", the_dead_are_reaped},
        {"one_signal_many_deaths", one_signal_many_deaths},
        {"no_descriptor_is_left", no_descriptor_is_left},
        {"killed_at_once", killed_at_once},
        {"all_are_ended", all_are_ended},
        {"a_shortage_is_undone", a_shortage_is_undone},
        {"interrupted_waits", interrupted_waits},
        {"others_deaths_are_kept", others_deaths_are_kept},
        {"a_stranger_among_the_dead", a_stranger_among_the_dead},
        {"asked_in_both_ways", asked_in_both_ways},
        {0}};
    return lab_main(tests);
}
