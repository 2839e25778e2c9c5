/* objects: mutexes, conditions, semaphores ... of one run, by address. See
 * objects.h. */
#include "objects.h"

#include "heap.h"
#include "race.h"
#include "state.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static EX_OWN struct ex_object objects[EX_OBJECTS] = {{0}};
static EX_OWN int count = 0;
static EX_OWN int of_type[EX_TYPES] = {0};

/* Names may be given before the object is there. */
static EX_OWN struct {
    const void *address;
    char name[24];
} names[EX_OBJECTS] = {{0}};
static EX_OWN int named = 0;

static const struct {
    const char *name;
    char letter;
} types[EX_TYPES] = {
    [EX_MUTEX] = {"mutex", 'm'},         [EX_CONDITION] = {"condition", 'c'},
    [EX_SEMAPHORE] = {"semaphore", 's'}, [EX_BARRIER] = {"barrier", 'b'},
    [EX_RWLOCK] = {"rwlock", 'r'},       [EX_ONCE] = {"once", 'o'},
};

void ex_objects_reset(void)
{
    count = 0;
    named = 0;
    memset(of_type, 0, sizeof of_type);
}

const char *ex_type_name(enum ex_type type)
{
    return types[type].name;
}

static struct ex_object *find(const void *address)
{
    for (int i = 0; i < count; i++) {
        if (objects[i].address == address)
            return &objects[i];
    }
    return NULL;
}

const char *ex_object_name(const void *address, const char *unnamed)
{
    for (int i = named - 1; i >= 0; i--) {
        if (names[i].address == address)
            return names[i].name;
    }
    return unnamed;
}

static void give_name(struct ex_object *object)
{
    char unnamed[sizeof object->name];
    (void)snprintf(unnamed, sizeof unnamed, "%c%d", types[object->type].letter,
                   of_type[object->type]);
    (void)snprintf(object->name, sizeof object->name, "%s",
                   ex_object_name(object->address, unnamed));
}

static struct ex_object *add(const void *address, enum ex_type type,
                             const void *place)
{
    struct ex_object *object = find(address);
    if (object == NULL) {
        if (count == EX_OBJECTS)
            ex_fail(EXPLORE_UNSUPPORTED, place,
                    "more than %d mutexes, conditions and so on", EX_OBJECTS);
        object = &objects[count++];
    }
    memset(object, 0, sizeof *object);
    object->address = address;
    object->type = type;
    of_type[type]++;
    give_name(object);
    return object;
}

struct ex_object *ex_object_init(const void *address, enum ex_type type,
                                 const void *place)
{
    struct ex_object *object = find(address);
    if (object != NULL && !object->destroyed && object->type == type &&
        (object->owner != NULL || object->count > 0) && type != EX_SEMAPHORE)
        ex_fail(EXPLORE_MISUSE, place,
                "%s %s is initialised while it is in use", ex_type_name(type),
                object->name);
    ex_race_access(address, 1, EX_WRITE, place);
    object = add(address, type, place);
    object->initialised = true;
    return object;
}

void explore_left(int *blocks, int *left)
{
    *blocks = ex_heap_blocks();
    *left = 0;
    for (int i = 0; i < count; i++)
        *left += objects[i].initialised && !objects[i].destroyed;
}

/* Static initialisers are zeros; but a mutex's kind may be another one. */
static bool looks_static(const void *address, enum ex_type type, size_t size)
{
    const unsigned char *bytes = address;
    size_t kind_from = 0;
    size_t kind_to = 0;
    if (type == EX_SEMAPHORE || type == EX_BARRIER)
        return false;
    if (type == EX_MUTEX) {
        const pthread_mutex_t *mutex = address;
        kind_from =
            (size_t)((const unsigned char *)&mutex->__data.__kind - bytes);
        kind_to = kind_from + sizeof mutex->__data.__kind;
        if (mutex->__data.__kind < 0 || mutex->__data.__kind > 3)
            return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0 && (i < kind_from || i >= kind_to))
            return false;
    }
    return true;
}

struct ex_object *ex_object_use(const void *address, enum ex_type type,
                                size_t size, const void *place)
{
    struct ex_object *object = find(address);
    if (object == NULL) {
        if (!looks_static(address, type, size))
            ex_fail(EXPLORE_MISUSE, place,
                    "a %s is used that was never initialised",
                    ex_type_name(type));
        object = add(address, type, place);
        if (type == EX_MUTEX)
            object->kind = ((const pthread_mutex_t *)address)->__data.__kind;
    }
    if (object->destroyed)
        ex_fail(EXPLORE_MISUSE, place, "%s %s is used after it was destroyed",
                ex_type_name(object->type), object->name);
    if (object->type != type)
        ex_fail(EXPLORE_MISUSE, place, "a %s is used as a %s",
                ex_type_name(object->type), ex_type_name(type));
    ex_race_access(address, 1, EX_ATOMIC_READ, place);
    return object;
}

struct ex_object *ex_object_destroy(const void *address, enum ex_type type,
                                    size_t size, const void *place)
{
    struct ex_object *object = ex_object_use(address, type, size, place);
    for (int i = 0; i < ex_thread_count(); i++) {
        struct ex_thread *thread = ex_thread(i);
        if (thread->life == EX_ALIVE && thread != ex_current &&
            (thread->next.object == object || thread->next.mutex == object) &&
            !(type == EX_BARRIER && thread->next.op == EX_GO))
            ex_fail(EXPLORE_MISUSE, place,
                    "%s %s is destroyed while thread %d is at it",
                    ex_type_name(type), object->name, i);
    }
    if ((type == EX_MUTEX || type == EX_RWLOCK) &&
        (object->owner != NULL || object->count > 0))
        ex_fail(EXPLORE_MISUSE, place, "%s %s is destroyed while it is locked",
                ex_type_name(type), object->name);
    ex_race_access(address, 1, EX_WRITE, place);
    object->destroyed = true;
    return object;
}

void ex_objects_forget(const void *from, size_t size)
{
    const char *first = from;
    for (int i = 0; i < count; i++) {
        const char *address = objects[i].address;
        if (address >= first && address < first + size)
            objects[i].destroyed = true;
    }
}

uint64_t ex_objects_hash(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < count; i++) {
        const struct ex_object *object = &objects[i];
        const uint64_t words[] = {
            (uint64_t)(uintptr_t)object->address,
            (uint64_t)object->type | (uint64_t)object->destroyed << 8 |
                (uint64_t)object->done << 9 | (uint64_t)object->kind << 16,
            object->owner == NULL ? 0 : (uint64_t)object->owner->id + 1,
            (uint64_t)object->count << 32 | object->limit,
            object->readers,
        };
        sum += ex_hash(words, sizeof words, 0);
    }
    return sum;
}

void ex_objects_each(void (*visit)(struct ex_object *object, void *context),
                     void *context)
{
    for (int i = 0; i < count; i++)
        visit(&objects[i], context);
}

void explore_name(const void *object, const char *name)
{
    struct ex_object *known = find(object);
    if (ex_current == NULL || named == EX_OBJECTS)
        return;
    names[named].address = object;
    (void)snprintf(names[named].name, sizeof names[named].name, "%s", name);
    named++;
    if (known != NULL)
        give_name(known);
}
