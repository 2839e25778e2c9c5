/*
 * access: what -fsanitize=thread compiles each access to memory into, and the
 * functions of libc that copy memory. See race.h for what becomes of it.
 */
#include "context.h"
#include "heap.h"
#include "race.h"
#include "real.h"
#include "state.h"

/* Memory of the code under test. What else there is, is the explorer's, or
 * the library's. */
static bool is_tracked(const void *address)
{
    bool overflow = false;
    return ex_state_has(address) || ex_heap_has(address) ||
           ex_context_has(address, &overflow);
}

EX_OWN const void *ex_access_last = NULL;

static EX_OWN bool inside = false; /* what we do ourselves is not looked at */

static void look(const void *address, size_t size, enum ex_access access,
                 const void *place)
{
    if (ex_current == NULL || inside || !is_tracked(address))
        return;
    ex_access_last = place;
    ex_race_point(access, place);
    inside = true;
    ex_race_access(address, size, access, place);
    inside = false;
    ex_context_wipe();
}

void ex_access_reset(void)
{
    inside = false;
}

/* The compiler's names. */
#define ACCESS(name, size, access)                                            \
    void __tsan_##name(void *address);                                        \
    void __tsan_##name(void *address)                                         \
    {                                                                         \
        look(address, size, access, EX_PLACE);                                \
    }

#define ACCESSES(size)                                                        \
    ACCESS(read##size, size, EX_READ)                                         \
    ACCESS(write##size, size, EX_WRITE)                                       \
    ACCESS(unaligned_read##size, size, EX_READ)                               \
    ACCESS(unaligned_write##size, size, EX_WRITE)                             \
    ACCESS(volatile_read##size, size, EX_READ)                                \
    ACCESS(volatile_write##size, size, EX_WRITE)                              \
    ACCESS(unaligned_volatile_read##size, size, EX_READ)                      \
    ACCESS(unaligned_volatile_write##size, size, EX_WRITE)                    \
    void __tsan_read_write##size(void *address);                              \
    void __tsan_read_write##size(void *address)                               \
    {                                                                         \
        look(address, size, EX_READ, EX_PLACE);                               \
        look(address, size, EX_WRITE, EX_PLACE);                              \
    }

ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

void __tsan_init(void);
void __tsan_init(void)
{
}

void __tsan_func_entry(void *caller);
void __tsan_func_entry(void *caller)
{
    struct ex_thread *thread = ex_current;
    ex_access_last = EX_PLACE;
    if (thread == NULL)
        return;
    if (thread->depth >= 0 && thread->depth < EX_CALLS)
        thread->calls[thread->depth] = caller;
    thread->depth++;
}

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
    if (ex_current != NULL)
        ex_current->depth--;
}

void __tsan_read_range(void *from, size_t size);
void __tsan_read_range(void *from, size_t size)
{
    look(from, size, EX_READ, EX_PLACE);
}

void __tsan_write_range(void *to, size_t size);
void __tsan_write_range(void *to, size_t size)
{
    look(to, size, EX_WRITE, EX_PLACE);
}

void *__wrap_memcpy(void *to, const void *from, size_t size)
{
    look(from, size, EX_READ, EX_PLACE);
    look(to, size, EX_WRITE, EX_PLACE);
    return __real_memcpy(to, from, size);
}

void *__wrap_memmove(void *to, const void *from, size_t size)
{
    look(from, size, EX_READ, EX_PLACE);
    look(to, size, EX_WRITE, EX_PLACE);
    return __real_memmove(to, from, size);
}

void *__wrap_memset(void *to, int byte, size_t size)
{
    look(to, size, EX_WRITE, EX_PLACE);
    return __real_memset(to, byte, size);
}

void *__tsan_memcpy(void *to, const void *from, size_t size);
void *__tsan_memcpy(void *to, const void *from, size_t size)
{
    look(from, size, EX_READ, EX_PLACE);
    look(to, size, EX_WRITE, EX_PLACE);
    return __real_memcpy(to, from, size);
}

void *__tsan_memmove(void *to, const void *from, size_t size);
void *__tsan_memmove(void *to, const void *from, size_t size)
{
    look(from, size, EX_READ, EX_PLACE);
    look(to, size, EX_WRITE, EX_PLACE);
    return __real_memmove(to, from, size);
}

void *__tsan_memset(void *to, int byte, size_t size);
void *__tsan_memset(void *to, int byte, size_t size)
{
    look(to, size, EX_WRITE, EX_PLACE);
    return __real_memset(to, byte, size);
}
