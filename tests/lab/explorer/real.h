/*
 * real: the functions that the explorer stands for.
 *
 * The linker's --wrap gives each two names (the list is in `wraps`): what
 * calls pthread_mutex_lock gets __wrap_pthread_mutex_lock, and the library's
 * own is __real_pthread_mutex_lock. Outside of a run, each of ours hands on to
 * the real one.
 */
#ifndef EXPLORE_REAL_H
#define EXPLORE_REAL_H

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stddef.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define EX_WRAPPED(type, name, arguments)                                     \
    type __real_##name arguments;                                             \
    type __wrap_##name arguments

/* heap.c */
EX_WRAPPED(void *, malloc, (size_t size));
EX_WRAPPED(void *, calloc, (size_t count, size_t size));
EX_WRAPPED(void *, realloc, (void *block, size_t size));
EX_WRAPPED(void *, reallocarray, (void *block, size_t count, size_t size));
EX_WRAPPED(void *, aligned_alloc, (size_t alignment, size_t size));
EX_WRAPPED(int, posix_memalign, (void **block, size_t alignment, size_t size));
EX_WRAPPED(void, free, (void *block));
EX_WRAPPED(char *, strdup, (const char *text));
EX_WRAPPED(char *, strndup, (const char *text, size_t most));

/* access.c */
EX_WRAPPED(void *, memcpy, (void *to, const void *from, size_t size));
EX_WRAPPED(void *, memmove, (void *to, const void *from, size_t size));
EX_WRAPPED(void *, memset, (void *to, int byte, size_t size));

/* mutex.c, trylock.c */
EX_WRAPPED(int, pthread_mutex_init,
           (pthread_mutex_t *, const pthread_mutexattr_t *));
EX_WRAPPED(int, pthread_mutex_destroy, (pthread_mutex_t *));
EX_WRAPPED(int, pthread_mutex_lock, (pthread_mutex_t *));
EX_WRAPPED(int, pthread_mutex_unlock, (pthread_mutex_t *));
EX_WRAPPED(int, pthread_mutex_trylock, (pthread_mutex_t *));
EX_WRAPPED(int, pthread_mutex_timedlock,
           (pthread_mutex_t *, const struct timespec *));
EX_WRAPPED(int, pthread_mutex_clocklock,
           (pthread_mutex_t *, clockid_t, const struct timespec *));

/* condition.c */
EX_WRAPPED(int, pthread_cond_init,
           (pthread_cond_t *, const pthread_condattr_t *));
EX_WRAPPED(int, pthread_cond_destroy, (pthread_cond_t *));
EX_WRAPPED(int, pthread_cond_wait, (pthread_cond_t *, pthread_mutex_t *));
EX_WRAPPED(int, pthread_cond_timedwait,
           (pthread_cond_t *, pthread_mutex_t *, const struct timespec *));
EX_WRAPPED(int, pthread_cond_clockwait,
           (pthread_cond_t *, pthread_mutex_t *, clockid_t,
            const struct timespec *));
EX_WRAPPED(int, pthread_cond_signal, (pthread_cond_t *));
EX_WRAPPED(int, pthread_cond_broadcast, (pthread_cond_t *));

/* threads.c */
EX_WRAPPED(int, pthread_create,
           (pthread_t *, const pthread_attr_t *, void *(*)(void *), void *));
EX_WRAPPED(int, pthread_join, (pthread_t, void **));
EX_WRAPPED(int, pthread_detach, (pthread_t));
EX_WRAPPED(pthread_t, pthread_self, (void));
EX_WRAPPED(void, pthread_exit, (void *)) __attribute__((noreturn));
EX_WRAPPED(int, pthread_setname_np, (pthread_t, const char *));
EX_WRAPPED(int, pthread_once, (pthread_once_t *, void (*)(void)));

/* specific.c */
EX_WRAPPED(int, pthread_key_create, (pthread_key_t *, void (*)(void *)));
EX_WRAPPED(int, pthread_key_delete, (pthread_key_t));
EX_WRAPPED(void *, pthread_getspecific, (pthread_key_t));
EX_WRAPPED(int, pthread_setspecific, (pthread_key_t, const void *));

/* semaphore.c */
EX_WRAPPED(int, sem_init, (sem_t *, int, unsigned));
EX_WRAPPED(int, sem_destroy, (sem_t *));
EX_WRAPPED(int, sem_wait, (sem_t *));
EX_WRAPPED(int, sem_trywait, (sem_t *));
EX_WRAPPED(int, sem_timedwait, (sem_t *, const struct timespec *));
EX_WRAPPED(int, sem_clockwait, (sem_t *, clockid_t, const struct timespec *));
EX_WRAPPED(int, sem_post, (sem_t *));
EX_WRAPPED(int, sem_getvalue, (sem_t *, int *));

/* barrier.c */
EX_WRAPPED(int, pthread_barrier_init,
           (pthread_barrier_t *, const pthread_barrierattr_t *, unsigned));
EX_WRAPPED(int, pthread_barrier_destroy, (pthread_barrier_t *));
EX_WRAPPED(int, pthread_barrier_wait, (pthread_barrier_t *));

/* rwlock.c */
EX_WRAPPED(int, pthread_rwlock_init,
           (pthread_rwlock_t *, const pthread_rwlockattr_t *));
EX_WRAPPED(int, pthread_rwlock_destroy, (pthread_rwlock_t *));
EX_WRAPPED(int, pthread_rwlock_rdlock, (pthread_rwlock_t *));
EX_WRAPPED(int, pthread_rwlock_wrlock, (pthread_rwlock_t *));
EX_WRAPPED(int, pthread_rwlock_tryrdlock, (pthread_rwlock_t *));
EX_WRAPPED(int, pthread_rwlock_trywrlock, (pthread_rwlock_t *));
EX_WRAPPED(int, pthread_rwlock_unlock, (pthread_rwlock_t *));

/* clocks.c */
EX_WRAPPED(int, sched_yield, (void));
EX_WRAPPED(int, usleep, (useconds_t));
EX_WRAPPED(unsigned, sleep, (unsigned));
EX_WRAPPED(int, nanosleep, (const struct timespec *, struct timespec *));
EX_WRAPPED(int, clock_nanosleep,
           (clockid_t, int, const struct timespec *, struct timespec *));
EX_WRAPPED(int, clock_gettime, (clockid_t, struct timespec *));
EX_WRAPPED(time_t, time, (time_t *));
EX_WRAPPED(int, gettimeofday, (struct timeval *, void *));

/* process.c */
EX_WRAPPED(void, exit, (int)) __attribute__((noreturn));
EX_WRAPPED(void, _exit, (int)) __attribute__((noreturn));
EX_WRAPPED(void, _Exit, (int)) __attribute__((noreturn));
EX_WRAPPED(void, quick_exit, (int)) __attribute__((noreturn));
EX_WRAPPED(void, abort, (void)) __attribute__((noreturn));
EX_WRAPPED(void, __assert_fail,
           (const char *, const char *, unsigned, const char *))
__attribute__((noreturn));
EX_WRAPPED(pid_t, fork, (void));
EX_WRAPPED(int, pthread_cancel, (pthread_t));
EX_WRAPPED(int, pthread_kill, (pthread_t, int));
EX_WRAPPED(int, thrd_create, (thrd_t *, thrd_start_t, void *));
EX_WRAPPED(int, mtx_init, (mtx_t *, int));
EX_WRAPPED(int, mtx_lock, (mtx_t *));
EX_WRAPPED(int, cnd_init, (cnd_t *));
EX_WRAPPED(int, cnd_wait, (cnd_t *, mtx_t *));
EX_WRAPPED(int, tss_create, (tss_t *, tss_dtor_t));
EX_WRAPPED(long, syscall, (long, ...));

#endif
