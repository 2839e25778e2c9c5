/* search: which schedule is next. See search.h. */
#include "search.h"

#include "export.h"
#include "lots.h"
#include "race.h"
#include "state.h"
#include "trace.h"

#include <stdlib.h>

/* One decision on the path that is walked. */
struct fork {
    uint64_t state; /* 0: not asked for */
    uint16_t chosen;
    uint16_t count;
    uint16_t thread; /* that goes on; EX_THREADS: none does */
};

EX_OWN struct ex_schedule *ex_search_made = NULL;

static EX_OWN enum { ALL, RANDOM, REPEAT } way = ALL;
static EX_OWN bool states = false;
static EX_OWN bool bounded = false;
static EX_OWN bool exported = false;
static EX_OWN struct fork path[EX_DECISIONS] = {{0}};
static EX_OWN int length = 0; /* of the path */
static EX_OWN int at = 0;     /* of this run */

static EX_OWN const struct ex_schedule *repeated = NULL;
static EX_OWN bool strict = false;
static EX_OWN int turn = 0;
static EX_OWN int times = 0;

void ex_search_all(bool with_states, bool with_bound)
{
    way = ALL;
    states = with_states;
    bounded = with_bound;
    exported = false;
    length = 0;
    ex_states_clear();
}

void ex_search_export(void)
{
    ex_search_all(true, false);
    ex_export_begin();
    exported = true;
}

void ex_search_random(uint64_t seed, int changes, int decisions)
{
    way = RANDOM;
    ex_lots_begin(seed, changes, decisions);
}

void ex_search_repeat(const struct ex_schedule *schedule, bool is_strict)
{
    way = REPEAT;
    repeated = schedule;
    strict = is_strict;
}

void ex_search_begin(void)
{
    at = 0;
    turn = 0;
    times = 0;
    ex_search_made->count = 0;
    ex_search_made->follows = ex_race_follows(ex_search_made->followed);
}

bool ex_search_next(void)
{
    while (length > 0 && path[length - 1].chosen + 1 >= path[length - 1].count)
        length--;
    if (length == 0)
        return false;
    path[length - 1].chosen++;
    return true;
}

/* --- All ------------------------------------------------------------------*/

/* The program is where it was on this same path, and every thread that could
 * have gone on there did since: it can go round like this for ever, and no
 * scheduler could be blamed. */
static bool goes_round(uint64_t state, const struct ex_option *options,
                       int count)
{
    uint64_t ran = 0;
    int from = at - 1;
    while (from >= 0 && path[from].state != state) {
        if (path[from].thread < EX_THREADS)
            ran |= UINT64_C(1) << path[from].thread;
        from--;
    }
    if (from < 0)
        return false;
    if (path[from].thread < EX_THREADS)
        ran |= UINT64_C(1) << path[from].thread;
    for (int i = 0; i < count; i++) {
        if (options[i].choice == EX_RUN && !(ran >> options[i].number & 1))
            return false;
    }
    return ran != 0;
}

/* True if this state is searched already: with as many preemptions to go, or
 * more. */
static bool known(uint64_t state, const struct ex_option *options, int count)
{
    int added = 0;
    bool before = false;
    if (bounded) {
        for (int i = 0; i < ex_spent.preemptions; i++)
            before = before || ex_states_has(ex_mix(state, (uint64_t)i));
        state = ex_mix(state, (uint64_t)ex_spent.preemptions);
    }
    if (!before)
        added = ex_states_add(state);
    if (added > 0)
        return false;
    if (added < 0)
        ex_note_failure(EXPLORE_ERROR, NULL, "no memory for more states");
    else if (goes_round(state, options, count))
        ex_note_failure(EXPLORE_ENDLESS, ex_thread(0)->next.place,
                        "it can go round for ever: threads wait busily, or "
                        "wake each other without end");
    return true;
}

static int choose_next(const struct ex_option *options, int count, bool value,
                       const struct ex_thread *last)
{
    if (at < length) {
        if (path[at].count != count) {
            ex_note_failure(EXPLORE_UNSTABLE, NULL,
                            "the same decisions led elsewhere: something "
                            "depends on what cannot be controlled");
            return -1;
        }
        if (exported && !value)
            ex_export_came(path[at].state);
        return path[at++].chosen;
    }
    if (at == EX_DECISIONS) {
        ex_note_failure(EXPLORE_ENDLESS, NULL, "too many decisions");
        return -1;
    }
    struct fork *fork = &path[at];
    *fork = (struct fork){.count = (uint16_t)count, .thread = EX_THREADS};
    if (states && !value && (count > 1 || exported)) {
        fork->state = ex_state_hash(bounded ? last : NULL);
        if (exported)
            ex_export_came(fork->state);
        if (known(fork->state, options, count))
            return -1;
    }
    at++;
    length = at;
    return 0;
}

/* --- Repeat ---------------------------------------------------------------*/

static int find(const struct ex_option *options, int count,
                const struct ex_turn *wanted)
{
    for (int i = 0; i < count; i++) {
        if (options[i].choice == wanted->choice &&
            options[i].number == wanted->number)
            return i;
    }
    return -1;
}

static int repeat(const struct ex_option *options, int count)
{
    while (turn < repeated->count) {
        const struct ex_turn *wanted = &repeated->turns[turn];
        int found = find(options, count, wanted);
        if (found >= 0 && ++times >= wanted->times &&
            wanted->times != EX_FOR_EVER) {
            turn++;
            times = 0;
        }
        if (found >= 0)
            return found;
        if (strict && wanted->times != EX_FOR_EVER) {
            ex_note_failure(EXPLORE_ERROR, NULL,
                            "the schedule does not fit this program, at its "
                            "turn %d",
                            turn + 1);
            return -1;
        }
        turn++;
        times = 0;
    }
    return 0;
}

int ex_search_choose(const struct ex_option *options, int count, bool value,
                     const struct ex_thread *last)
{
    int chosen;
    if (way == ALL)
        chosen = choose_next(options, count, value, last);
    else if (way == RANDOM)
        chosen = ex_lots_choose(options, count, last);
    else
        chosen = repeat(options, count);
    if (chosen < 0)
        return -1;
    const struct ex_option *option = &options[chosen];
    if (exported)
        ex_export_goes(option);
    if (way == ALL && option->choice == EX_RUN)
        path[at - 1].thread = option->number;
    if (!ex_schedule_add(ex_search_made, option->choice, option->number)) {
        ex_note_failure(EXPLORE_ENDLESS, NULL, "too many decisions");
        return -1;
    }
    return chosen;
}
