/*
 * condition: pthread_cond_*.
 *
 * A wait is two points: going to wait, which gives the mutex back in the same
 * step, and coming back, which needs the mutex. Between the two the thread is
 * EX_WAITING, until a signal, its time-out or nothing at all wakes it. Which
 * waiter gets a signal is a choice: the standard does not say.
 */
#include "clocks.h"
#include "mutex.h"
#include "race.h"
#include "real.h"

#include <errno.h>

static struct ex_object *use(pthread_cond_t *condition, const void *place)
{
    return ex_object_use(condition, EX_CONDITION, sizeof *condition, place);
}

int __wrap_pthread_cond_init(pthread_cond_t *condition,
                             const pthread_condattr_t *attributes)
{
    clockid_t clock = CLOCK_REALTIME;
    if (ex_current == NULL)
        return __real_pthread_cond_init(condition, attributes);
    if (attributes != NULL)
        (void)pthread_condattr_getclock(attributes, &clock);
    ex_object_init(condition, EX_CONDITION, EX_PLACE)->time = clock;
    return 0;
}

int __wrap_pthread_cond_destroy(pthread_cond_t *condition)
{
    if (ex_current == NULL)
        return __real_pthread_cond_destroy(condition);
    (void)ex_object_destroy(condition, EX_CONDITION, sizeof *condition,
                            EX_PLACE);
    return 0;
}

static int wait_until(struct ex_object *condition, struct ex_object *mutex,
                      int64_t deadline, const void *place)
{
    struct ex_next next = {.op = EX_GO,
                           .object = condition,
                           .deadline = EX_NEVER,
                           .verb = "wait",
                           .place = place};
    ex_mutex_must_own(mutex, "waits with", place);
    ex_point(&next);
    unsigned count = mutex->count;
    ex_mutex_give(mutex);
    ex_current->shown = true;
    ex_trace(ex_current, place, "wait %s, releases %s", condition->name,
             mutex->name);
    next.op = EX_WAITING;
    next.mutex = mutex;
    next.deadline = deadline;
    ex_point(&next);
    ex_mutex_take(mutex);
    mutex->count = count;
    ex_trace(ex_current, place, "is back, locks %s", mutex->name);
    return ex_current->next.timed_out ? ETIMEDOUT : 0;
}

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    if (ex_current == NULL)
        return __real_pthread_cond_wait(condition, mutex);
    return wait_until(use(condition, EX_PLACE), ex_mutex_use(mutex, EX_PLACE),
                      EX_NEVER, EX_PLACE);
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *condition,
                                  pthread_mutex_t *mutex,
                                  const struct timespec *until)
{
    if (ex_current == NULL)
        return __real_pthread_cond_timedwait(condition, mutex, until);
    struct ex_object *object = use(condition, EX_PLACE);
    if (!ex_clock_valid(until))
        return EINVAL;
    return wait_until(object, ex_mutex_use(mutex, EX_PLACE),
                      ex_clock_deadline(object->time, until), EX_PLACE);
}

int __wrap_pthread_cond_clockwait(pthread_cond_t *condition,
                                  pthread_mutex_t *mutex, clockid_t clock,
                                  const struct timespec *until)
{
    if (ex_current == NULL)
        return __real_pthread_cond_clockwait(condition, mutex, clock, until);
    if (!ex_clock_valid(until))
        return EINVAL;
    return wait_until(use(condition, EX_PLACE), ex_mutex_use(mutex, EX_PLACE),
                      ex_clock_deadline(clock, until), EX_PLACE);
}

static void wake(struct ex_thread *thread)
{
    thread->next.op = EX_RELOCK;
    thread->shown = false;
}

/* Not on the stack, where what it leaves would make states differ. */
static EX_OWN struct ex_option waiters[EX_THREADS] = {{0}};

/* Who waits, as options to choose from. */
static int find_waiters(const struct ex_object *condition)
{
    int count = 0;
    for (int i = 0; i < ex_thread_count(); i++) {
        const struct ex_thread *thread = ex_thread(i);
        if (thread->life == EX_ALIVE && thread->next.op == EX_WAITING &&
            thread->next.object == condition)
            waiters[count++] =
                (struct ex_option){.choice = EX_VALUE, .number = (uint16_t)i};
    }
    return count;
}

int __wrap_pthread_cond_signal(pthread_cond_t *condition)
{
    int chosen = 0;
    if (ex_current == NULL)
        return __real_pthread_cond_signal(condition);
    struct ex_object *object = use(condition, EX_PLACE);
    ex_point_simple(EX_GO, object, "signal", EX_PLACE);
    int count = find_waiters(object);
    if (count == 0) {
        ex_trace(ex_current, EX_PLACE, "signal %s: nobody", object->name);
        return 0;
    }
    if (count > 1)
        chosen = ex_choose(waiters, count);
    struct ex_thread *thread = ex_thread(waiters[chosen].number);
    wake(thread);
    ex_trace(ex_current, EX_PLACE, "signal %s: to %s", object->name,
             thread->name);
    return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *condition)
{
    if (ex_current == NULL)
        return __real_pthread_cond_broadcast(condition);
    struct ex_object *object = use(condition, EX_PLACE);
    ex_point_simple(EX_GO, object, "broadcast", EX_PLACE);
    int count = find_waiters(object);
    for (int i = 0; i < count; i++)
        wake(ex_thread(waiters[i].number));
    ex_trace(ex_current, EX_PLACE, "broadcast %s: to %d", object->name, count);
    return 0;
}
