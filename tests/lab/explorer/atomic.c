/*
 * atomic: what -fsanitize=thread compiles each atomic access into.
 *
 * Each is a point of decision, and happens at once for all threads: what
 * weaker orders allow beyond that is not explored. But they count for what
 * orders other accesses: a relaxed store hands nothing on.
 */
#include "objects.h"
#include "race.h"
#include "trace.h"

#include <stdatomic.h>

/* With fences, relaxed accesses may hand on. Which do is not worked out: all
 * count as if they did, from the first fence of a run on. */
static EX_OWN bool fenced = false;

void ex_atomic_reset(void)
{
    fenced = false;
}

static bool acquires(int order)
{
    return fenced ||
           (order != memory_order_relaxed && order != memory_order_release);
}

static bool releases(int order)
{
    return fenced || order == memory_order_release ||
           order == memory_order_acq_rel || order == memory_order_seq_cst;
}

static void before(const volatile void *variable, size_t size, bool writes,
                   const char *verb, const void *place)
{
    const void *address = (const void *)(uintptr_t)variable;
    if (ex_current == NULL)
        return;
    ex_point_simple(EX_GO, NULL, verb, place);
    ex_race_access(address, size, writes ? EX_ATOMIC_WRITE : EX_ATOMIC_READ,
                   place);
}

static void after(const volatile void *variable, int order, bool reads,
                  bool writes, const char *verb, uint64_t value,
                  const void *place)
{
    if (ex_current == NULL)
        return;
    uint32_t *clock = ex_race_clock_of((const void *)(uintptr_t)variable);
    if (reads && acquires(order))
        ex_race_acquire(clock);
    if (writes && releases(order) && reads)
        ex_race_release(clock);
    else if (writes && releases(order))
        ex_race_publish(clock);
    const char *name =
        ex_object_name((const void *)(uintptr_t)variable, "atomic");
    ex_trace(ex_current, place, "%s %s: %lld", verb, name, (long long)value);
}

#define UPDATE(bits, type, name, verb, operation)                             \
    type __tsan_atomic##bits##_##name(volatile type *variable, type value,    \
                                      int order);                             \
    type __tsan_atomic##bits##_##name(volatile type *variable, type value,    \
                                      int order)                              \
    {                                                                         \
        before(variable, sizeof(type), true, verb, EX_PLACE);                 \
        type old = *variable;                                                 \
        *variable = (type)(operation);                                        \
        after(variable, order, true, true, verb, (uint64_t)*variable,         \
              EX_PLACE);                                                      \
        return old;                                                           \
    }

#define COMPARE(bits, type, name)                                             \
    int __tsan_atomic##bits##_##name(volatile type *variable, type *expected, \
                                     type wanted, int order, int failed);     \
    int __tsan_atomic##bits##_##name(volatile type *variable, type *expected, \
                                     type wanted, int order, int failed)      \
    {                                                                         \
        before(variable, sizeof(type), true, "compare", EX_PLACE);            \
        bool same = *variable == *expected;                                   \
        if (same)                                                             \
            *variable = wanted;                                               \
        else                                                                  \
            *expected = *variable;                                            \
        after(variable, same ? order : failed, true, same,                    \
              same ? "swap" : "no swap", (uint64_t)*variable, EX_PLACE);      \
        return same;                                                          \
    }

#define ATOMIC(bits, type)                                                    \
    type __tsan_atomic##bits##_load(const volatile type *variable,            \
                                    int order);                               \
    type __tsan_atomic##bits##_load(const volatile type *variable, int order) \
    {                                                                         \
        before(variable, sizeof(type), false, "load", EX_PLACE);              \
        type value = *variable;                                               \
        after(variable, order, true, false, "load", (uint64_t)value,          \
              EX_PLACE);                                                      \
        return value;                                                         \
    }                                                                         \
    void __tsan_atomic##bits##_store(volatile type *variable, type value,     \
                                     int order);                              \
    void __tsan_atomic##bits##_store(volatile type *variable, type value,     \
                                     int order)                               \
    {                                                                         \
        before(variable, sizeof(type), true, "store", EX_PLACE);              \
        *variable = value;                                                    \
        after(variable, order, false, true, "store", (uint64_t)value,         \
              EX_PLACE);                                                      \
    }                                                                         \
    UPDATE(bits, type, exchange, "exchange", value)                           \
    UPDATE(bits, type, fetch_add, "add", old + value)                         \
    UPDATE(bits, type, fetch_sub, "subtract", old - value)                    \
    UPDATE(bits, type, fetch_and, "and", old &value)                          \
    UPDATE(bits, type, fetch_or, "or", old | value)                           \
    UPDATE(bits, type, fetch_xor, "xor", old ^ value)                         \
    UPDATE(bits, type, fetch_nand, "nand", ~(old & value))                    \
    COMPARE(bits, type, compare_exchange_strong)                              \
    COMPARE(bits, type, compare_exchange_weak)                                \
    type __tsan_atomic##bits##_compare_exchange_val(                          \
        volatile type *variable, type expected, type wanted, int order,       \
        int failed);                                                          \
    type __tsan_atomic##bits##_compare_exchange_val(                          \
        volatile type *variable, type expected, type wanted, int order,       \
        int failed)                                                           \
    {                                                                         \
        before(variable, sizeof(type), true, "compare", EX_PLACE);            \
        type old = *variable;                                                 \
        bool same = old == expected;                                          \
        if (same)                                                             \
            *variable = wanted;                                               \
        after(variable, same ? order : failed, true, same,                    \
              same ? "swap" : "no swap", (uint64_t)*variable, EX_PLACE);      \
        return old;                                                           \
    }

ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order)
{
    (void)order;
    if (ex_current != NULL)
        fenced = true;
}

void __tsan_atomic_signal_fence(int order);
void __tsan_atomic_signal_fence(int order)
{
    (void)order;
}
