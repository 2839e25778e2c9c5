/* recorded-threads: threads/minimal.c, which writes down what each thread is
 * in. See recorder.h. */
#include "recorder.h"

#include "minimal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

static _Thread_local int number = -1;

UNSEEN static int my_number(void)
{
    static atomic_int next;
    if (number == -1)
        number = atomic_fetch_add(&next, 1);
    return number;
}

/* Calls that sleep: told of like functions. */
#define TOLD(type, call)                                                      \
    {                                                                         \
        recorder_say(my_number(), "+ %s -1\n", __func__ + 5);                 \
        type result = call;                                                   \
        recorder_say(my_number(), "- %s\n", __func__ + 5);                    \
        return result;                                                        \
    }

UNSEEN static ssize_t told_recv(int fd, void *to, size_t size, int flags)
    TOLD(ssize_t, recv(fd, to, size, flags))

        UNSEEN static int told_pthread_cond_wait(pthread_cond_t *condition,
                                                 pthread_mutex_t *mutex)
            TOLD(int, pthread_cond_wait(condition, mutex))

                UNSEEN
    static int told_pthread_join(pthread_t thread, void **value)
        TOLD(int, pthread_join(thread, value))

            UNSEEN static int told_minimal_connect(struct exchange *x,
                                                   const struct minimal *m)
                TOLD(int, minimal_connect(x, m))

#define recv              told_recv
#define pthread_cond_wait told_pthread_cond_wait
#define pthread_join      told_pthread_join
#define minimal_connect   told_minimal_connect
#include "../../threads/minimal.c"

                    static const
    struct recorder_name names[] = {{(void *)main, "main"},
                                    {(void *)work, "work"},
                                    {(void *)step_take, "step_take"},
                                    {(void *)step_receive, "step_receive"},
                                    {(void *)step_deliver, "step_deliver"},
                                    {(void *)step_finish, "step_finish"},
                                    {NULL, NULL}};

UNSEEN void __cyg_profile_func_enter(void *function, void *caller)
{
    const char *name = recorder_find(names, function);
    (void)caller;
    if (name != NULL)
        recorder_say(my_number(), "+ %s -1\n", name);
}

UNSEEN void __cyg_profile_func_exit(void *function, void *caller)
{
    const char *name = recorder_find(names, function);
    (void)caller;
    if (name != NULL)
        recorder_say(my_number(), "- %s\n", name);
}
