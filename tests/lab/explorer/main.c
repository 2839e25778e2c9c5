/* main: the command line of a program of scenarios. See explore.h. */
#include "child.h"
#include "explore.h"
#include "export.h"
#include "places.h"
#include "table.h"
#include "task.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_help(const char *program)
{
    (void)printf(
        "Usage: %s [OPTION]... [SCENARIO]...\n"
        "\n"
        "Runs each scenario (or all) under every schedule that is asked for,\n"
        "and shows the simplest one that fails.\n"
        "\n"
        "  --list          print the names of the scenarios\n"
        "  --bound N       all schedules of at most N preemptions (2)\n"
        "  --random N      then N schedules with random priorities (0)\n"
        "  --seed S        of the random ones (1)\n"
        "  --exhaustive    instead: all schedules there are\n"
        "  --spurious N    wake-ups for no reason in a schedule, at most (1)\n"
        "  --timeouts N    time-outs in a schedule while others could run "
        "(0)\n"
        "  --steps N       more steps are endless (5000)\n"
        "  --limit N       give up after N schedules (1000000)\n"
        "  --follow-races  a race is no failure, but what comes of it is\n"
        "  --no-states     do not know states again (slow)\n"
        "  --replay S      run one scenario under this schedule, in this "
        "very\n"
        "                  process: so under gdb, too\n"
        "  --export FILE   write all states and steps of one scenario, as "
        "JSON,\n"
        "                  in this process likewise; FILE may be -\n"
        "  --help          print this help\n"
        "\n"
        "Status: 0 all passed, 1 one failed, 2 wrong usage.\n",
        program);
}

enum {
    LIST = 1,
    BOUND,
    RANDOM,
    SEED,
    EXHAUSTIVE,
    SPURIOUS,
    TIMEOUTS,
    STEPS,
    LIMIT,
    FOLLOW,
    NO_STATES,
    REPLAY,
    EXPORT,
    HELP
};

static const struct option long_options[] = {
    {"list", no_argument, NULL, LIST},
    {"bound", required_argument, NULL, BOUND},
    {"random", required_argument, NULL, RANDOM},
    {"seed", required_argument, NULL, SEED},
    {"exhaustive", no_argument, NULL, EXHAUSTIVE},
    {"spurious", required_argument, NULL, SPURIOUS},
    {"timeouts", required_argument, NULL, TIMEOUTS},
    {"steps", required_argument, NULL, STEPS},
    {"limit", required_argument, NULL, LIMIT},
    {"follow-races", no_argument, NULL, FOLLOW},
    {"no-states", no_argument, NULL, NO_STATES},
    {"replay", required_argument, NULL, REPLAY},
    {"export", required_argument, NULL, EXPORT},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

/* A number from 0 to `most`, or -1. */
static long number(const char *text, long most)
{
    char *end = NULL;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < 0 || value > most)
        return -1;
    return value;
}

/* As an option has it: 0 is EXPLORE_NONE there. */
static bool set_int(int *option, const char *text)
{
    long value = number(text, 1000000000);
    *option = value == 0 ? EXPLORE_NONE : (int)value;
    return value >= 0;
}

static bool set_long(long *option, const char *text)
{
    *option = number(text, 1L << 60);
    return *option > 0;
}

/* One option. False: its argument is wrong. */
static bool set(struct explore_options *options, int option, char *argument)
{
    long seed = 0;
    switch (option) {
    case BOUND:
        return set_int(&options->bound, argument);
    case RANDOM:
        return set_int(&options->random, argument);
    case SEED:
        if (!set_long(&seed, argument))
            return false;
        options->seed = (uint64_t)seed;
        return true;
    case EXHAUSTIVE:
        options->exhaustive = true;
        return true;
    case SPURIOUS:
        return set_int(&options->spurious, argument);
    case TIMEOUTS:
        return set_int(&options->timeouts, argument);
    case STEPS:
        return set_int(&options->steps, argument) && options->steps > 0;
    case LIMIT:
        return set_long(&options->limit, argument);
    case FOLLOW:
        options->races = EXPLORE_RACES_FOLLOW;
        return true;
    case NO_STATES:
        options->no_states = true;
        return true;
    case REPLAY:
        options->replay = argument;
        return true;
    default:
        return false;
    }
}

/* What was searched, as a sentence. */
static void print_searched(const struct ex_task *task,
                           const struct explore_result *result)
{
    const struct explore_options *options = &task->options;
    (void)printf("%ld schedule%s, %ld states", result->schedules,
                 result->schedules == 1 ? "" : "s", result->states);
    if (!result->complete && result->kind == EXPLORE_PASSED)
        (void)printf("; not complete: the limit was met");
    else if (options->exhaustive)
        (void)printf("; all there are");
    else
        (void)printf("; up to %d preemption%s", options->bound,
                     options->bound == 1 ? "" : "s");
    if (options->random > 0 && !options->exhaustive)
        (void)printf(", %d random ones from seed %llu", options->random,
                     (unsigned long long)options->seed);
    (void)printf("; spurious wake-ups: %d, early time-outs: %d",
                 options->spurious, options->timeouts);
}

static int explore_one(const char *program,
                       const struct explore_scenario *scenario,
                       const struct explore_options *options)
{
    struct explore_result result;
    struct ex_task task;
    ex_task_decide(&task, scenario, options);
    int error = explore_run(scenario, options, &result);
    if (error != 0) {
        (void)fprintf(stderr, "%s: %s: %s\n", program, scenario->name,
                      strerror(-error));
        return 2;
    }
    (void)printf("%s: %s", scenario->name, explore_kind_name(result.kind));
    if (result.kind == EXPLORE_PASSED) {
        (void)printf(" (");
    } else {
        (void)printf(": %s\n\n%s\nPreemptions: %d\n"
                     "Replay: %s --replay %s %s\n(",
                     result.message, result.table, result.preemptions, program,
                     result.schedule, scenario->name);
    }
    print_searched(&task, &result);
    (void)printf(")\n");
    int status = result.kind == EXPLORE_PASSED ? 0 : 1;
    explore_result_free(&result);
    return status;
}

/* In this process: for a debugger. What the scenario prints is to be seen. */
static int replay(const char *program, const struct explore_scenario *scenario,
                  const struct explore_options *options)
{
    struct ex_task task;
    int status = 2;
    ex_task_decide(&task, scenario, options);
    struct ex_schedule *schedule = malloc(sizeof *schedule);
    struct ex_report *report = ex_report_make();
    if (schedule == NULL || report == NULL || ex_engine_open() != 0) {
        (void)fprintf(stderr, "%s: no memory\n", program);
    } else if (ex_schedule_read(schedule, options->replay) != 0) {
        (void)fprintf(stderr, "%s: this is no schedule: %s\n", program,
                      options->replay);
    } else {
        task.schedule = schedule;
        task.strict = true;
        task.traced = true;
        ex_child_guard(report);
        ex_task_repeat(report, &task);
        char *table = ex_table(report);
        (void)printf("%s\n", table == NULL ? "no memory" : table);
        free(table);
        status = report->failed ? 1 : 0;
    }
    ex_report_free(report);
    free(schedule);
    return status;
}

/* In this process, too: what it found is in its memory. */
static int export_graph(const char *program,
                        const struct explore_scenario *scenario,
                        const struct explore_options *options,
                        const char *file)
{
    struct ex_task task;
    int error = ex_engine_open();
    ex_task_decide(&task, scenario, options);
    struct ex_report *report = ex_report_make();
    FILE *out = strcmp(file, "-") == 0 ? stdout : fopen(file, "we");
    if (report == NULL || error != 0)
        error = -ENOMEM;
    else if (out == NULL)
        error = -errno;
    if (error == 0) {
        ex_child_guard(report);
        ex_task_export(report, &task);
        error = ex_export_print(out, scenario->name, report->complete);
    }
    if (out != NULL && out != stdout && fclose(out) != 0 && error == 0)
        error = -errno;
    ex_export_end();
    ex_report_free(report);
    if (error != 0)
        (void)fprintf(stderr, "%s: %s: %s\n", program, file, strerror(-error));
    return error == 0 ? 0 : 2;
}

static const struct explore_scenario *
find(const struct explore_scenario *scenarios, const char *name)
{
    while (scenarios->name != NULL && strcmp(scenarios->name, name) != 0)
        scenarios++;
    return scenarios->name == NULL ? NULL : scenarios;
}

static int explore_named(char **names, int count, const char *program,
                         const struct explore_scenario *scenarios,
                         const struct explore_options *options,
                         const char *export_to)
{
    int status = 0;
    for (int i = 0; i < count; i++) {
        if (find(scenarios, names[i]) == NULL) {
            (void)fprintf(stderr, "%s: no scenario %s; see --list\n", program,
                          names[i]);
            return 2;
        }
    }
    if ((options->replay != NULL || export_to != NULL) && count != 1) {
        (void)fprintf(stderr, "%s: --%s needs one scenario\n", program,
                      export_to != NULL ? "export" : "replay");
        return 2;
    }
    if (export_to != NULL)
        return export_graph(program, find(scenarios, names[0]), options,
                            export_to);
    if (options->replay != NULL)
        return replay(program, find(scenarios, names[0]), options);
    for (int i = 0; i < count && status < 2; i++)
        status |= explore_one(program, find(scenarios, names[i]), options);
    for (; count == 0 && status < 2 && scenarios->name != NULL; scenarios++)
        status |= explore_one(program, scenarios, options);
    return status;
}

int explore_main(int argc, char **argv,
                 const struct explore_scenario *scenarios)
{
    struct explore_options options = {0};
    const char *export_to = NULL;
    int option = getopt_long(argc, argv, "", long_options, NULL);
    while (option != -1) {
        if (option == HELP) {
            print_help(argv[0]);
            return 0;
        }
        if (option == LIST) {
            for (; scenarios->name != NULL; scenarios++)
                (void)printf("%s\n", scenarios->name);
            return 0;
        }
        if (option == '?')
            return 2;
        if (option == EXPORT) {
            export_to = optarg;
        } else if (!set(&options, option, optarg)) {
            (void)fprintf(stderr, "%s: wrong value: %s; see --help\n", argv[0],
                          optarg);
            return 2;
        }
        option = getopt_long(argc, argv, "", long_options, NULL);
    }
    return explore_named(argv + optind, argc - optind, argv[0], scenarios,
                         &options, export_to);
}
