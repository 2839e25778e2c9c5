/* state: whether the program has been in this state before. See state.h. */
#include "state.h"

#include "context.h"
#include "heap.h"
#include "objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The linker's names: of the variables, and of ours within them. */
extern char __data_start[];
extern char _end[];
extern char __start_explore_own[];
extern char __stop_explore_own[];

static EX_OWN struct {
    char *from;
    size_t size;
    char *kept;
} parts[2] = {{0}};

static EX_OWN uint64_t *table = NULL;
static EX_OWN size_t slots = 0;
static EX_OWN size_t filled = 0;

int ex_state_open(void)
{
    char *first = __data_start;
    parts[0].from = first;
    parts[0].size = (size_t)(__start_explore_own - first);
    parts[1].from = __stop_explore_own;
    parts[1].size = (size_t)(_end - __stop_explore_own);
    for (int i = 0; i < 2; i++) {
        parts[i].kept = mmap(NULL, parts[i].size + 1, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (parts[i].kept == MAP_FAILED)
            return -errno;
        memcpy(parts[i].kept, parts[i].from, parts[i].size);
    }
    return 0;
}

void ex_state_reset(void)
{
    for (int i = 0; i < 2; i++)
        memcpy(parts[i].from, parts[i].kept, parts[i].size);
}

bool ex_state_has(const void *address)
{
    const char *byte = address;
    for (int i = 0; i < 2; i++) {
        if (byte >= parts[i].from && byte < parts[i].from + parts[i].size)
            return true;
    }
    return false;
}

/* The finaliser of splitmix64 (Steele, Lea and Flood, OOPSLA 2014). */
uint64_t ex_mix(uint64_t hash, uint64_t number)
{
    uint64_t z = hash * UINT64_C(0x9e3779b97f4a7c15) + number +
                 UINT64_C(0x632be59bd9b4e019);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t ex_hash(const void *from, size_t size, uint64_t hash)
{
    const char *bytes = from;
    uint64_t a = hash ^ size;
    uint64_t b = hash + UINT64_C(0x9e3779b97f4a7c15);
    uint64_t word[2];
    while (size >= sizeof word) {
        memcpy(word, bytes, sizeof word);
        a = (a ^ word[0]) * UINT64_C(0x9fb21c651e98df25);
        a ^= a >> 29;
        b = (b ^ word[1]) * UINT64_C(0xd6e8feb86659fd93);
        b ^= b >> 31;
        bytes += sizeof word;
        size -= sizeof word;
    }
    word[0] = 0;
    word[1] = 0;
    memcpy(word, bytes, size);
    return ex_mix(ex_mix(a, word[0]), b ^ word[1]);
}

static uint64_t hash_thread(const struct ex_thread *thread, uint64_t hash)
{
    const struct ex_next *next = &thread->next;
    hash = ex_mix(
        hash, (uint64_t)thread->id << 8 | (uint64_t)thread->life << 4 |
                  (uint64_t)thread->detached << 1 | (uint64_t)thread->joined);
    if (thread->life != EX_ALIVE)
        return ex_mix(hash, (uintptr_t)thread->result);
    const uint64_t words[] = {
        (uint64_t)next->op << 8 | (uint64_t)next->timed_out << 1 |
            (uint64_t)thread->yielded,
        next->object == NULL ? 0 : (uintptr_t)next->object->address,
        next->mutex == NULL ? 0 : (uintptr_t)next->mutex->address,
        next->other == NULL ? 0 : (uint64_t)next->other->id + 1,
        (uintptr_t)next->place,
        (uint64_t)next->deadline,
        (uint64_t)thread->error,
        thread->segment,
    };
    hash = ex_hash(words, sizeof words, hash);
    hash = ex_hash(thread->specific, sizeof thread->specific, hash);
    hash = ex_hash(thread->tls, ex_context_tls(), hash);
    if (!thread->began)
        return ex_mix(hash, (uintptr_t)thread->argument);
    hash = ex_hash(&thread->registers, sizeof thread->registers, hash);
    return ex_hash(thread->lowest,
                   (size_t)(ex_context_top(thread) - thread->lowest), hash);
}

uint64_t ex_state_hash(const struct ex_thread *last)
{
    uint64_t hash = ex_mix((uint64_t)ex_now, ex_objects_hash());
    hash = ex_mix(hash, (uint64_t)ex_spent.spurious << 32 |
                            (uint64_t)ex_spent.timeouts);
    if (last != NULL)
        hash = ex_mix(hash, (uint64_t)last->id + 1);
    for (int i = 0; i < 2; i++)
        hash = ex_hash(parts[i].from, parts[i].size, hash);
    hash = ex_heap_hash(hash);
    for (int i = 0; i < ex_thread_count(); i++)
        hash = hash_thread(ex_thread(i), hash);
    return hash == 0 ? 1 : hash;
}

/* --- The states that were seen: a set ------------------------------------ */

void ex_states_clear(void)
{
    free(table);
    table = NULL;
    slots = 0;
    filled = 0;
}

bool ex_states_has(uint64_t hash)
{
    size_t i = hash & (slots - 1);
    if (slots == 0)
        return false;
    while (table[i] != 0 && table[i] != hash)
        i = (i + 1) & (slots - 1);
    return table[i] == hash;
}

static bool insert(uint64_t hash)
{
    size_t i = hash & (slots - 1);
    while (table[i] != 0 && table[i] != hash)
        i = (i + 1) & (slots - 1);
    if (table[i] == hash)
        return false;
    table[i] = hash;
    filled++;
    return true;
}

static int grow(void)
{
    uint64_t *old = table;
    size_t old_slots = slots;
    size_t new_slots = slots == 0 ? 4096 : slots * 2;
    uint64_t *bigger = calloc(new_slots, sizeof *bigger);
    if (bigger == NULL)
        return -ENOMEM;
    table = bigger;
    slots = new_slots;
    filled = 0;
    for (size_t i = 0; i < old_slots; i++) {
        if (old[i] != 0)
            (void)insert(old[i]);
    }
    free(old);
    return 0;
}

int ex_states_add(uint64_t hash)
{
    if ((filled + 1) * 2 > slots) {
        int error = grow();
        if (error != 0)
            return error;
    }
    return insert(hash);
}

long ex_states_count(void)
{
    return (long)filled;
}
