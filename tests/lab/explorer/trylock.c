/* trylock: attempts at a mutex. Where there are any, whether somebody has it
 * can be seen: see mutex.c. */
#include "clocks.h"
#include "mutex.h"
#include "real.h"

#include <errno.h>

extern const bool ex_tries;
const bool ex_tries = true;

int __wrap_pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    int error = 0;
    if (ex_current == NULL)
        return __real_pthread_mutex_trylock(mutex);
    struct ex_object *object = ex_mutex_use(mutex, EX_PLACE);
    ex_point_simple(EX_GO, object, "trylock", EX_PLACE);
    if (ex_mutex_again(object, &error))
        return error == 0 ? 0 : EBUSY;
    if (object->owner != NULL) {
        ex_trace(ex_current, EX_PLACE, "trylock %s: busy", object->name);
        return EBUSY;
    }
    ex_mutex_take(object);
    ex_trace(ex_current, EX_PLACE, "trylock %s: got it", object->name);
    return 0;
}

static int lock_until(pthread_mutex_t *mutex, clockid_t clock,
                      const struct timespec *until, const void *place)
{
    int error = 0;
    struct ex_object *object = ex_mutex_use(mutex, place);
    if (!ex_clock_valid(until))
        return EINVAL;
    if (ex_mutex_again(object, &error))
        return error;
    const struct ex_next next = {.op = EX_LOCK,
                                 .object = object,
                                 .deadline = ex_clock_deadline(clock, until),
                                 .verb = "timed lock",
                                 .place = place};
    ex_point(&next);
    if (ex_current->next.timed_out)
        return ETIMEDOUT;
    ex_mutex_take(object);
    ex_trace(ex_current, place, "lock %s", object->name);
    return 0;
}

int __wrap_pthread_mutex_timedlock(pthread_mutex_t *mutex,
                                   const struct timespec *until)
{
    if (ex_current == NULL)
        return __real_pthread_mutex_timedlock(mutex, until);
    return lock_until(mutex, CLOCK_REALTIME, until, EX_PLACE);
}

int __wrap_pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
                                   const struct timespec *until)
{
    if (ex_current == NULL)
        return __real_pthread_mutex_clocklock(mutex, clock, until);
    return lock_until(mutex, clock, until, EX_PLACE);
}
