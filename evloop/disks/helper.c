/* helper: a thread for what would hold the loop up. See helper.h. */
#include "helper.h"

#include "thread.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* So many errands are told in one turn of the loop. */
#define TELL_SHARE 16

/* --- Lists -------------------------------------------------------------- */

static void append(struct errands *list, struct errand *e)
{
    e->next = NULL;
    *(list->first != NULL ? &list->last->next : &list->first) = e;
    list->last = e;
}

static struct errand *take_first(struct errands *list)
{
    struct errand *e = list->first;
    if (e != NULL)
        list->first = e->next;
    return e;
}

/* --- In the thread ------------------------------------------------------ */

/* Waits for something to do. NULL when the thread is to end. */
static struct errand *next_to_run(struct helper *h)
{
    struct errand *e = NULL;
    pthread_mutex_lock(&h->lock);
    while (h->queue.first == NULL && !h->stops)
        pthread_cond_wait(&h->changed, &h->lock);
    if (!h->stops)
        e = take_first(&h->queue);
    pthread_mutex_unlock(&h->lock);
    return e;
}

static void tell(struct helper *h, struct errand *e)
{
    uint64_t one = 1;
    pthread_mutex_lock(&h->lock);
    append(&h->run, e);
    e->is_run = true;
    pthread_cond_broadcast(&h->changed); /* for helper_wait */
    pthread_mutex_unlock(&h->lock);
    /* It fails only when the counter is full: then the loop is told anyway. */
    (void)!write(h->told, &one, sizeof one);
}

static void *run(void *arg)
{
    struct helper *h = arg;
    struct errand *e;
    while ((e = next_to_run(h)) != NULL) {
        int64_t before = trace_now(&h->lane);
        trace_about(&h->lane, e->id);
        e->run(e->arg);
        trace_within(&h->lane, h->step, before);
        tell(h, e); /* by now it may be gone */
    }
    return NULL;
}

/* --- In the loop -------------------------------------------------------- */

/* An errand that has been run. NULL: there is none. */
static struct errand *next_to_tell(struct helper *h)
{
    pthread_mutex_lock(&h->lock);
    struct errand *e = take_first(&h->run);
    pthread_mutex_unlock(&h->lock);
    return e;
}

static void on_told(evutil_socket_t fd, short what, void *arg)
{
    struct helper *h = arg;
    uint64_t count = 1;
    (void)what;
    (void)!read(fd, &count, sizeof count);
    for (int i = 0; i < TELL_SHARE; i++) {
        struct errand *e = next_to_tell(h);
        if (e == NULL)
            return;
        e->done(e->arg, true);
    }
    (void)!write(fd, &count, sizeof count); /* the rest after the others */
}

static int start_thread(struct helper *h)
{
    if (h->stops)
        return -ECANCELED;
    h->told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (h->told == -1)
        return -errno;
    event_assign(&h->event, h->base, h->told, EV_READ | EV_PERSIST, on_told,
                 h);
    int error = event_add(&h->event, NULL) == 0 ? 0 : -ENOMEM;
    if (error == 0) {
        trace_add(h->trace, &h->lane, h->name);
        error = thread_start(&h->thread, THREAD_STACK, run, h);
    }
    if (error != 0) {
        event_del(&h->event);
        (void)close(h->told);
        h->told = -1;
    }
    return error;
}

int helper_open(struct helper *h)
{
    h->told = -1;
    int error = -pthread_mutex_init(&h->lock, NULL);
    if (error != 0)
        return error;
    error = -pthread_cond_init(&h->changed, NULL);
    if (error != 0)
        (void)pthread_mutex_destroy(&h->lock);
    return error;
}

int helper_do(struct helper *h, struct errand *e)
{
    int error = h->told == -1 ? start_thread(h) : 0;
    if (error != 0)
        return error;
    e->is_run = false;
    pthread_mutex_lock(&h->lock);
    append(&h->queue, e);
    pthread_cond_signal(&h->changed);
    pthread_mutex_unlock(&h->lock);
    return 0;
}

void helper_wait(struct helper *h, struct errand *e)
{
    pthread_mutex_lock(&h->lock);
    while (!e->is_run)
        pthread_cond_wait(&h->changed, &h->lock);
    pthread_mutex_unlock(&h->lock);
}

void helper_stop(struct helper *h)
{
    struct errand *e;
    pthread_mutex_lock(&h->lock);
    h->stops = true;
    pthread_cond_signal(&h->changed);
    pthread_mutex_unlock(&h->lock);
    if (h->told == -1)
        return;
    (void)pthread_join(h->thread, NULL);
    event_del(&h->event);
    (void)close(h->told);
    h->told = -1;
    while ((e = take_first(&h->run)) != NULL)
        e->done(e->arg, true);
    while ((e = take_first(&h->queue)) != NULL)
        e->done(e->arg, false);
}

void helper_close(struct helper *h)
{
    helper_stop(h);
    (void)pthread_cond_destroy(&h->changed);
    (void)pthread_mutex_destroy(&h->lock);
}
