/* lots: schedules with random priorities. See lots.h. */
#include "lots.h"

#include "state.h"

#define CHANGES 16

static EX_OWN uint64_t state = 0;
static EX_OWN int64_t priorities[EX_THREADS] = {0};
static EX_OWN int64_t lowest = 0;
static EX_OWN int moments[CHANGES] = {0};
static EX_OWN int changes = 0;
static EX_OWN int step = 0;

static uint64_t draw(uint64_t below)
{
    state++;
    return ex_mix(state, 0) % below;
}

void ex_lots_begin(uint64_t seed, int wanted, int length)
{
    state = ex_mix(seed, 0x10f5);
    lowest = 0;
    step = 0;
    changes = wanted < CHANGES ? wanted : CHANGES;
    for (int i = 0; i < EX_THREADS; i++)
        priorities[i] = (int64_t)draw(UINT64_C(1) << 40) + 1;
    for (int i = 0; i < changes; i++)
        moments[i] = (int)draw((uint64_t)(length < 1 ? 1 : length)) + 1;
}

static int highest(const struct ex_option *options, int count)
{
    int best = -1;
    for (int i = 0; i < count; i++) {
        if (options[i].choice == EX_RUN &&
            (best < 0 ||
             priorities[options[i].number] > priorities[options[best].number]))
            best = i;
    }
    return best;
}

int ex_lots_choose(const struct ex_option *options, int count,
                   const struct ex_thread *last)
{
    int others = 0; /* than threads that go on */
    step++;
    for (int i = 0; i < count; i++)
        others += options[i].choice != EX_RUN;
    if (others == count)
        return (int)draw((uint64_t)count);
    if (last != NULL && last->yielded)
        priorities[last->id] = --lowest;
    if (others > 0 && draw(8) == 0)
        return count - 1 - (int)draw((uint64_t)others);
    for (int i = 0; i < changes; i++) {
        if (moments[i] == step)
            priorities[options[highest(options, count)].number] = --lowest;
    }
    return highest(options, count);
}
