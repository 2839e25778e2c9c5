/* thread: a helper thread. See thread.h. */
#include "thread.h"

#include <signal.h>

int thread_start(pthread_t *thread, size_t stack, void *(*f)(void *arg),
                 void *arg)
{
    pthread_attr_t attributes;
    pthread_t detached;
    sigset_t all;
    sigset_t before;
    int error = -pthread_attr_init(&attributes);
    if (error != 0)
        return error;
    if (stack != 0)
        (void)pthread_attr_setstacksize(&attributes, stack);
    if (thread == NULL)
        (void)pthread_attr_setdetachstate(&attributes,
                                          PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* it inherits them */
    error = -pthread_create(thread != NULL ? thread : &detached, &attributes,
                            f, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return error;
}
