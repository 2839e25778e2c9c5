/*
 * guard: bytes placed so that reading past their end kills the test.
 *
 * The bytes end where a page ends; the next page may not be touched.
 */
#ifndef TRIPTYCH_GUARD_H
#define TRIPTYCH_GUARD_H

#include <check.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct guard {
    char *map;
    size_t size;
};

/* Copies `n` bytes against a guard page. They are valid until guard_free. */
static inline char *guard_copy(struct guard *guard, const void *bytes,
                               size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = (n / page + 1) * page;
    guard->size = size + page;
    guard->map = mmap(NULL, guard->size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(guard->map, MAP_FAILED);
    ck_assert_int_eq(mprotect(guard->map + size, page, PROT_NONE), 0);
    char *at = guard->map + size - n;
    if (n > 0)
        memcpy(at, bytes, n);
    return at;
}

static inline void guard_free(struct guard *guard)
{
    ck_assert_int_eq(munmap(guard->map, guard->size), 0);
}

#endif
