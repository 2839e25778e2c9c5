/* barrier: pthread_barrier_*. */
#include "objects.h"
#include "race.h"
#include "real.h"
#include "trace.h"

#include <errno.h>

int __wrap_pthread_barrier_init(pthread_barrier_t *barrier,
                                const pthread_barrierattr_t *attributes,
                                unsigned count)
{
    if (ex_current == NULL)
        return __real_pthread_barrier_init(barrier, attributes, count);
    if (count == 0)
        return EINVAL;
    ex_object_init(barrier, EX_BARRIER, EX_PLACE)->limit = count;
    return 0;
}

int __wrap_pthread_barrier_destroy(pthread_barrier_t *barrier)
{
    if (ex_current == NULL)
        return __real_pthread_barrier_destroy(barrier);
    (void)ex_object_destroy(barrier, EX_BARRIER, sizeof *barrier, EX_PLACE);
    return 0;
}

/* The last one to arrive lets all go on. What each did before, all know
 * after; so each tells the barrier as it comes, and learns as it leaves. */
int __wrap_pthread_barrier_wait(pthread_barrier_t *barrier)
{
    if (ex_current == NULL)
        return __real_pthread_barrier_wait(barrier);
    struct ex_object *object =
        ex_object_use(barrier, EX_BARRIER, sizeof *barrier, EX_PLACE);
    ex_point_simple(EX_GO, object, "arrive", EX_PLACE);
    ex_race_release(object->clock);
    object->count++;
    ex_trace(ex_current, EX_PLACE, "arrive %s: %u of %u", object->name,
             object->count, object->limit);
    if (object->count < object->limit) {
        ex_point_simple(EX_ARRIVED, object, "barrier", EX_PLACE);
        ex_race_acquire(object->clock);
        return 0;
    }
    object->count = 0;
    ex_race_acquire(object->clock);
    for (int i = 0; i < ex_thread_count(); i++) {
        struct ex_thread *thread = ex_thread(i);
        if (thread->life == EX_ALIVE && thread->next.op == EX_ARRIVED &&
            thread->next.object == object) {
            thread->next.op = EX_GO;
            thread->shown = false;
        }
    }
    return PTHREAD_BARRIER_SERIAL_THREAD;
}
