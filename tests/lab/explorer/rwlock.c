/* rwlock: pthread_rwlock_* without time limits. Neither side goes first. */
#include "objects.h"
#include "race.h"
#include "real.h"
#include "trace.h"

#include <errno.h>

static struct ex_object *use(pthread_rwlock_t *lock, const void *place)
{
    return ex_object_use(lock, EX_RWLOCK, sizeof *lock, place);
}

int __wrap_pthread_rwlock_init(pthread_rwlock_t *lock,
                               const pthread_rwlockattr_t *attributes)
{
    if (ex_current == NULL)
        return __real_pthread_rwlock_init(lock, attributes);
    (void)ex_object_init(lock, EX_RWLOCK, EX_PLACE);
    return 0;
}

int __wrap_pthread_rwlock_destroy(pthread_rwlock_t *lock)
{
    if (ex_current == NULL)
        return __real_pthread_rwlock_destroy(lock);
    (void)ex_object_destroy(lock, EX_RWLOCK, sizeof *lock, EX_PLACE);
    return 0;
}

static void take(struct ex_object *object, bool writes, const void *place)
{
    if (writes) {
        object->owner = ex_current;
    } else {
        object->readers |= UINT64_C(1) << ex_current->id;
        object->count++;
    }
    ex_race_acquire(object->clock);
    ex_trace(ex_current, place, "%s %s", writes ? "write-lock" : "read-lock",
             object->name);
}

int __wrap_pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
    if (ex_current == NULL)
        return __real_pthread_rwlock_rdlock(lock);
    struct ex_object *object = use(lock, EX_PLACE);
    ex_point_simple(EX_READLOCK, object, "read-lock", EX_PLACE);
    take(object, false, EX_PLACE);
    return 0;
}

int __wrap_pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
    if (ex_current == NULL)
        return __real_pthread_rwlock_wrlock(lock);
    struct ex_object *object = use(lock, EX_PLACE);
    ex_point_simple(EX_WRITELOCK, object, "write-lock", EX_PLACE);
    take(object, true, EX_PLACE);
    return 0;
}

int __wrap_pthread_rwlock_tryrdlock(pthread_rwlock_t *lock)
{
    if (ex_current == NULL)
        return __real_pthread_rwlock_tryrdlock(lock);
    struct ex_object *object = use(lock, EX_PLACE);
    ex_point_simple(EX_GO, object, "try to read-lock", EX_PLACE);
    if (object->owner != NULL)
        return EBUSY;
    take(object, false, EX_PLACE);
    return 0;
}

int __wrap_pthread_rwlock_trywrlock(pthread_rwlock_t *lock)
{
    if (ex_current == NULL)
        return __real_pthread_rwlock_trywrlock(lock);
    struct ex_object *object = use(lock, EX_PLACE);
    ex_point_simple(EX_GO, object, "try to write-lock", EX_PLACE);
    if (object->owner != NULL || object->count > 0)
        return EBUSY;
    take(object, true, EX_PLACE);
    return 0;
}

int __wrap_pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
    if (ex_current == NULL)
        return __real_pthread_rwlock_unlock(lock);
    struct ex_object *object = use(lock, EX_PLACE);
    uint64_t me = UINT64_C(1) << ex_current->id;
    ex_point_simple(EX_GO, object, "unlock", EX_PLACE);
    if (object->owner != ex_current && (object->readers & me) == 0)
        ex_fail(EXPLORE_MISUSE, EX_PLACE,
                "%s unlocks %s, which it does not "
                "hold",
                ex_current->name, object->name);
    if (object->owner == ex_current) {
        object->owner = NULL;
    } else {
        object->readers &= ~me;
        object->count--;
    }
    ex_race_release(object->clock);
    ex_trace(ex_current, EX_PLACE, "unlock %s", object->name);
    return 0;
}
