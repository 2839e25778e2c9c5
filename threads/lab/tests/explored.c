/* explored: a scenario under every schedule that matters. See explored.h. */
#include "explored.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static void fail(const struct explore_scenario *scenario, struct hint hint,
                 const struct explore_result *r)
{
    lab_fail(hint.means, hint.look,
             "%s: %s%s%s%s%s\n"
             "schedule %ld of those tried, with %d preemptions:\n%s"
             "to run it again: --replay %s %s",
             explore_kind_name(r->kind), r->message,
             r->place[0] != '\0' ? ", in " : "", r->place,
             r->other[0] != '\0' ? " and " : "", r->other, r->schedules,
             r->preemptions, r->table != NULL ? r->table : "",
             r->schedule != NULL ? r->schedule : "-", scenario->name);
}

void explored(const struct explore_scenario *scenarios, const char *name,
              struct hint usual, const struct hint *hints)
{
    struct explore_result result;
    struct explore_options options = {.random = 200};
    const struct explore_scenario *scenario = scenarios;
    while (scenario->name != NULL && strcmp(scenario->name, name) != 0)
        scenario++;
    if (scenario->name == NULL)
        lab_broken("there is no scenario %s", name);
    lab_doing("exploring schedules", usual.means, usual.look);
    int error = explore_run(scenario, &options, &result);
    if (error != 0)
        lab_broken("the explorer could not work: error %d", -error);
    if (result.kind == EXPLORE_ERROR)
        lab_broken("the explorer could not work: %s", result.message);
    if (result.kind != EXPLORE_PASSED) {
        const struct hint *better = hints != NULL ? &hints[result.kind] : NULL;
        if (better == NULL || better->means == NULL)
            better = &usual;
        fail(scenario, *better, &result);
    }
    explore_result_free(&result);
}
