/*
 * Groups: coroutines that end together. Members do what they are told when
 * their time comes, so every order can be had.
 */
#include "group.h"
#include "turns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MEMBERS 3

struct player {
    struct condition time; /* woken when it is this one's */
    int result;            /* of its function */
    bool came;             /* its time did */
    bool cancelled;
    bool ended; /* it has also cleaned up */
};

struct scene {
    struct coroutine_group group;
    struct player players[MEMBERS];
    int64_t deadline;
    int result; /* 1: the group is still awaited */
    bool over;
    bool left_behind; /* members, when the group had ended */
};

static void check_is(const char *what, int is, int wanted, const char *means,
                     const char *look)
{
    lab_check(is == wanted, means, look, "%s gives %s, not %s", what,
              lab_value(is), lab_value(wanted));
}

static void check_run(int (*f)(void *arg))
{
    check_is("coroutines_run", run(f, NULL), 0, "no coroutine can be made",
             "coroutine_start");
}

static int play(void *arg)
{
    struct player *p = arg;
    int error = await_condition(&p->time, COROUTINE_NEVER);
    p->came = error == 0;
    p->cancelled = error == -ECANCELED;
    if (p->cancelled) { /* to clean up takes a while */
        coroutine_shield();
        (void)await_others();
        (void)await_others();
        coroutine_unshield();
    }
    p->ended = true;
    return error != 0 ? error : p->result;
}

static void start_member(struct coroutine_group *group, int (*f)(void *arg),
                         void *arg)
{
    check_is("group_start", group_start(group, f, arg), 0, "no member is made",
             "group_start");
}

static int await_players(void *arg)
{
    struct scene *scene = arg;
    group_open(&scene->group);
    for (int i = 0; i < MEMBERS; i++)
        start_member(&scene->group, play, &scene->players[i]);
    scene->result = 1;
    int result = await_group(&scene->group, scene->deadline);
    for (int i = 0; i < MEMBERS; i++)
        scene->left_behind = scene->left_behind || !scene->players[i].ended;
    scene->result = result;
    scene->over = true;
    return result;
}

static struct scene new_scene(void)
{
    return (struct scene){.deadline = COROUTINE_NEVER};
}

static struct coroutine *begin_scene(struct scene *scene)
{
    struct coroutine *c = start(await_players, scene);
    settle();
    return c;
}

static void end_scene(struct coroutine *c, int wanted)
{
    int result = 1;
    int error = await_end(c, COROUTINE_NEVER, &result);
    check_is("await_end", error, 0, "an end is not told", "await_end");
    check_is("await_group", result, wanted,
             "a group's error is the first that ended it; 0 if none did",
             "leave, group_end, await_group");
}

static void check_nobody_left(const struct scene *scene)
{
    lab_check(!scene->left_behind,
              "the group is left while members are still at work, or clean "
              "up: they use what its block had",
              "await_group: what it waits for when the group has been ended",
              "await_group has returned, and a member has not ended");
}

static void have(struct scene *scene, int i)
{
    condition_wake(&scene->players[i].time);
    settle();
}

/* --- All end ------------------------------------------------------------ */

static int end_at_once(void *unused)
{
    (void)unused;
    return 0;
}

static const int orders[][MEMBERS] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                      {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

static int wait_for_all(void *unused)
{
    struct coroutine_group group;
    (void)unused;
    group_open(&group); /* nobody: nothing to wait for */
    check_is("await_group of nobody", await_group(&group, COROUTINE_NEVER), 0,
             "a group of nobody has ended", "await_group");
    group_open(&group);
    for (int i = 0; i < 3; i++)
        start_member(&group, end_at_once, NULL);
    check_is("await_group", await_group(&group, COROUTINE_NEVER), 0,
             "members that end at once are members", "await_group");
    for (int order = 0; order < 6; order++) {
        struct scene scene = new_scene();
        struct coroutine *c = begin_scene(&scene);
        for (int i = 0; i < MEMBERS; i++) {
            lab_check(!scene.over, "a group has ended when all members have",
                      "await_group: until when it waits; leave: which links "
                      "it undoes",
                      "the group has ended, and of %d members %d have",
                      MEMBERS, i);
            have(&scene, orders[order][i]);
        }
        lab_check(scene.over, "the last member to leave tells nobody",
                  "leave: whom it wakes, and when",
                  "all members have ended, and the group is still awaited");
        end_scene(c, 0);
    }
    return 0;
}

static void waits_for_all(void)
{
    doing("a group waits for its members",
          "the last member leaves between the look and the sleep, or tells "
          "nobody",
          "await_group: what may happen between its look at the members and "
          "its wait; leave: whom it wakes");
    check_run(wait_for_all);
}

/* --- One fails ---------------------------------------------------------- */

static int one_fails(void *unused)
{
    (void)unused;
    for (int i = 0; i < MEMBERS; i++) {
        struct scene scene = new_scene();
        scene.players[i].result = -100 - i;
        struct coroutine *c = begin_scene(&scene);
        have(&scene, i);
        for (int k = 0; k < MEMBERS; k++)
            lab_check(k == i || scene.players[k].cancelled,
                      "when one fails the others work on for nothing, and "
                      "the group is not over before they are",
                      "leave, group_end: what becomes of the other members",
                      "member %d of %d has failed, and member %d is not "
                      "cancelled",
                      i, MEMBERS, k);
        lab_check(scene.over, "the group is not over when all have ended",
                  "await_group, leave",
                  "a member has failed, the others were cancelled and have "
                  "ended, and the group is still awaited");
        end_scene(c, -100 - i);
    }
    return 0;
}

static void the_first_failure_ends_it(void)
{
    doing("one of three members fails",
          "the others are not told, and nobody else will wake them",
          "leave, group_end");
    check_run(one_fails);
}

static int two_fail(void *unused)
{
    (void)unused;
    for (int first = 0; first < 2; first++) {
        struct scene scene = new_scene();
        for (int i = 0; i < MEMBERS; i++)
            scene.players[i].result = -100 - i;
        struct coroutine *c = begin_scene(&scene);
        condition_wake(&scene.players[first].time);
        condition_wake(&scene.players[1 - first].time);
        settle();
        end_scene(c, -100 - first);
    }
    struct scene scene = new_scene();
    scene.players[0].result = -ECANCELED;
    struct coroutine *c = begin_scene(&scene);
    have(&scene, 0);
    lab_check(!scene.players[1].cancelled && !scene.over,
              "a member that was cancelled by itself is no failure",
              "leave: which results end the group",
              "a member gives -ECANCELED, and the others are cancelled");
    have(&scene, 1);
    have(&scene, 2);
    end_scene(c, 0);
    return 0;
}

static void the_first_failure_is_told(void)
{
    doing("two of three members fail", NULL, NULL);
    check_run(two_fail);
}

static int fail_with_cleaning(void *unused)
{
    (void)unused;
    for (int i = 0; i < MEMBERS; i++) {
        struct scene scene = new_scene();
        scene.players[i].result = -7;
        struct coroutine *c = begin_scene(&scene);
        have(&scene, i);
        end_scene(c, -7);
        check_nobody_left(&scene);
    }
    struct scene scene = new_scene(); /* ended from outside */
    struct coroutine *c = begin_scene(&scene);
    group_end(&scene.group, -9);
    group_end(&scene.group, -10);
    end_scene(c, -9);
    check_nobody_left(&scene);
    return 0;
}

static void nothing_outlives_its_group(void)
{
    doing("members that are cancelled clean up", NULL, NULL);
    check_run(fail_with_cleaning);
}

/* --- Deadlines and cancelling ------------------------------------------- */

static int meet_deadline(void *unused)
{
    struct scene scene = new_scene();
    (void)unused;
    scene.deadline = coroutine_now() + 10 * MS;
    struct coroutine *c = start(await_players, &scene);
    end_scene(c, -ETIMEDOUT);
    check_nobody_left(&scene);
    lab_check(scene.players[0].cancelled && scene.players[2].cancelled,
              "the deadline ends the wait, and not the group",
              "await_group: what it does when its wait says -ETIMEDOUT",
              "the group's deadline has passed, and its members are not "
              "cancelled");
    return 0;
}

static void a_group_has_a_deadline(void)
{
    doing("a group meets its deadline",
          "the deadline is forgotten, or the members are not told",
          "await_group");
    check_run(meet_deadline);
}

static int cancel_group(void *unused)
{
    struct scene scene = new_scene();
    (void)unused;
    struct coroutine *c = begin_scene(&scene);
    coroutine_cancel(c);
    end_scene(c, -ECANCELED);
    check_nobody_left(&scene);
    /* It is cancelled while it waits for members that were cancelled. */
    scene = new_scene();
    scene.players[1].result = -5;
    c = begin_scene(&scene);
    condition_wake(&scene.players[1].time);
    (void)await_others();
    coroutine_cancel(c);
    end_scene(c, -5);
    check_nobody_left(&scene);
    return 0;
}

static void a_cancelled_group_waits_all_the_same(void)
{
    doing("the one who awaits a group is cancelled",
          "what cancels the wait must not cancel the waiting for those who "
          "clean up",
          "await_group: coroutine_shield");
    check_run(cancel_group);
}

/* --- Memory ------------------------------------------------------------- */

static int free_at_the_end(void *arg)
{
    int *results = arg;
    struct coroutine_group *group = malloc(sizeof *group);
    struct player *players = calloc(MEMBERS, sizeof *players);
    if (group == NULL || players == NULL)
        lab_broken("no memory");
    group_open(group);
    for (int i = 0; i < MEMBERS; i++) {
        players[i].result = results[i];
        start_member(group, play, &players[i]);
        condition_wake(&players[i].time);
    }
    settle();
    for (int i = 0; i < MEMBERS; i++)
        condition_wake(&players[i].time);
    (void)await_group(group, COROUTINE_NEVER);
    free(group);
    free(players);
    settle();
    return 0;
}

static int free_each(void *unused)
{
    static int results[][MEMBERS] = {
        {0, 0, 0}, {-1, 0, 0}, {0, -1, 0}, {0, 0, -1}};
    (void)unused;
    for (int i = 0; i < 4; i++) {
        struct coroutine *c = start(free_at_the_end, results[i]);
        int result;
        (void)await_end(c, COROUTINE_NEVER, &result);
    }
    return 0;
}

static void nothing_is_touched_after_the_end(void)
{
    doing("a group's memory is freed when it has been awaited",
          "a member still uses the group, or itself, when it has said that it "
          "is gone: whoever waited has gone on",
          "leave: what is its very last step, and may it wait in between");
    check_run(free_each);
}

/* --- Members of members ------------------------------------------------- */

struct starter {
    struct coroutine_group *group;
    struct player player;
    struct player child;
};

static int start_child(void *arg)
{
    struct starter *s = arg;
    int result = play(&s->player);
    start_member(s->group, play, &s->child);
    return result;
}

static int members_of_members(void *unused)
{
    (void)unused;
    for (int ended = 0; ended < 2; ended++) {
        struct coroutine_group group;
        struct starter s = {.group = &group};
        group_open(&group);
        start_member(&group, start_child, &s);
        settle();
        if (ended != 0)
            group_end(&group, -3);
        else
            condition_wake(&s.player.time);
        settle();
        if (ended == 0)
            condition_wake(&s.child.time);
        int result = await_group(&group, COROUTINE_NEVER);
        check_is("await_group", result, ended != 0 ? -3 : 0,
                 "a member's member is a member", "group_start");
        lab_check(s.child.ended && s.child.cancelled == (ended != 0),
                  "who is started in a group that has been ended is "
                  "cancelled from the start, and awaited",
                  "group_start: what if the group has been ended",
                  "a member started another, and that has%s ended, and was%s "
                  "cancelled",
                  s.child.ended ? "" : " not",
                  s.child.cancelled ? "" : " not");
    }
    return 0;
}

static void members_start_members(void)
{
    doing("a member starts another",
          "a member of a group that has been ended is not told",
          "group_start");
    check_run(members_of_members);
}

/* --- Without memory ------------------------------------------------------ */

static int granted = -1; /* so many allocations, then one is refused */
static bool refused;

static bool refuse(void)
{
    if (granted < 0)
        return false;
    if (granted-- > 0)
        return false;
    refused = true;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_malloc(size_t size)
{
    return refuse() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return refuse() ? NULL : __real_calloc(n, size);
}

static int be_called(void *arg)
{
    *(bool *)arg = true;
    return 0;
}

/* Each allocation of group_start is refused once. */
static int start_without_memory(void *unused)
{
    int result = -ENOMEM;
    (void)unused;
    for (int n = 0; n < 10 && result != 0; n++) {
        struct coroutine_group group;
        bool called = false;
        group_open(&group);
        refused = false;
        granted = n;
        result = group_start(&group, be_called, &called);
        granted = -1;
        check_is(refused ? "group_start, without memory," : "group_start",
                 result, refused ? -ENOMEM : 0,
                 "who asks for a member must learn that there is none",
                 "group_start: what if there is no memory");
        check_is("await_group", await_group(&group, COROUTINE_NEVER), 0,
                 "a member that could not be started is none",
                 "group_start: what if there is no memory");
        lab_check(called != refused, "f is called if, and only if, it is 0",
                  "group_start: what if there is no memory",
                  "group_start gives %s, and f is%s called", lab_value(result),
                  called ? "" : " not");
    }
    return 0;
}

/* It has ended when it is detached. */
static int detach_too_late(void *unused)
{
    struct coroutine *c = start(end_at_once, unused);
    settle();
    coroutine_detach(c);
    return 0;
}

static int all_of_it(void *unused)
{
    /* First: no stack is kept yet, so one is asked for. */
    int result = start_without_memory(unused);
    result |= wait_for_all(unused);
    result |= one_fails(unused);
    result |= members_of_members(unused);
    return result | detach_too_late(unused);
}

static void gives_its_memory_back(void)
{
    doing("groups end in many ways", NULL, NULL);
    check_run(all_of_it);
    lab_doing("looking for memory that is left behind",
              "what a member or a coroutine had is not freed on each way "
              "out",
              "leave; group_start and coroutine_start, when they fail; "
              "coroutine_detach, when the coroutine has ended");
}

int main(void)
{
    static const struct lab_test tests[] = {
        {"waits_for_all", waits_for_all},
        {"the_first_failure_ends_it", the_first_failure_ends_it},
        {"the_first_failure_is_told", the_first_failure_is_told},
        {"nothing_outlives_its_group", nothing_outlives_its_group},
        {"a_group_has_a_deadline", a_group_has_a_deadline},
        {"a_cancelled_group_waits_all_the_same",
         a_cancelled_group_waits_all_the_same},
        {"nothing_is_touched_after_the_end", nothing_is_touched_after_the_end},
        {"members_start_members", members_start_members},
        {"gives_its_memory_back", gives_its_memory_back},
        {0}};
    return lab_main(tests);
}
