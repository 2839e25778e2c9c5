/*
 * Coroutines that begin, let each other have their turn, and end: nothing here
 * waits for more than that.
 */
#include "context.h"
#include "turns.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void check_run(int (*f)(void *arg), int wanted)
{
    story[0] = '\0';
    int result = run(f, NULL);
    lab_check(result == wanted,
              result == -ENOMEM ? "coroutine_start gives NULL"
                                : "the result of the first is not the run's",
              "coroutine_start; begin: what becomes of what f returns",
              "coroutines_run gives %s, not %s", lab_value(result),
              lab_value(wanted));
}

/* --- Beginning ---------------------------------------------------------- */

static int tell_it(void *what)
{
    tell(what);
    return 0;
}

static int begin_two(void *unused)
{
    (void)unused;
    start_and_forget(tell_it, "a");
    start_and_forget(tell_it, "b");
    tell("-");
    settle();
    return 0;
}

static void begins_when_its_turn_comes(void)
{
    doing("two coroutines are to begin", "who is made ready never has a turn",
          "coroutine_start, wake: who puts it into the list of those that are "
          "ready, and who has the loop look there");
    check_run(begin_two, 0);
    check_story("-ab",
                "starting one must not run it: the caller goes on, and it "
                "begins when the loop comes to it, once, with its argument",
                "coroutine_start, begin");
}

/* --- Taking turns ------------------------------------------------------- */

static int thrice(void *name)
{
    for (int i = 0; i < 3; i++) {
        tell(name);
        (void)await_others();
    }
    return 0;
}

static int take_turns(void *unused)
{
    (void)unused;
    start_and_forget(thrice, "a");
    start_and_forget(thrice, "b");
    start_and_forget(thrice, "c");
    settle();
    return 0;
}

static void in_turn(void)
{
    doing("three coroutines take turns", NULL, NULL);
    check_run(take_turns, 0);
    check_story("abcabcabc",
                "who has been longest ready is next; await_others puts the "
                "caller behind all others",
                "await_others, wake: at which end of the list; run_ready: "
                "from which end");
}

/* --- Variables ---------------------------------------------------------- */

struct sum {
    long n;
    bool wrong;
};

/* More values than there are registers, and an array on the stack. */
static int compute(void *arg)
{
    struct sum *sum = arg;
    char mine[2000];
    long a = sum->n, b = a + 1, c = a + 2, d = a + 3, e = a + 4, f = a + 5;
    double x = (double)a, y = x + .5;
    memset(mine, (int)sum->n, sizeof mine);
    for (int i = 0; i < 8; i++) {
        (void)await_others();
        a += b, b += c, c += d, d += e, e += f, f += sum->n;
        x += y, y += 1;
        for (size_t k = 0; k < sizeof mine; k++)
            sum->wrong = sum->wrong || mine[k] != (char)sum->n;
        mine[0] = (char)sum->n;
    }
    sum->n = a + b + c + d + e + f + (long)(x + y);
    return 0;
}

static int compute_together(void *unused)
{
    struct sum alone[3] = {{1, false}, {20, false}, {100, false}};
    struct sum together[3] = {{1, false}, {20, false}, {100, false}};
    (void)unused;
    for (int i = 0; i < 3; i++) {
        start_and_forget(compute, &alone[i]);
        settle();
    }
    for (int i = 0; i < 3; i++)
        start_and_forget(compute, &together[i]);
    settle();
    for (int i = 0; i < 3; i++)
        lab_check(!together[i].wrong && together[i].n == alone[i].n,
                  "two coroutines share a stack, or one is left without its "
                  "registers",
                  "coroutine_start: which stack it takes; suspend, resume: "
                  "from which context to which",
                  "coroutine %d computes %ld beside others, %ld alone", i,
                  together[i].n, alone[i].n);
    return 0;
}

static void keeps_its_variables(void)
{
    doing("coroutines compute, and take turns", NULL, NULL);
    check_run(compute_together, 0);
}

/* --- Ending ------------------------------------------------------------- */

static int leave_others(void *unused)
{
    (void)unused;
    start_and_forget(thrice, "x");
    start_and_forget(thrice, "y");
    return 7;
}

static void ends_when_all_have(void)
{
    doing("the last coroutines end",
          "the loop is not told that nobody is left",
          "begin, run_ready: what they do when no coroutine is left");
    check_run(leave_others, 7);
    lab_check(strlen(story) == 6, "the run ends before all coroutines have",
              "run_ready: when it ends the loop",
              "two coroutines had three turns each, and together they took "
              "%zu",
              strlen(story));
}

static int do_nothing(void *count)
{
    (*(int *)count)++;
    return 0;
}

/* Mappings of the process: a stack is two. */
static int mappings(void)
{
    int lines = 0;
    FILE *file = fopen("/proc/self/maps", "re");
    if (file == NULL)
        lab_broken("/proc/self/maps cannot be read");
    for (int c = getc(file); c != EOF; c = getc(file))
        lines += c == '\n';
    (void)fclose(file);
    return lines;
}

#define MANY 300 /* more than the stacks that are kept */

static int many_rounds(void *unused)
{
    int before = 0, count = 0;
    (void)unused;
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < MANY; i++)
            start_and_forget(do_nothing, &count);
        settle();
        if (round == 0)
            before = mappings();
    }
    lab_check(count == 4 * MANY, "some never began",
              "run_ready: what it does about those that it did not come to",
              "of %d coroutines that were started %d have run", 4 * MANY,
              count);
    int more = mappings() - before;
    lab_check(more < MANY, "the stacks of ended coroutines are not given back",
              "free_coroutine: who calls it, and when",
              "after %d more coroutines, all ended, there are %d more "
              "mappings",
              3 * MANY, more);
    return 0;
}

static void stacks_are_used_again(void)
{
    doing("hundreds of coroutines end, more than stacks are kept",
          "a stack is given back, and so unmapped, while a coroutine still "
          "stands on it; or the coroutine is freed and used after that",
          "begin, resume: on which stack does free_coroutine run");
    check_run(many_rounds, 0);
}

/* --- Fairness ----------------------------------------------------------- */

static bool heard;
static bool no_self;

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    heard = true;
    no_self = coroutine_self() == NULL;
}

static int always_ready(void *arg)
{
    for (int *rounds = arg; !heard && *rounds < 1000; (*rounds)++)
        (void)await_others();
    return 0;
}

static int beside_a_descriptor(void *unused)
{
    int fds[2], rounds[2] = {0, 0};
    (void)unused;
    if (pipe(fds) != 0 || write(fds[1], "", 1) != 1)
        lab_broken("no pipe");
    struct event *event =
        event_new(turns_base, fds[0], EV_READ, on_readable, NULL);
    if (event == NULL || event_add(event, NULL) != 0)
        lab_broken("no event");
    start_and_forget(always_ready, &rounds[0]);
    start_and_forget(always_ready, &rounds[1]);
    for (int i = 0; i < 2000 && !heard; i++)
        (void)await_others();
    event_free(event);
    (void)close(fds[0]);
    (void)close(fds[1]);
    lab_check(heard && rounds[0] < 200,
              "whoever gets ready while others run has a turn at once, so "
              "that the loop never comes to look at its descriptors",
              "run_ready: those that become ready meanwhile have the next "
              "turn of the loop",
              "coroutines had %d turns before the loop looked at a descriptor "
              "that was readable all the time",
              rounds[0]);
    lab_check(no_self, "in a callback of the loop no coroutine runs",
              "resume: what `current` is when it returns",
              "coroutine_self() gives a coroutine in a callback of the loop");
    return 0;
}

#define CROWD 300 /* some turns of the loop */

struct crowd {
    int fd; /* the first one writes there */
    int ran;
    int before; /* ... when the descriptor's turn had not come */
};

static int one_of_a_crowd(void *arg)
{
    struct crowd *crowd = arg;
    if (crowd->ran++ == 0 && write(crowd->fd, "", 1) != 1)
        lab_broken("no byte can be sent");
    crowd->before += !heard;
    return 0;
}

/* All are ready at once, and run once. */
static int crowd_beside_a_descriptor(void *unused)
{
    struct crowd crowd = {0};
    int fds[2];
    (void)unused;
    heard = false;
    if (pipe(fds) != 0)
        lab_broken("no pipe");
    crowd.fd = fds[1];
    struct event *event =
        event_new(turns_base, fds[0], EV_READ, on_readable, NULL);
    if (event == NULL || event_add(event, NULL) != 0)
        lab_broken("no event");
    for (int i = 0; i < CROWD; i++)
        start_and_forget(one_of_a_crowd, &crowd);
    for (int i = 0; i < 2000 && (!heard || crowd.ran < CROWD); i++)
        (void)await_others();
    event_free(event);
    (void)close(fds[0]);
    (void)close(fds[1]);
    lab_check(crowd.ran == CROWD, "some never began",
              "run_ready: what it does about those that it did not come to",
              "of %d coroutines that were ready %d have run", CROWD,
              crowd.ran);
    lab_check(crowd.before < CROWD,
              "the more are ready, the longer a descriptor waits for its "
              "turn",
              "run_ready: READY_SHARE",
              "%d coroutines were ready, and all of them ran before the loop "
              "looked at a descriptor",
              CROWD);
    return 0;
}

static void descriptors_get_their_turn(void)
{
    doing("two coroutines are always ready", NULL, NULL);
    check_run(beside_a_descriptor, 0);
    doing("hundreds of coroutines are ready", NULL, NULL);
    check_run(crowd_beside_a_descriptor, 0);
}

/* --- No memory ---------------------------------------------------------- */

static bool fails;

int __real_context_open(struct context *context, size_t size);
int __wrap_context_open(struct context *context, size_t size);

int __wrap_context_open(struct context *context, size_t size)
{
    return fails ? -ENOMEM : __real_context_open(context, size);
}

static int start_without_room(void *unused)
{
    int count = 0;
    (void)unused;
    fails = true;
    struct coroutine *c = coroutine_start(do_nothing, &count);
    fails = false;
    lab_check(c == NULL, "who has no stack cannot be run",
              "coroutine_start: what it does when take_stack gives NULL",
              "there is no room for a stack, and coroutine_start gives a "
              "coroutine");
    settle();
    start_and_forget(do_nothing, &count);
    settle();
    lab_check(count == 1, "what failed has left something behind",
              "coroutine_start: what it has changed when it gives up",
              "one coroutine was started, and %d ran", count);
    return 0;
}

static void cannot_be_started(void)
{
    doing("a coroutine cannot be started, and later the run is to end",
          "a coroutine that could not be started counts as one that has not "
          "ended",
          "coroutine_start: in which order it does things");
    check_run(start_without_room, 0);
}

int main(void)
{
    static const struct lab_test tests[] = {
        {"begins_when_its_turn_comes", begins_when_its_turn_comes},
        {"in_turn", in_turn},
        {"keeps_its_variables", keeps_its_variables},
        {"ends_when_all_have", ends_when_all_have},
        {"stacks_are_used_again", stacks_are_used_again},
        {"descriptors_get_their_turn", descriptors_get_their_turn},
        {"cannot_be_started", cannot_be_started},
        {0}};
    return lab_main(tests);
}
