/* switch: the price of waiting. See switch.h. */
#include "switch.h"

#include "context.h"
#include "coroutine.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_MOST 1000

/* --- Threads ------------------------------------------------------------ */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t passed = PTHREAD_COND_INITIALIZER;
static long turns; /* behind `lock` */
static long turns_wanted;

/* Takes every second turn. */
static void *take_turns(void *second)
{
    pthread_mutex_lock(&lock);
    while (turns < turns_wanted) {
        if (turns % 2 == (second != NULL)) {
            turns++;
            pthread_cond_signal(&passed);
        } else {
            pthread_cond_wait(&passed, &lock);
        }
    }
    pthread_cond_signal(&passed);
    pthread_mutex_unlock(&lock);
    return NULL;
}

static int by_threads(long n)
{
    pthread_t other;
    turns = 0;
    turns_wanted = n;
    int error = -pthread_create(&other, NULL, take_turns, &turns);
    if (error != 0)
        return error;
    (void)take_turns(NULL);
    return -pthread_join(other, NULL);
}

/* --- Processes ---------------------------------------------------------- */

static void answer_bytes(int in, int out)
{
    char byte;
    while (read(in, &byte, 1) == 1 && write(out, &byte, 1) == 1)
        ;
    _exit(0);
}

static int by_processes(long n)
{
    int there[2];
    int back[2];
    char byte = 0;
    int error = 0;
    if (pipe(there) == -1)
        return -errno;
    if (pipe(back) == -1) {
        error = -errno;
        (void)close(there[0]);
        (void)close(there[1]);
        return error;
    }
    pid_t child = fork();
    if (child == 0) {
        (void)close(there[1]);
        (void)close(back[0]);
        answer_bytes(there[0], back[1]);
    }
    (void)close(there[0]);
    (void)close(back[1]);
    if (child == -1)
        error = -EAGAIN;
    for (long i = 0; i < n / 2 && error == 0; i++) {
        if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
            error = -EPIPE;
    }
    (void)close(there[1]);
    (void)close(back[0]);
    if (child != -1)
        (void)waitpid(child, NULL, 0);
    return error;
}

/* --- The loop ----------------------------------------------------------- */

/* Two events that make each other active. */
struct ring {
    struct event events[2];
    long left;
};

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct ring *ring = arg;
    (void)fd;
    (void)what;
    if (--ring->left > 0)
        event_active(&ring->events[ring->left % 2], EV_TIMEOUT, 1);
}

static int by_callbacks(long n)
{
    struct ring ring = {.left = n};
    struct event_base *base = event_base_new();
    if (base == NULL)
        return -ENOMEM;
    for (int i = 0; i < 2; i++)
        (void)event_assign(&ring.events[i], base, -1, 0, on_turn, &ring);
    event_active(&ring.events[n % 2], EV_TIMEOUT, 1);
    int error = event_base_dispatch(base) == -1 ? -EIO : 0;
    event_base_free(base);
    return error;
}

/* --- Coroutines --------------------------------------------------------- */

static struct context here;
static struct context there;

static void switch_back(void *unused)
{
    (void)unused;
    for (;;)
        context_switch(&there, &here, false);
}

static int by_switches(long n)
{
    int error = context_open(&there, COROUTINE_STACK);
    if (error != 0)
        return error;
    context_here(&here);
    context_begin(&there, switch_back, NULL);
    for (long i = 0; i < n / 2; i++)
        context_switch(&here, &there, false);
    context_close(&there);
    return 0;
}

/* As with threads: by a condition, and the loop in between. */
static struct condition turn_passed;

static int take_turns_too(void *second)
{
    while (turns < turns_wanted) {
        if (turns % 2 == (second != NULL)) {
            turns++;
            condition_wake(&turn_passed);
        } else if (await_condition(&turn_passed, COROUTINE_NEVER) != 0) {
            break;
        }
    }
    condition_wake(&turn_passed);
    return 0;
}

static int take_both_turns(void *arg)
{
    int result;
    struct coroutine *other = coroutine_start(take_turns_too, arg);
    if (other == NULL)
        return -ENOMEM;
    (void)take_turns_too(NULL);
    return await_end(other, COROUTINE_NEVER, &result);
}

static int by_conditions(long n)
{
    struct coroutines *coroutines = NULL;
    struct event_base *base = event_base_new();
    if (base == NULL)
        return -ENOMEM;
    turns = 0;
    turns_wanted = n;
    int error = coroutines_open(&coroutines, base);
    if (error == 0)
        error = coroutines_run(coroutines, take_both_turns, &turns);
    coroutines_close(coroutines);
    event_base_free(base);
    return error;
}

/* --- The table ---------------------------------------------------------- */

/* So often that what begins and ends it, a fork above all, hardly counts. */
static const struct {
    const char *name;
    int (*run)(long n); /* hands over so many times */
    long n;
} ways[] = {
    {"threads: a condition", by_threads, 4000},
    {"processes: a byte in a pipe", by_processes, 4000},
    {"loop: a callback", by_callbacks, 50000},
    {"coroutines: a switch", by_switches, 100000},
    {"coroutines: a condition", by_conditions, 2000},
};

#define WAYS (sizeof ways / sizeof *ways)

static int by_value(const void *a, const void *b)
{
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

/* Nanoseconds of a processor that this process and those it has awaited have
 * had. On one processor there is nothing to wait for but each other, so on a
 * quiet machine this is the time; on a busy one it leaves the others out. */
static double spent(void)
{
    struct timespec own = {0};
    struct rusage children = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
    (void)getrusage(RUSAGE_CHILDREN, &children);
    const struct timeval *user = &children.ru_utime;
    const struct timeval *system = &children.ru_stime;
    return 1e9 * (double)(own.tv_sec + user->tv_sec + system->tv_sec) +
           (double)own.tv_nsec +
           1e3 * (double)(user->tv_usec + system->tv_usec);
}

static int measure(size_t way, double *ns)
{
    double before = spent();
    int error = ways[way].run(ways[way].n);
    *ns = (spent() - before) / (double)ways[way].n;
    return error;
}

/* Else it would be measured what it takes to wake another processor. */
static void stay_on_one_processor(void)
{
    cpu_set_t one;
    int cpu = sched_getcpu();
    CPU_ZERO(&one);
    CPU_SET((size_t)(cpu >= 0 ? cpu : 0), &one);
    (void)sched_setaffinity(0, sizeof one, &one);
}

int switch_run(FILE *out, unsigned rounds)
{
    static double ns[WAYS][ROUNDS_MOST];
    int error = 0;
    if (rounds > ROUNDS_MOST)
        rounds = ROUNDS_MOST;
    stay_on_one_processor();
    for (unsigned r = 0; r < rounds && error == 0; r++) {
        for (size_t i = 0; i < WAYS && error == 0; i++)
            error = measure(i, &ns[i][r]);
    }
    if (error != 0)
        return error;
    fprintf(out, "  %-28s %12s %10s %10s\n", "one hand-over", "ns, median",
            "least", "most");
    for (size_t i = 0; i < WAYS; i++) {
        qsort(ns[i], rounds, sizeof ns[i][0], by_value);
        fprintf(out, "  %-28s %12.1f %10.1f %10.1f\n", ways[i].name,
                ns[i][rounds / 2], ns[i][0], ns[i][rounds - 1]);
    }
    return fflush(out) == 0 ? 0 : -errno;
}
