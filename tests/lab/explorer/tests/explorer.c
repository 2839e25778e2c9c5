/*
 * explorer: that it finds what is wrong, in the simplest form, again and
 * again; and that it finds nothing where nothing is wrong.
 *
 * WRONG_PROGRAM is the program of wrong.c's scenarios, as a shell starts it.
 */
#include "explore.h"
#include "right.h"
#include "wrong.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static const struct wrong *find_wrong(const char *name)
{
    static const struct wrong *const tables[] = {wrong_pools, wrong_locks,
                                                 wrong_ways};
    for (size_t i = 0; i < 3; i++) {
        const struct wrong *wrong = tables[i];
        for (; wrong->scenario.name != NULL; wrong++) {
            if (strcmp(wrong->scenario.name, name) == 0)
                return wrong;
        }
    }
    ck_abort_msg("there is no %s", name);
}

static const struct explore_scenario *find_right(const char *name)
{
    const struct explore_scenario *scenario = right;
    while (strcmp(scenario->name, name) != 0)
        scenario++;
    return scenario;
}

static struct explore_result explore(const struct explore_scenario *scenario,
                                     const struct explore_options *options)
{
    struct explore_result result;
    ck_assert_int_eq(explore_run(scenario, options, &result), 0);
    return result;
}

/* --- What is wrong is found ----------------------------------------------*/

static void check_repeats(const struct explore_scenario *scenario,
                          const struct explore_result *found)
{
    const struct explore_options again = {.replay = found->schedule};
    struct explore_result result = explore(scenario, &again);
    ck_assert_msg(result.kind == found->kind, "%s: replayed: %s: %s",
                  scenario->name, explore_kind_name(result.kind),
                  result.message);
    ck_assert_str_eq(result.message, found->message);
    ck_assert_str_eq(result.table, found->table);
    ck_assert_str_eq(result.schedule, found->schedule);
    ck_assert_int_eq(result.steps, found->steps);
    explore_result_free(&result);
}

static void check_found(const struct wrong *wrong)
{
    const char *name = wrong->scenario.name;
    struct explore_result result = explore(&wrong->scenario, NULL);
    ck_assert_msg(result.kind == wrong->kind, "%s: %s (%s), not %s", name,
                  explore_kind_name(result.kind), result.message,
                  explore_kind_name(wrong->kind));
    ck_assert_msg(result.preemptions == wrong->preemptions,
                  "%s: %d preemptions, not %d\n%.2000s", name,
                  result.preemptions, wrong->preemptions, result.table);
    ck_assert_msg(
        wrong->place == NULL || strstr(result.place, wrong->place) != NULL,
        "%s: found in %s, not in %s", name, result.place, wrong->place);
    ck_assert(result.kind != EXPLORE_RACE || result.other[0] != '\0');
    /* These take seconds each: it has to be waited whether they end. */
    if (strcmp(name, "computes") != 0 && result.kind != EXPLORE_STUCK)
        check_repeats(&wrong->scenario, &result);
    explore_result_free(&result);
}

START_TEST(wrong_pools_are_found)
{
    check_found(&wrong_pools[_i]);
}
END_TEST

START_TEST(wrong_locks_are_found)
{
    check_found(&wrong_locks[_i]);
}
END_TEST

START_TEST(wrong_states_are_found)
{
    check_found(&wrong_states[_i]);
}
END_TEST

START_TEST(wrong_ways_are_found)
{
    check_found(&wrong_ways[_i]);
}
END_TEST

/* What is shown is the failure that was found, not one that right code has
 * under limits that the search did not have. */
START_TEST(shrinking_keeps_the_failure)
{
    struct explore_result result =
        explore(&find_wrong("another-failure")->scenario, NULL);
    ck_assert_str_eq(result.message, "what was chosen");
    explore_result_free(&result);
}
END_TEST

/* A check may say what it means: that comes with the result. */
START_TEST(a_check_has_its_own_words)
{
    struct explore_result result =
        explore(&find_wrong("lost-but-timed")->scenario, NULL);
    ck_assert_str_eq(result.message, "100 seconds have passed");
    ck_assert_str_eq(result.means, "nobody was told");
    ck_assert_str_eq(result.look, "set_turn");
    explore_result_free(&result);
    result = explore(&find_wrong("no-more-threads")->scenario, NULL);
    ck_assert_str_eq(result.message, "2 are not joined");
    ck_assert_ptr_null(result.means);
    explore_result_free(&result);
}
END_TEST

/* With one consumer, only a wake-up for no reason shows the `if`. */
START_TEST(spurious_wake_ups_are_a_choice)
{
    const struct explore_options none = {.spurious = EXPLORE_NONE,
                                         .exhaustive = true};
    struct explore_result result =
        explore(&find_wrong("if-one-taker")->scenario, &none);
    ck_assert_int_eq(result.kind, EXPLORE_PASSED);
    ck_assert(result.complete);
    explore_result_free(&result);
}
END_TEST

START_TEST(early_time_outs_are_a_choice)
{
    const struct explore_options none = {.timeouts = EXPLORE_NONE,
                                         .exhaustive = true};
    struct explore_result result =
        explore(&find_wrong("time-is-up")->scenario, &none);
    ck_assert_int_eq(result.kind, EXPLORE_PASSED);
    explore_result_free(&result);
}
END_TEST

/* Each bound is really one. */
START_TEST(preemptions_are_bounded)
{
    const struct explore_options one = {.bound = 1};
    struct explore_result result =
        explore(&find_wrong("atomic-without-mutex")->scenario, &one);
    ck_assert_int_eq(result.kind, EXPLORE_PASSED);
    ck_assert(result.complete);
    explore_result_free(&result);
}
END_TEST

START_TEST(limit_is_kept)
{
    const struct explore_options few = {.limit = 3, .exhaustive = true};
    struct explore_result result = explore(find_right("atomics"), &few);
    ck_assert_int_eq(result.kind, EXPLORE_PASSED);
    ck_assert_int_eq((int)result.schedules, 3);
    ck_assert(!result.complete);
    explore_result_free(&result);
}
END_TEST

/* --- In the simplest form -------------------------------------------------*/

/* Two threads read, add and write: one has to be interrupted once, between its
 * reading and its writing. Random schedules interrupt them more often. */
START_TEST(shrinks_to_the_least)
{
    const struct wrong *torn = find_wrong("torn");
    struct explore_result least = explore(&torn->scenario, NULL);
    ck_assert_int_eq(least.preemptions, 1);
    ck_assert_int_eq(least.switches, 4); /* main, one, other, one, main */
    for (int seed = 1; seed <= 5; seed++) {
        const struct explore_options lots = {
            .bound = EXPLORE_NONE, .random = 1000, .seed = (uint64_t)seed};
        struct explore_result result = explore(&torn->scenario, &lots);
        ck_assert_int_eq(result.kind, EXPLORE_CHECK);
        ck_assert_int_eq(result.preemptions, least.preemptions);
        ck_assert_int_eq(result.switches, least.switches);
        ck_assert_int_eq(result.steps, least.steps);
        explore_result_free(&result);
    }
    explore_result_free(&least);
}
END_TEST

START_TEST(same_seed_same_result)
{
    const struct explore_options lots = {
        .bound = EXPLORE_NONE, .random = 1000, .seed = 42};
    const struct wrong *wrong = find_wrong("three-locks");
    struct explore_result one = explore(&wrong->scenario, &lots);
    struct explore_result two = explore(&wrong->scenario, &lots);
    ck_assert_int_eq(one.kind, EXPLORE_DEADLOCK);
    ck_assert_int_eq((int)one.schedules, (int)two.schedules);
    ck_assert_str_eq(one.schedule, two.schedule);
    ck_assert_str_eq(one.table, two.table);
    ck_assert_int_eq((int)one.seed, 42);
    explore_result_free(&one);
    explore_result_free(&two);
}
END_TEST

static void must_have(const struct explore_result *result, const char *text)
{
    ck_assert_msg(strstr(result->table, text) != NULL, "no \"%s\" in:\n%s",
                  text, result->table);
}

/* The table of the lost wake-up tells the whole story. */
START_TEST(table_tells)
{
    struct explore_result result =
        explore(&find_wrong("lost-wake-up")->scenario, NULL);
    must_have(&result, "T1 look_then_wait");
    must_have(&result, "T2 make_ready");
    must_have(&result, "signal changed: nobody");
    must_have(&result, "wait changed");
    must_have(&result, "releases a");
    must_have(&result, "waits for a signal of changed (wrong_locks.c:");
    must_have(&result, "In the end: deadlock");
    explore_result_free(&result);
    result = explore(&find_wrong("lock-order")->scenario, NULL);
    must_have(&result, "waits for b, which T2 holds, and holds a");
    must_have(&result, "waits for a, which T1 holds, and holds b");
    explore_result_free(&result);
}
END_TEST

/* --- What is right passes --------------------------------------------------*/

static void check_passes(const struct explore_scenario *scenario)
{
    struct explore_result result = explore(scenario, NULL);
    ck_assert_msg(result.kind == EXPLORE_PASSED, "%s: %s: %s\n%.2000s",
                  scenario->name, explore_kind_name(result.kind),
                  result.message, result.table);
    ck_assert(result.complete);
    (void)printf("%s: all there are: %ld schedules, %ld states\n",
                 scenario->name, result.schedules, result.states);
    explore_result_free(&result);
}

START_TEST(right_programs_pass)
{
    check_passes(&right[_i]);
}
END_TEST

START_TEST(reference_passes)
{
    check_passes(&reference[_i]);
}
END_TEST

/* Knowing states again leaves nothing out: without it, the same is found. */
START_TEST(states_change_nothing)
{
    static const char *const names[] = {"barrier", "bytes", "timed"};
    for (size_t i = 0; i < 3; i++) {
        const struct explore_options blind = {.no_states = true};
        struct explore_result with = explore(find_right(names[i]), NULL);
        struct explore_result without = explore(find_right(names[i]), &blind);
        ck_assert_int_eq(with.kind, EXPLORE_PASSED);
        ck_assert_int_eq(without.kind, EXPLORE_PASSED);
        ck_assert(without.complete);
        ck_assert(without.schedules > with.schedules);
        explore_result_free(&with);
        explore_result_free(&without);
    }
}
END_TEST

START_TEST(states_hide_nothing)
{
    const struct wrong *const tables[] = {wrong_pools, wrong_locks};
    for (size_t i = 0; i < 2; i++) {
        for (const struct wrong *w = tables[i]; w->scenario.name != NULL;
             w++) {
            const struct explore_options all = {.exhaustive = true};
            struct explore_result result;
            if (w->kind == EXPLORE_ENDLESS)
                continue; /* spinning is fair to nobody, but not endless */
            result = explore(&w->scenario, &all);
            ck_assert_msg(result.kind == w->kind, "%s: %s", w->scenario.name,
                          explore_kind_name(result.kind));
            explore_result_free(&result);
        }
    }
}
END_TEST

/* --- The command line ------------------------------------------------------*/

/* What a command prints, and its exit status. */
static int command(const char *arguments, char *output, size_t size)
{
    char line[1024];
    (void)snprintf(line, sizeof line, "%s %s 2>&1", WRONG_PROGRAM, arguments);
    FILE *pipe = popen(line, "r");
    ck_assert_ptr_nonnull(pipe);
    size_t length = fread(output, 1, size - 1, pipe);
    output[length] = '\0';
    int status = pclose(pipe);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The failure that the search finds is in the graph, and an end without one. */
START_TEST(export_has_every_end)
{
    size_t size = 200000;
    char *output = malloc(size); /* static, it would be a part of all states */
    ck_assert_ptr_nonnull(output);
    ck_assert_int_eq(command("--export - lock-order", output, size), 0);
    ck_assert_ptr_nonnull(strstr(output, "\"complete\":true"));
    ck_assert_ptr_nonnull(strstr(output, "[\"deadlock\","));
    ck_assert_ptr_nonnull(strstr(output, "[\"passed\","));
    ck_assert_ptr_nonnull(strstr(output, "[\"run\",1,[],"));
    ck_assert_int_eq(command("--export /nowhere/x lock-order", output, size),
                     2);
    ck_assert_int_eq(command("--export - lock-order torn", output, size), 2);
    free(output);
}
END_TEST

START_TEST(command_line)
{
    char output[20000];
    char again[256];
    ck_assert_int_eq(command("--list", output, sizeof output), 0);
    ck_assert_ptr_nonnull(strstr(output, "lock-order\n"));
    ck_assert_int_eq(command("--help", output, sizeof output), 0);
    ck_assert_ptr_nonnull(strstr(output, "--replay"));
    ck_assert_int_eq(command("--bound x", output, sizeof output), 2);
    ck_assert_int_eq(command("nothing", output, sizeof output), 2);
    ck_assert_int_eq(command("--replay 0y1 torn", output, sizeof output), 2);
    ck_assert_int_eq(
        command("--spurious 0 if-one-taker", output, sizeof output), 0);
    ck_assert_int_eq(command("lock-order", output, sizeof output), 1);
    const char *replay = strstr(output, "--replay ");
    ck_assert_ptr_nonnull(replay);
    (void)snprintf(again, sizeof again, "%.*s", (int)strcspn(replay, "\n"),
                   replay);
    ck_assert_int_eq(command(again, output, sizeof output), 1);
    ck_assert_ptr_nonnull(strstr(output, "In the end: deadlock"));
}
END_TEST

/* A schedule of another program is refused. */
START_TEST(replay_that_does_not_fit)
{
    const struct explore_options other = {.replay = "0x1.7x3"};
    struct explore_result result =
        explore(&find_wrong("torn")->scenario, &other);
    ck_assert_int_eq(result.kind, EXPLORE_ERROR);
    explore_result_free(&result);
}
END_TEST

static int count_wrong(const struct wrong *wrong)
{
    int count = 0;
    while (wrong[count].scenario.name != NULL)
        count++;
    return count;
}

static int count_right(const struct explore_scenario *scenarios)
{
    int count = 0;
    while (scenarios[count].name != NULL)
        count++;
    return count;
}

/* One of them alone: CK_RUN_CASE=wrong lab-explorer. */
static TCase *add_case(Suite *suite, const char *name)
{
    TCase *tc = tcase_create(name);
    tcase_set_timeout(tc, 1000); /* it hangs only if something is broken */
    suite_add_tcase(suite, tc);
    return tc;
}

static void add_cases(Suite *suite)
{
    TCase *tc = add_case(suite, "wrong");
    tcase_add_loop_test(tc, wrong_pools_are_found, 0,
                        count_wrong(wrong_pools));
    tcase_add_loop_test(tc, wrong_locks_are_found, 0,
                        count_wrong(wrong_locks));
    tcase_add_loop_test(tc, wrong_states_are_found, 0,
                        count_wrong(wrong_states));
    tc = add_case(suite, "ways");
    tcase_add_loop_test(tc, wrong_ways_are_found, 0, count_wrong(wrong_ways));
    tc = add_case(suite, "search");
    tcase_add_test(tc, spurious_wake_ups_are_a_choice);
    tcase_add_test(tc, early_time_outs_are_a_choice);
    tcase_add_test(tc, shrinking_keeps_the_failure);
    tcase_add_test(tc, a_check_has_its_own_words);
    tcase_add_test(tc, preemptions_are_bounded);
    tcase_add_test(tc, limit_is_kept);
    tcase_add_test(tc, shrinks_to_the_least);
    tcase_add_test(tc, same_seed_same_result);
    tcase_add_test(tc, states_change_nothing);
    tcase_add_test(tc, states_hide_nothing);
    tc = add_case(suite, "shown");
    tcase_add_test(tc, table_tells);
    tcase_add_test(tc, export_has_every_end);
    tcase_add_test(tc, command_line);
    tcase_add_test(tc, replay_that_does_not_fit);
    tc = add_case(suite, "right");
    tcase_add_loop_test(tc, right_programs_pass, 0, count_right(right));
    tc = add_case(suite, "reference");
    tcase_add_loop_test(tc, reference_passes, 0, count_right(reference));
}

int main(void)
{
    Suite *suite = suite_create("explorer");
    add_cases(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
