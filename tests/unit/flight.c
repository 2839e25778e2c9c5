/* Tests of flight: every order of a few events, beside a plain model. */
#include "flight.h"
#include "main.h"

#include <check.h>
#include <string.h>

/* ck_assert tells its parent of each success, which takes longer than all of
 * what is tested here. */
#define MUST(condition)                                                       \
    do {                                                                      \
        if (!(condition))                                                     \
            ck_abort_msg("not so: " #condition);                              \
    } while (false)

/* Requests 0 to IDS - 1, and runs of so many events. */
enum { IDS = 4, DEPTH = 6, LIMIT = 3 };

/* The model: what flight.h says, by looking at all of them. */
enum state { OUT, FLIES, GIVES, DONE };
static enum state model[IDS];
static uint64_t the_turn;
static size_t the_limit;

static size_t count(enum state state)
{
    size_t n = 0;
    for (int i = 0; i < IDS; i++)
        n += model[i] == state;
    return n;
}

static int newest_of_model(void)
{
    int newest = -1;
    for (int i = 0; i < IDS; i++)
        if ((model[i] == FLIES || model[i] == GIVES) && i != (int)the_turn)
            newest = i;
    return newest;
}

static bool may_enter_model(int id)
{
    return count(GIVES) == 0 &&
           (count(FLIES) < the_limit || id == (int)the_turn);
}

/* What is tested beside it. */
static struct flight flight;
static struct flier fliers[IDS];

static void compare(void)
{
    flight_check(&flight);
    MUST(flight.count == count(FLIES) + count(GIVES));
    MUST(flight.givers == count(GIVES));
    MUST(flight.limit == the_limit);
    MUST(flight.turn == the_turn);
    for (int i = 0; i < IDS; i++) {
        MUST(flight_has_turn(&flight, (uint64_t)i) == (i == (int)the_turn));
        if (model[i] == OUT)
            MUST(flight_may_enter(&flight, (uint64_t)i) == may_enter_model(i));
        if (model[i] == FLIES || model[i] == GIVES)
            MUST(fliers[i].gives_way == (model[i] == GIVES));
    }
}

/* Takes a request out, in both. */
static void leave(int id, enum state state)
{
    model[id] = state;
    flight_leave(&flight, &fliers[id]);
}

static bool enter(int id)
{
    if (model[id] != OUT || !may_enter_model(id))
        return false;
    model[id] = FLIES;
    flight_enter(&flight, &fliers[id], (uint64_t)id);
    return true;
}

static bool finish(int id)
{
    if (model[id] != FLIES && model[id] != GIVES)
        return false;
    leave(id, DONE);
    while (the_turn < IDS && model[the_turn] == DONE)
        the_turn++;
    if (the_turn < IDS && model[the_turn] == GIVES)
        model[the_turn] = FLIES;
    (void)flight_pass_turn(&flight, the_turn);
    return true;
}

/* A request in flight meets a shortage. */
static bool starve(int id)
{
    if (model[id] != FLIES)
        return false;
    int newest = newest_of_model();
    struct flier *giver = flight_give_way(&flight, &fliers[id]);
    if (count(GIVES) > 0) {
        MUST(giver == &fliers[id]);
    } else if (newest == -1) {
        MUST(giver == NULL);
        return true; /* it has failed for good; finish may come next */
    } else {
        MUST(giver == &fliers[newest]);
        size_t left = count(FLIES) - 1;
        the_limit = left > 0 ? left : 1;
        model[newest] = GIVES;
        compare();
    }
    leave(id, OUT);
    return true;
}

/* The one that gives way has given everything back. */
static bool give(int id)
{
    if (model[id] != GIVES)
        return false;
    leave(id, OUT);
    return true;
}

/* A request meets a shortage before it is in flight. */
static bool cannot_begin(int id)
{
    size_t flying = count(FLIES) + count(GIVES);
    if (model[id] != OUT || flying == 0)
        return false;
    int newest = newest_of_model();
    bool gives = id == (int)the_turn && count(GIVES) == 0 && newest != -1;
    struct flier *giver = flight_make_room(&flight, (uint64_t)id);
    MUST(giver == (gives ? &fliers[newest] : NULL));
    the_limit = flying;
    if (gives)
        model[newest] = GIVES;
    return true;
}

static bool (*const events[])(int id) = {enter, finish, starve, give,
                                         cannot_begin};
enum { EVENTS = sizeof events / sizeof *events };

/* Whatever has happened: those that give way do, the rest enter and finish
 * one by one, and all are done in the end. */
static void all_are_done_in_the_end(void)
{
    for (int i = 0; i < IDS; i++)
        (void)give(i);
    while (count(DONE) < IDS) {
        size_t before = count(DONE);
        for (int i = 0; i < IDS; i++)
            (void)enter(i);
        /* The first in line does not wait for a later one. */
        MUST(the_turn == IDS || model[the_turn] == FLIES);
        for (int i = 0; i < IDS; i++)
            (void)finish(i);
        MUST(count(DONE) > before);
        compare();
    }
    MUST(flight.first == NULL);
}

/* Runs through the events whose numbers are the digits of `run`. False: one of
 * them cannot happen there, so there is nothing to be seen. */
static bool go_through(const int *run, int n)
{
    memset(model, 0, sizeof model);
    the_turn = 0;
    the_limit = LIMIT;
    flight_open(&flight, LIMIT);
    for (int i = 0; i < n; i++) {
        if (!events[run[i] / IDS](run[i] % IDS))
            return false;
        compare();
    }
    all_are_done_in_the_end();
    return true;
}

static long go_on(int *run, int n)
{
    long seen = 1;
    if (n == DEPTH)
        return seen;
    for (run[n] = 0; run[n] < EVENTS * IDS; run[n]++)
        if (go_through(run, n + 1))
            seen += go_on(run, n + 1);
    return seen;
}

START_TEST(every_order_of_events)
{
    int run[DEPTH];
    long seen = go_on(run, 0);
    ck_assert_int_gt(seen, 10000);
}
END_TEST

START_TEST(an_old_turn_is_passed_over)
{
    flight_open(&flight, 2);
    ck_assert(flight_pass_turn(&flight, 3));
    ck_assert(!flight_pass_turn(&flight, 2));
    ck_assert(flight_has_turn(&flight, 3));
}
END_TEST

static void add_cases(TCase *tc)
{
    tcase_add_test(tc, every_order_of_events);
    tcase_add_test(tc, an_old_turn_is_passed_over);
}

UNIT_MAIN("flight", add_cases)
