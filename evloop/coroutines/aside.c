/* aside: calls made in helper threads. See aside.h. */
#include "aside.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define STACK_SIZE ((size_t)256 * 1024)

/* A call that no thread has taken after so long lies behind one that waits for
 * its disk. */
#define PATIENCE_US 1000

/* On the stack of the coroutine that waits for it. */
struct call {
    void (*f)(void *arg);
    void *arg;
    bool is_taken; /* by a thread; behind the lock */
    bool is_done;  /* the loop's to set, and to look at */
    struct condition end;
    struct call *next;
};

/* --- In a thread -------------------------------------------------------- */

/* Waits for a call to make. NULL when there will be none any more. */
static struct call *take(struct aside *a)
{
    pthread_mutex_lock(&a->lock);
    a->idle++;
    while (a->first == NULL && !a->stop)
        pthread_cond_wait(&a->work, &a->lock);
    a->idle--;
    struct call *call = a->first;
    if (call != NULL) {
        a->first = call->next;
        call->is_taken = true;
    }
    pthread_mutex_unlock(&a->lock);
    return call;
}

/* From here on the call is the loop's: its coroutine may be gone the next
 * moment. Calls that the loop has not fetched yet have rung already. */
static void tell(struct aside *a, struct call *call)
{
    uint64_t one = 1;
    pthread_mutex_lock(&a->lock);
    bool rings = a->done == NULL;
    call->next = a->done;
    a->done = call;
    pthread_mutex_unlock(&a->lock);
    /* It fails only when the counter is full: then the loop is told anyway. */
    if (rings)
        (void)!write(a->told, &one, sizeof one);
}

static void *run(void *arg)
{
    struct aside *a = arg;
    struct call *call;
    while ((call = take(a)) != NULL) {
        call->f(call->arg);
        tell(a, call);
    }
    return NULL;
}

/* --- In the loop -------------------------------------------------------- */

static void on_told(evutil_socket_t fd, short what, void *arg)
{
    struct aside *a = arg;
    uint64_t count;
    (void)what;
    (void)!read(fd, &count, sizeof count);
    pthread_mutex_lock(&a->lock);
    struct call *call = a->done;
    a->done = NULL;
    pthread_mutex_unlock(&a->lock);
    while (call != NULL) {
        struct call *next = call->next;
        call->is_done = true;
        condition_wake(&call->end);
        call = next;
    }
}

int aside_open(struct aside *a, struct event_base *base)
{
    *a = (struct aside){.told = -1};
    int error = -pthread_mutex_init(&a->lock, NULL);
    if (error != 0)
        return error;
    error = -pthread_cond_init(&a->work, NULL);
    if (error != 0)
        goto no_condition;
    a->told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (a->told == -1) {
        error = -errno;
        goto no_eventfd;
    }
    (void)event_assign(&a->event, base, a->told, EV_READ | EV_PERSIST, on_told,
                       a);
    if (event_add(&a->event, NULL) == 0)
        return 0;

    error = -ENOMEM;
    (void)close(a->told);
    a->told = -1;
no_eventfd:
    (void)pthread_cond_destroy(&a->work);
no_condition:
    (void)pthread_mutex_destroy(&a->lock);
    return error;
}

void aside_close(struct aside *a)
{
    pthread_mutex_lock(&a->lock);
    a->stop = true;
    pthread_cond_broadcast(&a->work);
    pthread_mutex_unlock(&a->lock);
    while (a->count > 0)
        (void)pthread_join(a->threads[--a->count], NULL);
    (void)event_del(&a->event);
    (void)close(a->told);
    (void)pthread_cond_destroy(&a->work);
    (void)pthread_mutex_destroy(&a->lock);
}

/* With all signals blocked: they are the main thread's. 0 or a negative
 * errno. */
static int make_thread(struct aside *a)
{
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    int error = -pthread_attr_init(&attributes);
    if (error != 0)
        return error;
    (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    error = -pthread_create(&a->threads[a->count], &attributes, run, a);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    if (error == 0)
        a->count++;
    return error;
}

/* Puts the call into the queue, at its end. A thread that is at work, or was
 * woken for another call, comes to it next: to wake one more for each call
 * would cost more than most calls (tests/bench/MEASURED.md). */
static void put(struct aside *a, struct call *call)
{
    pthread_mutex_lock(&a->lock);
    if (a->first == NULL && a->idle == a->count)
        pthread_cond_signal(&a->work);
    *(a->first != NULL ? &a->last->next : &a->first) = call;
    a->last = call;
    pthread_mutex_unlock(&a->lock);
}

/* The call has waited for long: unless it was taken by now, one more thread is
 * to work. False: there is no use in asking again. */
static bool hurry(struct aside *a, const struct call *call)
{
    pthread_mutex_lock(&a->lock);
    bool waits = !call->is_taken;
    bool found = a->idle > 0;
    if (waits && found)
        pthread_cond_signal(&a->work);
    pthread_mutex_unlock(&a->lock);
    if (waits && !found)
        found = a->count < ASIDE_THREADS && make_thread(a) == 0;
    return waits && found;
}

void await_call(struct aside *a, void (*f)(void *arg), void *arg)
{
    struct call call = {.f = f, .arg = arg};
    bool hurries = true;
    if (a->count == 0 && make_thread(a) != 0) {
        f(arg);
        return;
    }
    put(a, &call);
    coroutine_shield();
    while (!call.is_done) {
        int64_t until =
            hurries ? coroutine_now() + PATIENCE_US : COROUTINE_NEVER;
        if (await_condition(&call.end, until) != 0 && !call.is_done)
            hurries = hurry(a, &call);
    }
    coroutine_unshield();
}
