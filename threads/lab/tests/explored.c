/* explored: a scenario under every schedule that matters. See explored.h. */
#include "explored.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* What is said of a failure that has no words of its own. */
static const struct {
    const char *means;
    const char *look;
} kinds[EXPLORE_ERROR + 1] = {
    [EXPLORE_DEADLOCK] = {"a thread waits for what nobody will bring any "
                          "more: the wake-up was lost, or never sent",
                          "what each thread waits for, below the table: which "
                          "line was to signal that, and when did it run"},
    [EXPLORE_CHECK] = {"an assertion of the code itself does not hold",
                       "the line named"},
    [EXPLORE_RACE] = {"two threads use the same memory at once, one of them "
                      "writing, and no lock orders them",
                      "the two lines named: what guards that memory, and who "
                      "does not hold it; or is it a variable of which a "
                      "thread was given the address"},
    [EXPLORE_MISUSE] = {"a function of <pthread.h> is called when it must not "
                        "be: with what is not locked, not there yet, there no "
                        "longer, or in use",
                        "the line named, and each path that leads to it"},
    [EXPLORE_MEMORY] = {"memory is used that was freed, or is nobody's: a "
                        "thread runs on when what it uses is gone, or an "
                        "index is too large",
                        "the line named; who frees what, and waits for whom "
                        "before; what was allocated, and how much of it"},
    [EXPLORE_CRASH] = {"a pointer or an index that leads nowhere, or no "
                       "longer anywhere",
                       "the last steps of the table"},
    [EXPLORE_EXIT] = {"the code under test ends the whole process",
                      "the call named: a library gives errors back"},
    [EXPLORE_ENDLESS] = {"a thread that waits runs on instead of sleeping: it "
                         "keeps a processor busy, and others from theirs",
                         "each loop that waits: does it give the processor up "
                         "until somebody signals"},
    [EXPLORE_STUCK] = {"a thread sleeps in a call that has nothing to do with "
                       "threads, as read or poll, and nothing can wake it",
                       "the last step of the table: which call comes then"},
    [EXPLORE_UNSUPPORTED] = {"it may well be right, but this cannot be tried "
                             "under all schedules, and so it cannot be graded",
                             "the call named; the hand-out says which calls "
                             "are understood"},
    [EXPLORE_UNSTABLE] = {"something depends on what is not decided here: a "
                          "clock of the processor, an address, a random "
                          "number, memory that was never set",
                          "what the code reads before it writes it"},
};

static void fail(const struct explore_scenario *scenario,
                 const struct explore_result *r, const char *means,
                 const char *look)
{
    if (r->means != NULL) {
        means = r->means;
        look = r->look;
    } else if (r->kind != EXPLORE_DEADLOCK || means == NULL) {
        means = kinds[r->kind].means;
        look = kinds[r->kind].look;
    }
    lab_fail(means, look,
             "%s: %s%s%s%s%s\n"
             "schedule %ld of those tried, with %d preemptions; to run it "
             "again: --replay %s %s\n%s",
             explore_kind_name(r->kind), r->message,
             r->place[0] != '\0' ? ", in " : "", r->place,
             r->other[0] != '\0' ? " and " : "", r->other, r->schedules,
             r->preemptions, r->schedule != NULL ? r->schedule : "-",
             scenario->name, r->table != NULL ? r->table : "");
}

void explored(const struct explore_scenario *scenarios, const char *name,
              const char *means, const char *look)
{
    struct explore_result result;
    struct explore_options options = {.random = 200};
    const struct explore_scenario *scenario = scenarios;
    while (scenario->name != NULL && strcmp(scenario->name, name) != 0)
        scenario++;
    if (scenario->name == NULL)
        lab_broken("there is no scenario %s", name);
    lab_doing("exploring schedules", means != NULL ? means : kinds[1].means,
              look != NULL ? look : kinds[1].look);
    int error = explore_run(scenario, &options, &result);
    if (error != 0)
        lab_broken("the explorer could not work: error %d", -error);
    if (result.kind == EXPLORE_ERROR)
        lab_broken("the explorer could not work: %s", result.message);
    if (result.kind != EXPLORE_PASSED)
        fail(scenario, &result, means, look);
    lab_check(result.complete || !scenario->needs.exhaustive,
              "there are more schedules than can be tried",
              "what it does more often, or with more locks, than it must",
              "%s: after %ld schedules the search was given up", name,
              result.schedules);
    explore_result_free(&result);
}

void expect_no_time(void)
{
    expect(explore_time() == 0,
           "nobody woke a thread that waits: it went on only when its limit "
           "was met, or when it looked again by itself",
           "in the table, the thread whose time was up, and what it waited "
           "for: which line brings that, and whom does it tell",
           "the clock has gone on by %lld ms, where every wait could have "
           "ended at once",
           (long long)(explore_time() / 1000000));
}
