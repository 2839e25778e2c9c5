/* mutex: what locking and unlocking are made of. */
#ifndef EXPLORE_MUTEX_H
#define EXPLORE_MUTEX_H

#include "objects.h"
#include "trace.h"

#include <pthread.h>

/* The mutex, to be used. */
struct ex_object *ex_mutex_use(pthread_mutex_t *mutex, const void *place);

/* The current thread has it; has it no more. */
void ex_mutex_take(struct ex_object *mutex);
void ex_mutex_give(struct ex_object *mutex);

/* A misuse, unless the current thread has it. */
void ex_mutex_must_own(const struct ex_object *mutex, const char *verb,
                       const void *place);

/* True if the current thread has it, and what comes of locking it again is
 * decided by its kind. */
bool ex_mutex_again(struct ex_object *mutex, int *error);

#endif
