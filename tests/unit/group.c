/* group: every order of finishing, failing and cancelling; groups in groups. */
#include "group.h"

#include "loop.h"
#include "main.h"

#include <errno.h>
#include <string.h>

#define MEMBERS 3

/* What a member does when it is its time. */
enum deed { FINISHES, FAILS, SAYS_CANCELLED, DEEDS };

struct player {
    struct condition time; /* woken when it is */
    enum deed deed;
    int error; /* that it will fail with */
    bool came; /* its time did, and it has done its deed */
    bool cancelled;
    bool ended; /* it has also cleaned up */
};

struct scene {
    struct coroutine_group group;
    struct player players[MEMBERS];
    int64_t deadline;
    int result; /* 1: the group is still awaited */
};

static int play(void *arg)
{
    struct player *p = arg;
    int error = await_condition(&p->time, COROUTINE_NEVER);
    p->came = error == 0;
    p->cancelled = error == -ECANCELED;
    if (p->cancelled) { /* to clean up takes a while */
        coroutine_shield();
        ck_assert_int_eq(await_others(), 0);
        ck_assert_int_eq(await_others(), 0);
        coroutine_unshield();
    }
    p->ended = true;
    if (error != 0)
        return error;
    return p->deed == FINISHES ? 0 : p->deed == FAILS ? p->error : -ECANCELED;
}

static int await_players(void *arg)
{
    struct scene *scene = arg;
    group_open(&scene->group);
    for (int i = 0; i < MEMBERS; i++)
        ck_assert_int_eq(group_start(&scene->group, play, &scene->players[i]),
                         0);
    scene->result = 1;
    int result = await_group(&scene->group, scene->deadline);
    for (int i = 0; i < MEMBERS; i++)
        ck_assert(scene->players[i].ended); /* nothing outlives its block */
    scene->result = result;
    return result;
}

static const int orders[][MEMBERS] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                      {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

/* One way: the members' times come in this order; before the one at
 * `cancel_at` the awaiting coroutine is cancelled (MEMBERS: never). */
static void one_way(const int *order, int deeds, int cancel_at)
{
    struct scene scene = {.deadline = COROUTINE_NEVER};
    int expected = 0;
    bool over = false;
    for (int i = 0; i < MEMBERS; i++, deeds /= DEEDS) {
        scene.players[i].deed = (enum deed)(deeds % DEEDS);
        scene.players[i].error = -100 - i;
    }
    struct coroutine *c = coroutine_start(await_players, &scene);
    ck_assert_ptr_nonnull(c);
    settle();
    for (int i = 0; i < MEMBERS; i++) {
        struct player *p = &scene.players[order[i]];
        if (i == cancel_at) {
            coroutine_cancel(c);
            settle();
            if (!over)
                expected = -ECANCELED;
            over = true;
        }
        ck_assert_int_eq(p->cancelled, over);
        condition_wake(&p->time);
        settle();
        ck_assert_int_eq(p->came, !over);
        if (!over && p->deed == FAILS) {
            over = true;
            expected = p->error;
        }
        /* It is awaited until the last has ended, and not longer. */
        ck_assert_int_eq(scene.result,
                         over || i == MEMBERS - 1 ? expected : 1);
    }
    int result;
    ck_assert_int_eq(await_end(c, COROUTINE_NEVER, &result), 0);
    ck_assert_int_eq(result, expected);
}

COROUTINE_TEST(every_way_of_three)
{
    int ways = 0;
    (void)unused;
    for (int order = 0; order < 6; order++) {
        for (int deeds = 0; deeds < DEEDS * DEEDS * DEEDS; deeds++) {
            for (int at = 0; at <= MEMBERS; at++, ways++)
                one_way(orders[order], deeds, at);
        }
    }
    ck_assert_int_eq(ways, 648);
    return 0;
}

/* Two in one turn of the loop: the first counts. */
COROUTINE_TEST(two_at_once)
{
    (void)unused;
    for (int first = 0; first < 2; first++) {
        struct scene scene = {.deadline = COROUTINE_NEVER};
        for (int i = 0; i < MEMBERS; i++) {
            scene.players[i].deed = FAILS;
            scene.players[i].error = -100 - i;
        }
        struct coroutine *c = coroutine_start(await_players, &scene);
        ck_assert_ptr_nonnull(c);
        settle();
        condition_wake(&scene.players[first].time);
        condition_wake(&scene.players[1 - first].time);
        settle();
        ck_assert_int_eq(scene.result, -100 - first);
        int result;
        ck_assert_int_eq(await_end(c, COROUTINE_NEVER, &result), 0);
    }
    return 0;
}

COROUTINE_TEST(deadline)
{
    (void)unused;
    struct scene scene = {.deadline = coroutine_now() + 5 * MS};
    ck_assert_int_eq(await_players(&scene), -ETIMEDOUT);
    for (int i = 0; i < MEMBERS; i++)
        ck_assert(scene.players[i].cancelled);
    /* One that all have kept. */
    scene = (struct scene){.deadline = coroutine_now() + 3600 * 1000 * MS};
    struct coroutine *c = coroutine_start(await_players, &scene);
    ck_assert_ptr_nonnull(c);
    settle();
    for (int i = 0; i < MEMBERS; i++)
        condition_wake(&scene.players[i].time);
    int result;
    ck_assert_int_eq(await_end(c, COROUTINE_NEVER, &result), 0);
    ck_assert_int_eq(result, 0);
    return 0;
}

COROUTINE_TEST(nobody_in_it)
{
    (void)unused;
    struct coroutine_group group;
    group_open(&group);
    ck_assert_int_eq(await_group(&group, 0), 0);
    group_open(&group);
    group_end(&group, -EIO);
    group_end(&group, -EPERM); /* too late */
    ck_assert_int_eq(await_group(&group, COROUTINE_NEVER), -EIO);
    return 0;
}

/* --- Members that start others ------------------------------------------ */

struct breeder {
    struct coroutine_group *group;
    int generations;
    int *cancelled;
    int *born;
};

static int breed(void *arg)
{
    struct breeder b = *(struct breeder *)arg;
    ++*b.born;
    if (b.generations-- > 0)
        ck_assert_int_eq(group_start(b.group, breed, &b), 0);
    if (await_others() == -ECANCELED)
        ++*b.cancelled;
    return b.generations == 0 ? -EIO : 0;
}

/* A member that still has another to start when the group is over. */
static int bear_late(void *arg)
{
    struct breeder b = *(struct breeder *)arg;
    while (await_others() == 0)
        ;
    b.generations = 0;
    ck_assert_int_eq(group_start(b.group, breed, &b), 0);
    coroutine_shield();
    ck_assert_int_eq(await_others(), 0);
    ck_assert_int_eq(await_others(), 0);
    coroutine_unshield();
    return 0;
}

COROUTINE_TEST(members_of_members)
{
    (void)unused;
    struct coroutine_group group;
    int cancelled = 0;
    int born = 0;
    struct breeder b = {&group, 10, &cancelled, &born};
    group_open(&group);
    ck_assert_int_eq(group_start(&group, breed, &b), 0);
    ck_assert_int_eq(group_start(&group, bear_late, &b), 0);
    ck_assert_int_eq(await_group(&group, COROUTINE_NEVER), -EIO);
    ck_assert_int_eq(born, 12);
    ck_assert_int_ge(cancelled, 1);
    return 0;
}

/* --- A group within a group --------------------------------------------- */

struct outer {
    struct coroutine_group group;
    struct scene inner;
    struct player beside;
    int result; /* 1: not yet */
};

static int await_outer(void *arg)
{
    struct outer *outer = arg;
    group_open(&outer->group);
    ck_assert_int_eq(group_start(&outer->group, await_players, &outer->inner),
                     0);
    ck_assert_int_eq(group_start(&outer->group, play, &outer->beside), 0);
    outer->result = 1;
    int result = await_group(&outer->group, COROUTINE_NEVER);
    ck_assert_int_ne(outer->inner.result, 1); /* it has ended before */
    outer->result = result;
    return result;
}

/* Who fails: a member of the inner, or the one beside it; or the outermost is
 * cancelled. */
COROUTINE_TEST(group_within_a_group)
{
    (void)unused;
    for (int way = 0; way < 3; way++) {
        struct outer outer = {.inner.deadline = COROUTINE_NEVER};
        outer.inner.players[1].deed = FAILS;
        outer.inner.players[1].error = -EPROTO;
        outer.beside.deed = FAILS;
        outer.beside.error = -EIO;
        struct coroutine *c = coroutine_start(await_outer, &outer);
        ck_assert_ptr_nonnull(c);
        settle();
        if (way == 0)
            condition_wake(&outer.inner.players[1].time);
        else if (way == 1)
            condition_wake(&outer.beside.time);
        else
            coroutine_cancel(c);
        int result;
        ck_assert_int_eq(await_end(c, COROUTINE_NEVER, &result), 0);
        ck_assert_int_eq(result, way == 0   ? -EPROTO
                                 : way == 1 ? -EIO
                                            : -ECANCELED);
        ck_assert_int_eq(outer.inner.result, way == 0 ? -EPROTO : -ECANCELED);
        ck_assert_int_eq(outer.beside.cancelled, way != 1);
        ck_assert(outer.inner.players[0].cancelled);
        ck_assert(outer.inner.players[2].cancelled);
        ck_assert_int_eq(outer.inner.players[1].cancelled, way != 0);
    }
    return 0;
}

/* Inner's deadline is a failure of the outer's member. */
COROUTINE_TEST(deadline_within)
{
    (void)unused;
    struct outer outer = {.inner.deadline = coroutine_now() + 3 * MS};
    ck_assert_int_eq(await_outer(&outer), -ETIMEDOUT);
    ck_assert(outer.beside.cancelled);
    return 0;
}

static void add_cases(TCase *tc)
{
    tcase_add_test(tc, every_way_of_three);
    tcase_add_test(tc, two_at_once);
    tcase_add_test(tc, deadline);
    tcase_add_test(tc, nobody_in_it);
    tcase_add_test(tc, members_of_members);
    tcase_add_test(tc, group_within_a_group);
    tcase_add_test(tc, deadline_within);
}

UNIT_MAIN("group", add_cases)
