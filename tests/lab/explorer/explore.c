/* explore: one scenario from the search to the table. See explore.h. */
#include "explore.h"

#include "places.h"
#include "shrink.h"
#include "table.h"
#include "task.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *explore_kind_name(enum explore_kind kind)
{
    static const char *const names[] = {
        [EXPLORE_PASSED] = "passed",
        [EXPLORE_DEADLOCK] = "deadlock",
        [EXPLORE_CHECK] = "failed check",
        [EXPLORE_RACE] = "data race",
        [EXPLORE_MISUSE] = "misuse",
        [EXPLORE_MEMORY] = "memory error",
        [EXPLORE_CRASH] = "crash",
        [EXPLORE_EXIT] = "exit",
        [EXPLORE_ENDLESS] = "endless",
        [EXPLORE_STUCK] = "stuck",
        [EXPLORE_UNSUPPORTED] = "unsupported",
        [EXPLORE_UNSTABLE] = "unstable",
        [EXPLORE_ERROR] = "error",
    };
    return names[kind];
}

static void put_places(const struct ex_report *report,
                       struct explore_result *result)
{
    struct ex_place places[2] = {{.address = report->failure.place},
                                 {.address = report->failure.other}};
    ex_places_find(places, 2);
    (void)snprintf(result->place, sizeof result->place, "%s", places[0].text);
    (void)snprintf(result->other, sizeof result->other, "%s", places[1].text);
}

static int put_failure(const struct ex_report *report,
                       struct explore_result *result)
{
    result->kind = report->failure.kind;
    result->preemptions = report->spent.preemptions;
    result->switches = report->spent.switches;
    result->steps = report->spent.decisions;
    (void)snprintf(result->message, sizeof result->message, "%s",
                   report->failure.message);
    result->means = report->failure.means;
    result->look = report->failure.look;
    put_places(report, result);
    result->schedule = ex_schedule_text(&report->made);
    result->table = ex_table(report);
    if (result->schedule == NULL || result->table == NULL)
        return -ENOMEM;
    return 0;
}

/* Runs the schedule once more, traced. A race's accesses are known only after
 * it was seen: so twice. */
static int repeat(struct ex_task *task, struct ex_report *report)
{
    task->traced = true;
    task->places[0] = NULL;
    task->places[1] = NULL;
    int error = ex_child_do(report, ex_task_repeat, task);
    if (error != 0 || report->failure.kind != EXPLORE_RACE)
        return error;
    task->places[0] = report->failure.place;
    task->places[1] = report->failure.other;
    return ex_child_do(report, ex_task_repeat, task);
}

static int replay(struct ex_task *task, struct ex_report *report,
                  struct ex_schedule *schedule, struct explore_result *result)
{
    int error = ex_schedule_read(schedule, task->options.replay);
    if (error != 0)
        return error;
    task->schedule = schedule;
    task->strict = true;
    error = repeat(task, report);
    result->schedules = 1;
    result->complete = true;
    if (error == 0 && report->failed)
        error = put_failure(report, result);
    return error;
}

static int search(struct ex_task *task, struct ex_report *report,
                  struct ex_schedule *schedule, struct explore_result *result)
{
    int error = ex_child_do(report, ex_task_search, task);
    if (error != 0)
        return error;
    result->complete = report->complete;
    result->schedules = report->schedules;
    result->states = report->states;
    if (!report->failed)
        return 0;
    const struct ex_failure failure = report->failure;
    enum explore_kind kind = failure.kind;
    ex_schedule_copy(schedule, &report->made);
    if (kind != EXPLORE_STUCK && kind != EXPLORE_ENDLESS)
        error = ex_shrink(task, &failure, schedule);
    if (error != 0)
        return error;
    task->schedule = schedule;
    task->strict = false;
    error = repeat(task, report);
    if (error != 0)
        return error;
    if (!report->failed || report->failure.kind != kind) {
        report->failure.kind = EXPLORE_UNSTABLE;
        (void)snprintf(report->failure.message, sizeof report->failure.message,
                       "a %s was seen, but the same decisions did not lead "
                       "there again: something depends on what cannot be "
                       "controlled",
                       explore_kind_name(kind));
    }
    return put_failure(report, result);
}

int explore_run(const struct explore_scenario *scenario,
                const struct explore_options *options,
                struct explore_result *result)
{
    struct ex_task task;
    *result = (struct explore_result){.kind = EXPLORE_PASSED};
    ex_task_decide(&task, scenario, options);
    result->seed = task.options.seed;
    int error = ex_engine_open();
    if (error != 0)
        return error;
    struct ex_report *report = ex_report_make();
    struct ex_schedule *schedule = malloc(sizeof *schedule);
    if (report == NULL || schedule == NULL)
        error = -ENOMEM;
    else if (task.options.replay != NULL)
        error = replay(&task, report, schedule, result);
    else
        error = search(&task, report, schedule, result);
    free(schedule);
    ex_report_free(report);
    if (error != 0)
        explore_result_free(result);
    return error;
}

void explore_result_free(struct explore_result *result)
{
    free(result->schedule);
    free(result->table);
    result->schedule = NULL;
    result->table = NULL;
}
