/* specific: pthread_key_* and what each thread has under them. */
#include "engine.h"
#include "real.h"

#include <errno.h>

/* In the program's variables, so that each run begins with none. */
static bool used[EX_KEYS];

int __wrap_pthread_key_create(pthread_key_t *key, void (*destroy)(void *))
{
    if (ex_current == NULL)
        return __real_pthread_key_create(key, destroy);
    if (destroy != NULL)
        ex_fail(EXPLORE_UNSUPPORTED, EX_PLACE,
                "pthread_key_create with a destructor cannot be explored");
    for (unsigned i = 0; i < EX_KEYS; i++) {
        if (!used[i]) {
            used[i] = true;
            *key = i;
            return 0;
        }
    }
    return EAGAIN;
}

int __wrap_pthread_key_delete(pthread_key_t key)
{
    if (ex_current == NULL)
        return __real_pthread_key_delete(key);
    if (key >= EX_KEYS || !used[key])
        return EINVAL;
    used[key] = false;
    return 0;
}

void *__wrap_pthread_getspecific(pthread_key_t key)
{
    if (ex_current == NULL)
        return __real_pthread_getspecific(key);
    return key < EX_KEYS ? ex_current->specific[key] : NULL;
}

int __wrap_pthread_setspecific(pthread_key_t key, const void *value)
{
    if (ex_current == NULL)
        return __real_pthread_setspecific(key, value);
    if (key >= EX_KEYS || !used[key])
        return EINVAL;
    ex_current->specific[key] = (void *)(uintptr_t)value;
    return 0;
}
