/* semaphore: sem_*, unnamed ones. */
#include "clocks.h"
#include "objects.h"
#include "race.h"
#include "real.h"
#include "trace.h"

#include <errno.h>

static struct ex_object *use(sem_t *semaphore, const void *place)
{
    return ex_object_use(semaphore, EX_SEMAPHORE, sizeof *semaphore, place);
}

int __wrap_sem_init(sem_t *semaphore, int shared, unsigned value)
{
    if (ex_current == NULL)
        return __real_sem_init(semaphore, shared, value);
    if (shared)
        ex_fail(EXPLORE_UNSUPPORTED, EX_PLACE,
                "a semaphore between processes cannot be explored");
    ex_object_init(semaphore, EX_SEMAPHORE, EX_PLACE)->count = value;
    return 0;
}

int __wrap_sem_destroy(sem_t *semaphore)
{
    if (ex_current == NULL)
        return __real_sem_destroy(semaphore);
    (void)ex_object_destroy(semaphore, EX_SEMAPHORE, sizeof *semaphore,
                            EX_PLACE);
    return 0;
}

static void take(struct ex_object *object, const void *place)
{
    object->count--;
    ex_race_acquire(object->clock);
    ex_trace(ex_current, place, "take %s: %u left", object->name,
             object->count);
}

static int refuse_time(void)
{
    errno = EINVAL;
    return -1;
}

static int wait_until(sem_t *semaphore, int64_t deadline, const void *place)
{
    struct ex_object *object = use(semaphore, place);
    const struct ex_next next = {.op = EX_TAKE,
                                 .object = object,
                                 .deadline = deadline,
                                 .verb = "wait",
                                 .place = place};
    ex_point(&next);
    if (ex_current->next.timed_out) {
        errno = ETIMEDOUT;
        return -1;
    }
    take(use(semaphore, place), place);
    return 0;
}

int __wrap_sem_wait(sem_t *semaphore)
{
    if (ex_current == NULL)
        return __real_sem_wait(semaphore);
    return wait_until(semaphore, EX_NEVER, EX_PLACE);
}

int __wrap_sem_timedwait(sem_t *semaphore, const struct timespec *until)
{
    if (ex_current == NULL)
        return __real_sem_timedwait(semaphore, until);
    if (!ex_clock_valid(until))
        return refuse_time();
    return wait_until(semaphore, ex_clock_deadline(CLOCK_REALTIME, until),
                      EX_PLACE);
}

int __wrap_sem_clockwait(sem_t *semaphore, clockid_t clock,
                         const struct timespec *until)
{
    if (ex_current == NULL)
        return __real_sem_clockwait(semaphore, clock, until);
    if (!ex_clock_valid(until))
        return refuse_time();
    return wait_until(semaphore, ex_clock_deadline(clock, until), EX_PLACE);
}

int __wrap_sem_trywait(sem_t *semaphore)
{
    if (ex_current == NULL)
        return __real_sem_trywait(semaphore);
    struct ex_object *object = use(semaphore, EX_PLACE);
    ex_point_simple(EX_GO, object, "trywait", EX_PLACE);
    if (object->count == 0) {
        ex_trace(ex_current, EX_PLACE, "try %s: it is 0", object->name);
        errno = EAGAIN;
        return -1;
    }
    take(object, EX_PLACE);
    return 0;
}

int __wrap_sem_post(sem_t *semaphore)
{
    if (ex_current == NULL)
        return __real_sem_post(semaphore);
    struct ex_object *object = use(semaphore, EX_PLACE);
    ex_point_simple(EX_GO, object, "post", EX_PLACE);
    object = use(semaphore, EX_PLACE); /* it may have been destroyed */
    object->count++;
    ex_race_release(object->clock);
    ex_trace(ex_current, EX_PLACE, "post %s: %u now", object->name,
             object->count);
    return 0;
}

int __wrap_sem_getvalue(sem_t *semaphore, int *value)
{
    if (ex_current == NULL)
        return __real_sem_getvalue(semaphore, value);
    struct ex_object *object = use(semaphore, EX_PLACE);
    ex_point_simple(EX_GO, object, "getvalue", EX_PLACE);
    *value = (int)object->count;
    return 0;
}
