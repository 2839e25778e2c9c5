/* task: what is explored, and the work that a child does. See task.h. */
#include "task.h"

#include "export.h"
#include "race.h"
#include "search.h"
#include "state.h"

#include <limits.h>

#define PRIORITY_CHANGES 3
#define LENGTH           50 /* of a run, before there has been one */

static int pick(int option, int needed, int usual)
{
    int chosen = option != 0 ? option : needed != 0 ? needed : usual;
    return chosen == EXPLORE_NONE ? 0 : chosen;
}

void ex_task_decide(struct ex_task *task,
                    const struct explore_scenario *scenario,
                    const struct explore_options *options)
{
    static const struct explore_options none = {0};
    const struct explore_options *given = options == NULL ? &none : options;
    const struct explore_options *needs = &scenario->needs;
    long limit = given->limit != 0 ? given->limit : needs->limit;
    uint64_t seed = given->seed != 0 ? given->seed : needs->seed;
    *task = (struct ex_task){
        .scenario = scenario,
        .options =
            {
                .bound = pick(given->bound, needs->bound, 2),
                .random = pick(given->random, needs->random, 0),
                .seed = seed != 0 ? seed : 1,
                .exhaustive = given->exhaustive || needs->exhaustive,
                .spurious = pick(given->spurious, needs->spurious, 1),
                .timeouts = pick(given->timeouts, needs->timeouts, 0),
                .steps = pick(given->steps, needs->steps, 5000),
                .limit = limit != 0 ? limit : 1000000,
                .races = given->races != EXPLORE_RACES_FAIL ? given->races
                                                            : needs->races,
                .no_states = given->no_states || needs->no_states,
                .replay =
                    given->replay != NULL ? given->replay : needs->replay,
            },
    };
}

static void set_limits(const struct ex_task *task, int preemptions)
{
    const struct explore_options *options = &task->options;
    ex_limits = (struct ex_limits){
        .preemptions = preemptions,
        .spurious = options->spurious,
        .timeouts = options->timeouts,
        .steps = options->steps,
        .follow_races = options->races == EXPLORE_RACES_FOLLOW,
    };
}

/* One run. True if the search goes on. */
static bool run(struct ex_report *report, const struct ex_task *task)
{
    if (report->schedules >= task->options.limit) {
        report->cut_at_limit = true;
        return false;
    }
    enum ex_end end = ex_engine_run(task->scenario->run);
    report->schedules++;
    report->states = ex_states_count();
    if (end == EX_FAILED)
        ex_report_failure(report);
    return end != EX_FAILED;
}

/* All schedules with so many preemptions. True if the search goes on. */
static bool search_all(struct ex_report *report, const struct ex_task *task,
                       int preemptions)
{
    bool more = true;
    bool bounded = preemptions != INT_MAX;
    set_limits(task, preemptions);
    ex_search_all(!task->options.no_states, bounded);
    while (more) {
        if (!run(report, task))
            return false;
        if (ex_race_followed()) /* there are more points now */
            ex_search_all(!task->options.no_states, bounded);
        else
            more = ex_search_next();
    }
    return true;
}

static bool search_randomly(struct ex_report *report,
                            const struct ex_task *task)
{
    int length = LENGTH;
    set_limits(task, INT_MAX);
    for (int i = 0; i < task->options.random; i++) {
        ex_search_random(ex_mix(task->options.seed, (uint64_t)i),
                         PRIORITY_CHANGES, length);
        if (!run(report, task))
            return false;
        if (ex_spent.decisions > length)
            length = ex_spent.decisions;
    }
    return true;
}

void ex_task_search(struct ex_report *report, void *context)
{
    const struct ex_task *task = context;
    bool goes_on = true;
    ex_search_made = &report->made;
    if (task->options.exhaustive) {
        report->complete = search_all(report, task, INT_MAX);
        return;
    }
    ex_limits.met = true;
    for (int i = 0; goes_on && i <= task->options.bound && ex_limits.met; i++)
        goes_on = search_all(report, task, i);
    if (goes_on)
        goes_on = search_randomly(report, task);
    report->complete = goes_on;
}

void ex_task_export(struct ex_report *report, void *context)
{
    const struct ex_task *task = context;
    bool more = true;
    ex_search_made = &report->made;
    set_limits(task, INT_MAX);
    ex_search_export();
    while (more && report->schedules < task->options.limit &&
           !ex_export_full()) {
        ex_trace_to(&report->trace, NULL, NULL);
        ex_export_ended(ex_engine_run(task->scenario->run));
        report->schedules++;
        if (ex_race_followed())
            ex_search_export();
        else
            more = ex_search_next();
    }
    report->complete = !more;
}

/* What somebody pasted may come from a search with other limits. */
static void allow_all(const struct ex_schedule *schedule)
{
    int spurious = 0, timeouts = 0;
    for (int i = 0; i < schedule->count; i++) {
        spurious += schedule->turns[i].choice == EX_SPURIOUS;
        timeouts += schedule->turns[i].choice == EX_TIMEOUT;
    }
    if (ex_limits.spurious < spurious)
        ex_limits.spurious = spurious;
    if (ex_limits.timeouts < timeouts)
        ex_limits.timeouts = timeouts;
}

void ex_task_repeat(struct ex_report *report, void *context)
{
    const struct ex_task *task = context;
    ex_search_made = &report->made;
    set_limits(task, INT_MAX);
    if (task->strict)
        allow_all(task->schedule);
    for (int i = 0; i < task->schedule->follows; i++) {
        ex_limits.follow_races = true;
        ex_race_follow(task->schedule->followed[i]);
    }
    ex_search_repeat(task->schedule, task->strict);
    if (task->traced)
        ex_trace_to(&report->trace, task->places[0], task->places[1]);
    if (ex_engine_run(task->scenario->run) == EX_FAILED)
        ex_report_failure(report);
    else
        report->spent = ex_spent;
    report->schedules = 1;
    report->complete = !report->failed;
}
