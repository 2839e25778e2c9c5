/* process: ways to end a process, which end a run as failed; and calls that
 * cannot be explored. */
#include "real.h"
#include "trace.h"

#include <stdio.h>

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
