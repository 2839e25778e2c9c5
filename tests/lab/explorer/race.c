/* race: who knows of what, and accesses that nothing orders. See race.h. */
#include "race.h"

#include "heap.h"
#include "schedule.h"
#include "state.h"
#include "trace.h"

#include <errno.h>
#include <sys/mman.h>

#define CELLS    ((size_t)1 << 16) /* of 8 bytes of the program's memory */
#define ACCESSES 8                 /* remembered for each; see remember */
#define CLOCKS   ((size_t)1 << 12) /* of atomic variables */
#define ENDLESS  5000000           /* accesses without coming to a point */

struct access {
    const void *place;
    uint32_t epoch;
    uint8_t thread;
    uint8_t bytes; /* a bit for each of the cell's bytes */
    uint8_t access;
};

/* What is of another run counts as empty. */
struct cell {
    uintptr_t address;
    uint32_t run;
    uint32_t count;
    struct access accesses[ACCESSES];
};

struct clock {
    uintptr_t address;
    uint32_t run;
    uint32_t clock[EX_THREADS];
};

static EX_OWN struct cell *cells = NULL;
static EX_OWN struct clock *clocks = NULL;
static EX_OWN uint32_t run = 0;
static EX_OWN size_t used = 0;
static EX_OWN const void *followed[EX_FOLLOWS] = {NULL};
static EX_OWN int follows = 0;
static EX_OWN bool news = false;

int ex_race_open(void)
{
    cells = mmap(NULL, CELLS * sizeof *cells + CLOCKS * sizeof *clocks,
                 PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (cells == MAP_FAILED)
        return -errno;
    clocks = (struct clock *)(void *)(cells + CELLS);
    return 0;
}

void ex_race_reset(void)
{
    run++;
    used = 0;
}

void ex_race_acquire(const uint32_t *clock)
{
    for (int i = 0; i < ex_thread_count(); i++) {
        if (ex_current->clock[i] < clock[i])
            ex_current->clock[i] = clock[i];
    }
}

void ex_race_release(uint32_t *clock)
{
    for (int i = 0; i < ex_thread_count(); i++) {
        if (clock[i] < ex_current->clock[i])
            clock[i] = ex_current->clock[i];
    }
    ex_current->clock[ex_current->id]++;
    ex_current->segment = ex_mix(ex_current->segment, 1);
}

void ex_race_publish(uint32_t *clock)
{
    for (int i = 0; i < EX_THREADS; i++)
        clock[i] = ex_current->clock[i];
    ex_current->clock[ex_current->id]++;
    ex_current->segment = ex_mix(ex_current->segment, 2);
}

static size_t slot_of(uintptr_t address, size_t slots)
{
    return (size_t)(ex_mix(address, 0) >> 20) & (slots - 1);
}

uint32_t *ex_race_clock_of(const void *address)
{
    uintptr_t key = (uintptr_t)address;
    size_t i = slot_of(key, CLOCKS);
    for (size_t tried = 0; tried < CLOCKS; tried++) {
        struct clock *clock = &clocks[i];
        if (clock->run != run) {
            *clock = (struct clock){.address = key, .run = run};
            return clock->clock;
        }
        if (clock->address == key)
            return clock->clock;
        i = (i + 1) & (CLOCKS - 1);
    }
    ex_fail(EXPLORE_UNSUPPORTED, NULL, "more than %zu atomic variables",
            CLOCKS);
}

static struct cell *cell_of(uintptr_t address)
{
    size_t i = slot_of(address, CELLS);
    for (;;) {
        struct cell *cell = &cells[i];
        if (cell->run == run && cell->address == address)
            return cell;
        if (cell->run != run) {
            if (used > CELLS / 2)
                ex_fail(EXPLORE_UNSUPPORTED, NULL,
                        "more than %zu KiB of memory are in use",
                        CELLS / 2 * 8 / 1024);
            used++;
            cell->address = address;
            cell->run = run;
            cell->count = 0;
            return cell;
        }
        i = (i + 1) & (CELLS - 1);
    }
}

static bool follows_place(const void *place)
{
    for (int i = 0; i < follows; i++) {
        if (followed[i] == place)
            return true;
    }
    return false;
}

void ex_race_follow(const void *place)
{
    if (follows == EX_FOLLOWS || follows_place(place))
        return;
    followed[follows++] = place;
    news = true;
}

int ex_race_follows(const void **places)
{
    for (int i = 0; i < follows; i++)
        places[i] = followed[i];
    return follows;
}

bool ex_race_followed(void)
{
    bool was = news;
    news = false;
    return was;
}

static const char *verb_of(unsigned access)
{
    static const char *const verbs[] = {"reads", "writes", "reads (atomic)",
                                        "writes (atomic)"};
    return verbs[access & 3];
}

static void report(const struct access *old, const struct access *new)
{
    if (ex_limits.follow_races) {
        ex_race_follow(old->place);
        ex_race_follow(new->place);
        return;
    }
    ex_failure.other = old->place;
    ex_fail(EXPLORE_RACE, new->place,
            "%s %s what %s %s, and nothing orders the two",
            ex_thread(new->thread)->name, verb_of(new->access),
            ex_thread(old->thread)->name, verb_of(old->access));
}

/* Drops what the new access stands for as well: whatever will race with such
 * an old one, races with the new one. Where there is no room the oldest goes:
 * with more than 8 readers of one word, a race may go unseen in one run. */
static void remember(struct cell *cell, const struct access *new)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < cell->count; i++) {
        const struct access *old = &cell->accesses[i];
        bool known = ex_current->clock[old->thread] >= old->epoch;
        bool covered =
            (old->bytes & ~new->bytes) == 0 &&
            ((new->access &EX_WRITE) || !(old->access & EX_WRITE)) &&
            (!(new->access & 2) || (old->access & 2));
        if (!known || !covered)
            cell->accesses[kept++] = *old;
    }
    if (kept == ACCESSES) {
        for (uint32_t i = 1; i < ACCESSES; i++)
            cell->accesses[i - 1] = cell->accesses[i];
        kept--;
    }
    cell->accesses[kept++] = *new;
    cell->count = kept;
}

static void check_cell(uintptr_t address, uint8_t bytes, enum ex_access access,
                       const void *place)
{
    struct cell *cell = cell_of(address);
    struct access new = {
        .place = place,
        .epoch = ex_current->clock[ex_current->id],
        .thread = (uint8_t)ex_current->id,
        .bytes = bytes,
        .access = (uint8_t)access,
    };
    for (uint32_t i = 0; i < cell->count; i++) {
        const struct access *old = &cell->accesses[i];
        if ((old->bytes & bytes) != 0 &&
            ((old->access | new.access) & EX_WRITE) != 0 &&
            ((old->access & new.access) & 2) == 0 &&
            ex_current->clock[old->thread] < old->epoch)
            report(old, &new);
    }
    remember(cell, &new);
}

void ex_race_point(enum ex_access access, const void *place)
{
    if (!ex_limits.follow_races || !follows_place(place))
        return;
    ex_point_simple(EX_GO, NULL, verb_of(access), place);
    ex_trace(ex_current, place, "%s", verb_of(access));
}

static void count_access(const void *place)
{
    ex_current->accesses++;
    if (ex_current->accesses > ENDLESS)
        ex_fail(EXPLORE_ENDLESS, place,
                "%s goes on and on without giving way: it waits busily, or "
                "its loop does not end",
                ex_current->name);
}

void ex_race_access(const void *address, size_t size, enum ex_access access,
                    const void *place)
{
    uintptr_t at = (uintptr_t)address;
    uintptr_t end = at + size;
    count_access(place);
    ex_heap_check(address, size, (access & EX_WRITE) != 0, place);
    ex_trace_access(verb_of(access), place);
    ex_current->segment =
        ex_mix(ex_current->segment ^ at, (uintptr_t)place + access);
    while (at < end) {
        uintptr_t cell = at & ~(uintptr_t)7;
        uintptr_t upto = end < cell + 8 ? end : cell + 8;
        unsigned mask = (1U << (upto - cell)) - (1U << (at - cell));
        check_cell(cell, (uint8_t)mask, access, place);
        at = upto;
    }
}
