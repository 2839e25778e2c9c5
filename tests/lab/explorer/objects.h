/*
 * objects: mutexes, conditions, semaphores ... of one run, by address.
 *
 * What they hold is here; of the program's own pthread_mutex_t only the
 * address is used, and whether it is as a static initialiser leaves it.
 */
#ifndef EXPLORE_OBJECTS_H
#define EXPLORE_OBJECTS_H

#include "engine.h"

#include <time.h>

#define EX_OBJECTS 1024

enum ex_type {
    EX_MUTEX,
    EX_CONDITION,
    EX_SEMAPHORE,
    EX_BARRIER,
    EX_RWLOCK,
    EX_ONCE,
    EX_TYPES
};

struct ex_object {
    const void *address;
    enum ex_type type;
    char name[24];
    bool initialised; /* by a call, not by a static initialiser */
    bool destroyed;
    int kind;                /* of a mutex: PTHREAD_MUTEX_NORMAL ... */
    clockid_t time;          /* of a condition */
    struct ex_thread *owner; /* of a mutex, or who writes, or runs the once */
    unsigned count;          /* locked how often; value; arrived; readers */
    unsigned limit;          /* of a barrier */
    bool done;               /* of a once */
    uint64_t readers;        /* of a read-write lock: a bit for each thread */
    uint32_t clock[EX_THREADS]; /* see race.h */
};

/* Forgets all: a new run. */
void ex_objects_reset(void);

/* A new object. One that is there and was not destroyed is initialised again:
 * a misuse. */
struct ex_object *ex_object_init(const void *address, enum ex_type type,
                                 const void *place);

/* The object, to be used. One that was never seen must look as a static
 * initialiser (`size` bytes of 0, apart from a mutex's kind) leaves it. */
struct ex_object *ex_object_use(const void *address, enum ex_type type,
                                size_t size, const void *place);

/* The end of one. It must be there and unused. */
struct ex_object *ex_object_destroy(const void *address, enum ex_type type,
                                    size_t size, const void *place);

/* Memory that was freed, or is somebody else's now: no objects there. */
void ex_objects_forget(const void *from, size_t size);

/* A hash of what they all hold, whatever the order. */
uint64_t ex_objects_hash(void);

/* "mutex" */
const char *ex_type_name(enum ex_type type);

/* What explore_name said of an address, or else `unnamed`. */
const char *ex_object_name(const void *address, const char *unnamed);

/* Does something for each object. */
void ex_objects_each(void (*visit)(struct ex_object *object, void *context),
                     void *context);

#endif
