/*
 * main: what every unit test's main does. A file gives its cases:
 *
 *     static void add_cases(TCase *tc) { tcase_add_test(tc, name); ... }
 *     UNIT_MAIN("url", add_cases)
 */
#ifndef TRIPTYCH_UNIT_MAIN_H
#define TRIPTYCH_UNIT_MAIN_H

#include <check.h>
#include <stdlib.h>

#define UNIT_MAIN(name, add_cases)                                            \
    int main(void)                                                            \
    {                                                                         \
        Suite *suite = suite_create(name);                                    \
        TCase *tc = tcase_create(name);                                       \
        /* Sanitizers and valgrind take their time. */                        \
        tcase_set_timeout(tc, 120);                                           \
        add_cases(tc);                                                        \
        suite_add_tcase(suite, tc);                                           \
        SRunner *runner = srunner_create(suite);                              \
        srunner_run_all(runner, CK_NORMAL);                                   \
        int failed = srunner_ntests_failed(runner);                           \
        srunner_free(runner);                                                 \
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;                     \
    }

#endif
