/*
 * mutex: pthread_mutex_* without the attempts, which are in trylock.c.
 *
 * Locking is a point of decision. Unlocking is not, unless the program may
 * try: until it unlocks, others can only wait for it, so it makes no
 * difference whether they run before or after (Lipton, CACM 1975).
 */
#include "mutex.h"

#include "context.h"
#include "race.h"
#include "real.h"

#include <errno.h>

/* Defined in trylock.c, which is linked only if the program calls it. */
extern const bool ex_tries __attribute__((weak));

struct ex_object *ex_mutex_use(pthread_mutex_t *mutex, const void *place)
{
    return ex_object_use(mutex, EX_MUTEX, sizeof *mutex, place);
}

void ex_mutex_take(struct ex_object *mutex)
{
    mutex->owner = ex_current;
    mutex->count = 1;
    ex_race_acquire(mutex->clock);
}

void ex_mutex_give(struct ex_object *mutex)
{
    mutex->owner = NULL;
    mutex->count = 0;
    ex_race_release(mutex->clock);
}

void ex_mutex_must_own(const struct ex_object *mutex, const char *verb,
                       const void *place)
{
    if (mutex->owner == ex_current)
        return;
    if (mutex->owner == NULL)
        ex_fail(EXPLORE_MISUSE, place, "%s %s %s, which nobody holds",
                ex_current->name, verb, mutex->name);
    ex_fail(EXPLORE_MISUSE, place, "%s %s %s, which %s holds",
            ex_current->name, verb, mutex->name, mutex->owner->name);
}

bool ex_mutex_again(struct ex_object *mutex, int *error)
{
    if (mutex->owner != ex_current)
        return false;
    if (mutex->kind == PTHREAD_MUTEX_RECURSIVE)
        mutex->count++;
    else if (mutex->kind == PTHREAD_MUTEX_ERRORCHECK)
        *error = EDEADLK;
    else
        return false; /* and it will wait for itself */
    return true;
}

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex,
                              const pthread_mutexattr_t *attributes)
{
    int kind = PTHREAD_MUTEX_DEFAULT;
    if (ex_current == NULL)
        return __real_pthread_mutex_init(mutex, attributes);
    if (attributes != NULL)
        (void)pthread_mutexattr_gettype(attributes, &kind);
    ex_object_init(mutex, EX_MUTEX, EX_PLACE)->kind = kind;
    return 0;
}

int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    if (ex_current == NULL)
        return __real_pthread_mutex_destroy(mutex);
    (void)ex_object_destroy(mutex, EX_MUTEX, sizeof *mutex, EX_PLACE);
    return 0;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    int error = 0;
    if (ex_current == NULL)
        return __real_pthread_mutex_lock(mutex);
    struct ex_object *object = ex_mutex_use(mutex, EX_PLACE);
    if (ex_mutex_again(object, &error))
        return error;
    ex_point_simple(EX_LOCK, object, "lock", EX_PLACE);
    (void)ex_mutex_use(mutex, EX_PLACE); /* it may have been destroyed */
    ex_mutex_take(object);
    ex_trace(ex_current, EX_PLACE, "lock %s", object->name);
    return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    if (ex_current == NULL)
        return __real_pthread_mutex_unlock(mutex);
    struct ex_object *object = ex_mutex_use(mutex, EX_PLACE);
    if (&ex_tries != NULL)
        ex_point_simple(EX_GO, object, "unlock", EX_PLACE);
    ex_mutex_must_own(object, "unlocks", EX_PLACE);
    if (object->count > 1) {
        object->count--;
        return 0;
    }
    ex_mutex_give(object);
    ex_trace(ex_current, EX_PLACE, "unlock %s", object->name);
    ex_context_wipe();
    return 0;
}
