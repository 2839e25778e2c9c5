/* process: ways to end a process, which end a run as failed; and calls that
 * cannot be explored. */
#include "real.h"
#include "trace.h"

#include <linux/futex.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <threads.h>

#define ENDS(call)                                                            \
    void __wrap_##call(int status)                                            \
    {                                                                         \
        if (ex_current == NULL)                                               \
            __real_##call(status);                                            \
        ex_fail(EXPLORE_EXIT, EX_PLACE, "%s calls " #call "(%d)",             \
                ex_current->name, status);                                    \
    }

ENDS(exit)
ENDS(_exit)
ENDS(_Exit)
ENDS(quick_exit)

void __wrap_abort(void)
{
    if (ex_current == NULL)
        __real_abort();
    ex_fail(EXPLORE_CRASH, EX_PLACE, "%s calls abort", ex_current->name);
}

void __wrap___assert_fail(const char *text, const char *file, unsigned line,
                          const char *function)
{
    if (ex_current == NULL)
        __real___assert_fail(text, file, line, function);
    ex_fail(EXPLORE_CHECK, EX_PLACE, "assert(%s) does not hold", text);
}

pid_t __wrap_fork(void)
{
    if (ex_current == NULL)
        return __real_fork();
    ex_fail(EXPLORE_UNSUPPORTED, EX_PLACE, "fork cannot be explored");
}

int __wrap_pthread_cancel(pthread_t thread)
{
    if (ex_current == NULL)
        return __real_pthread_cancel(thread);
    ex_fail(EXPLORE_UNSUPPORTED, EX_PLACE,
            "pthread_cancel cannot be explored");
}

int __wrap_pthread_kill(pthread_t thread, int signal)
{
    if (ex_current == NULL)
        return __real_pthread_kill(thread, signal);
    ex_fail(EXPLORE_UNSUPPORTED, EX_PLACE, "pthread_kill cannot be explored");
}

/* Threads of C11 are pthreads under other names, and could be explored in the
 * same way; a program needs one kind only. */
#define REFUSED(type, call, declared, handed_on)                              \
    type __wrap_##call declared                                               \
    {                                                                         \
        if (ex_current == NULL)                                               \
            return __real_##call handed_on;                                   \
        ex_fail(EXPLORE_UNSUPPORTED, EX_PLACE,                                \
                #call ", of C11's <threads.h>, cannot be explored: please "   \
                      "take the functions of <pthread.h>");                   \
    }

REFUSED(int, thrd_create,
        (thrd_t * thread, thrd_start_t start, void *argument),
        (thread, start, argument))
REFUSED(int, mtx_init, (mtx_t * mutex, int type), (mutex, type))
REFUSED(int, mtx_lock, (mtx_t * mutex), (mutex))
REFUSED(int, cnd_init, (cnd_t * condition), (condition))
REFUSED(int, cnd_wait, (cnd_t * condition, mtx_t *mutex), (condition, mutex))
REFUSED(int, tss_create, (tss_t * key, tss_dtor_t destroy), (key, destroy))

/* With a futex threads wait for each other in the kernel, unseen. */
long __wrap_syscall(long number, ...)
{
    long values[6];
    va_list arguments;
    va_start(arguments, number);
    for (int i = 0; i < 6; i++)
        values[i] = va_arg(arguments, long);
    va_end(arguments);
    if (ex_current != NULL && number == SYS_futex)
        ex_fail(EXPLORE_UNSUPPORTED, EX_PLACE,
                "a futex cannot be explored: please wait with the functions "
                "of <pthread.h> or <semaphore.h>");
    return __real_syscall(number, values[0], values[1], values[2], values[3],
                          values[4], values[5]);
}
