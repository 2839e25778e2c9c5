/*
 * locks: writes down who holds a lock and who waits, for the timeline of the
 * condition. Preloaded into fetch-threads:
 *
 *     LOCKS_FILE=FILE LD_PRELOAD=./locks.so fetch-threads ...
 *
 * A line for each call, with times in nanoseconds of the monotonic clock:
 *
 *     lock THREAD MUTEX 0 ASKED GOT
 *     unlock THREAD MUTEX 0 TIME 0
 *     wait THREAD MUTEX CONDITION BEGAN ENDED
 *     signal THREAD 0 CONDITION TIME 0     (broadcast as well)
 *
 * Each line is one write to a file opened for appending.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int (*real_lock)(pthread_mutex_t *);
static int (*real_unlock)(pthread_mutex_t *);
static int (*real_wait)(pthread_cond_t *, pthread_mutex_t *);
static int (*real_signal)(pthread_cond_t *);
static int (*real_broadcast)(pthread_cond_t *);
static int fd = -1;

static void find(const char *name, void *function)
{
    /* C has no cast from an object's address to a function's. */
    *(void **)function = dlsym(RTLD_NEXT, name);
    if (*(void **)function == NULL)
        _exit(3);
}

__attribute__((constructor)) static void begin(void)
{
    const char *file = getenv("LOCKS_FILE");
    find("pthread_mutex_lock", &real_lock);
    find("pthread_mutex_unlock", &real_unlock);
    find("pthread_cond_wait", &real_wait);
    find("pthread_cond_signal", &real_signal);
    find("pthread_cond_broadcast", &real_broadcast);
    if (file != NULL)
        fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
}

static int64_t now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static void tell(const char *what, const void *mutex, const void *condition,
                 int64_t from, int64_t to)
{
    char line[160];
    int n = snprintf(
        line, sizeof line,
        "%s %d %" PRIxPTR " %" PRIxPTR " %" PRId64 " %" PRId64 "\n", what,
        (int)gettid(), (uintptr_t)mutex, (uintptr_t)condition, from, to);
    if (fd != -1 && write(fd, line, (size_t)n) == -1)
        fd = -1; /* what is missing will be noticed */
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    int64_t asked = now();
    int error = real_lock(mutex);
    tell("lock", mutex, NULL, asked, now());
    return error;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    /* Told before: after it, another may have the lock. */
    tell("unlock", mutex, NULL, now(), 0);
    return real_unlock(mutex);
}

int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    int64_t began = now();
    int error = real_wait(condition, mutex);
    tell("wait", mutex, condition, began, now());
    return error;
}

int pthread_cond_signal(pthread_cond_t *condition)
{
    tell("signal", NULL, condition, now(), 0);
    return real_signal(condition);
}

int pthread_cond_broadcast(pthread_cond_t *condition)
{
    tell("signal", NULL, condition, now(), 0);
    return real_broadcast(condition);
}
