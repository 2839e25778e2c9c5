/* heap: malloc and the like for the code under test. See heap.h. */
#include "heap.h"

#include "objects.h"
#include "race.h"
#include "real.h"
#include "state.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define SIZE    ((size_t)16 * 1024 * 1024)
#define GRAIN   ((size_t)16)
#define LARGEST ((size_t)1 << 30)

/* What new and freed memory is filled with: neither 0 nor a valid pointer. */
#define FRESH 0xa5
#define FREED 0xdd

/* Before each block, itself a grain. */
struct header {
    size_t size;
    size_t freed;
};

static EX_OWN char *heap = NULL;
static EX_OWN size_t used = 0;
static EX_OWN int blocks = 0; /* not freed yet */
/* Of each grain: how many of its bytes are in a block. */
static EX_OWN unsigned char *valid = NULL;

int ex_heap_open(void)
{
    heap = mmap(NULL, SIZE + SIZE / GRAIN, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (heap == MAP_FAILED)
        return -errno;
    valid = (unsigned char *)heap + SIZE;
    return 0;
}

void ex_heap_reset(void)
{
    memset(valid, 0, used / GRAIN);
    used = 0;
    blocks = 0;
}

int ex_heap_blocks(void)
{
    return blocks;
}

bool ex_heap_has(const void *address)
{
    const char *byte = address;
    return byte >= heap && byte < heap + SIZE;
}

static struct header *header_of(void *block)
{
    return (struct header *)(void *)((char *)block - sizeof(struct header));
}

static void *allocate(size_t size, size_t alignment)
{
    size_t start = used + sizeof(struct header);
    start = (start + alignment - 1) / alignment * alignment;
    if (size > LARGEST || start + size + 2 * GRAIN > SIZE) {
        errno = ENOMEM;
        return NULL;
    }
    char *block = heap + start;
    *header_of(block) = (struct header){.size = size};
    blocks++;
    memset(block, FRESH, size);
    for (size_t done = 0; done < size; done += GRAIN) {
        size_t left = size - done;
        valid[(start + done) / GRAIN] =
            (unsigned char)(left < GRAIN ? left : GRAIN);
    }
    /* A grain more: what runs over the end must not be in the next block. */
    used = start + (size + GRAIN - 1) / GRAIN * GRAIN + GRAIN;
    return block;
}

static void release(void *block, const void *place)
{
    struct header *header = header_of(block);
    size_t at = (size_t)((char *)block - heap);
    if (at % GRAIN != 0 || (at < used && header->freed == FREED))
        ex_fail(EXPLORE_MEMORY, place,
                at % GRAIN != 0 ? "free is called with what malloc never gave"
                                : "memory is freed a second time");
    if (header->size > 0)
        ex_race_access(block, header->size, EX_WRITE, place);
    ex_objects_forget(block, header->size);
    memset(valid + at / GRAIN, 0, (header->size + GRAIN - 1) / GRAIN);
    memset(block, FREED, header->size);
    header->freed = FREED;
    blocks--;
}

void ex_heap_check(const void *address, size_t size, bool write,
                   const void *place)
{
    if (!ex_heap_has(address) || size == 0)
        return;
    size_t first = (size_t)((const char *)address - heap);
    size_t last = first + size - 1;
    for (size_t grain = first / GRAIN; grain <= last / GRAIN; grain++) {
        size_t needed = grain == last / GRAIN ? last % GRAIN + 1 : GRAIN;
        if (valid[grain] >= needed)
            continue;
        unsigned char byte = *(const unsigned char *)address;
        ex_fail(EXPLORE_MEMORY, place, "%s %s memory %s", ex_current->name,
                write ? "writes to" : "reads",
                byte == FREED ? "that was freed"
                              : "beyond the end of its block");
    }
}

uint64_t ex_heap_hash(uint64_t hash)
{
    return ex_hash(heap, used, hash);
}

/* --- What the code under test calls -------------------------------------- */

void *__wrap_malloc(size_t size)
{
    return ex_current == NULL ? __real_malloc(size) : allocate(size, GRAIN);
}

void *__wrap_calloc(size_t count, size_t size)
{
    if (ex_current == NULL)
        return __real_calloc(count, size);
    if (size > 0 && count > LARGEST / size) {
        errno = ENOMEM;
        return NULL;
    }
    void *block = allocate(count * size, GRAIN);
    if (block != NULL)
        memset(block, 0, count * size);
    return block;
}

void __wrap_free(void *block)
{
    if (block == NULL)
        return;
    if (ex_current != NULL && ex_heap_has(block))
        release(block, EX_PLACE);
    else if (!ex_heap_has(block))
        __real_free(block);
}

void *__wrap_realloc(void *block, size_t size)
{
    if (ex_current == NULL || (block != NULL && !ex_heap_has(block)))
        return __real_realloc(block, size);
    void *bigger = allocate(size, GRAIN);
    if (bigger == NULL || block == NULL)
        return bigger;
    size_t old = header_of(block)->size;
    memcpy(bigger, block, old < size ? old : size);
    release(block, EX_PLACE);
    return bigger;
}

void *__wrap_reallocarray(void *block, size_t count, size_t size)
{
    if (size > 0 && count > LARGEST / size) {
        errno = ENOMEM;
        return NULL;
    }
    return __wrap_realloc(block, count * size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    if (ex_current == NULL)
        return __real_aligned_alloc(alignment, size);
    return allocate(size, alignment < GRAIN ? GRAIN : alignment);
}

int __wrap_posix_memalign(void **block, size_t alignment, size_t size)
{
    if (ex_current == NULL)
        return __real_posix_memalign(block, alignment, size);
    void *made = allocate(size, alignment < GRAIN ? GRAIN : alignment);
    if (made == NULL)
        return ENOMEM;
    *block = made;
    return 0;
}

char *__wrap_strndup(const char *text, size_t most)
{
    size_t length = strnlen(text, most);
    char *copy = __wrap_malloc(length + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *__wrap_strdup(const char *text)
{
    return __wrap_strndup(text, strlen(text));
}
