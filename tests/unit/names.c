/* names: none is given twice, and each gets the lowest number that is free. */
#include "names.h"

#include "main.h"
#include "siphash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As openssl mac -macopt size:16 SIPHASH has them: the key is 00 01 ... 0f,
 * the message n bytes, 00 01 02 ... */
START_TEST(known_hashes)
{
    static const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
    static const struct {
        size_t n;
        uint64_t out[2];
    } known[] = {
        {0, {0xe6a825ba047f81a3, 0x930255c71472f66d}},
        {1, {0x44af996bd8c187da, 0x45fc229b11597634}},
        {7, {0x53c1dbd8beebf1a1, 0x3982f01fa64ab8c0}},
        {8, {0x61f55862baa9623b, 0xb49714f364e2830f}},
        {15, {0x11a8b03399e99354, 0xd9c3cf970fec087e}},
        {63, {0x4a83502f77d15051, 0x7cbd3f979a063e50}},
    };
    unsigned char message[64];
    for (unsigned char i = 0; i < sizeof message; i++)
        message[i] = i;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint64_t out[2];
        siphash(key, message, known[i].n, out);
        ck_assert_uint_eq(out[0], known[i].out[0]);
        ck_assert_uint_eq(out[1], known[i].out[1]);
    }
}
END_TEST

static void check_given(struct names *names, const char *wanted,
                        const char *expected)
{
    char *given = names_give(names, wanted);
    ck_assert_ptr_nonnull(given);
    ck_assert_str_eq(given, expected);
    free(given);
}

START_TEST(doubles_are_numbered)
{
    struct names names;
    ck_assert_int_eq(names_open(&names), 0);
    check_given(&names, "a", "a");
    check_given(&names, "a.2", "a.2");
    check_given(&names, "a", "a.1");
    check_given(&names, "a", "a.3"); /* a.2 was asked for by that name */
    check_given(&names, "a.1", "a.1.1");
    check_given(&names, "a.1.1", "a.1.1.1");
    check_given(&names, "", "");
    check_given(&names, "", ".1");
    check_given(&names, "A", "A");
    names_free(&names);
}
END_TEST

/* Through several growths of the table, each name once, then again. */
START_TEST(many)
{
    enum { MANY = 30000 };
    struct names names;
    char name[40];
    char expected[44];
    ck_assert_int_eq(names_open(&names), 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++) {
            snprintf(name, sizeof name, "n%d", i);
            snprintf(expected, sizeof expected, round == 0 ? "%s" : "%s.%d",
                     name, round);
            check_given(&names, name, expected);
        }
    }
    ck_assert_uint_eq(names.count, 3 * MANY);
    names_free(&names);
}
END_TEST

/* A hundred thousand of one name: at a search through all of them for each,
 * this would take five thousand million steps. */
START_TEST(one_name_for_all)
{
    struct names names;
    char expected[20] = "index";
    ck_assert_int_eq(names_open(&names), 0);
    for (int i = 1; i <= 100000; i++) {
        check_given(&names, "index", expected);
        snprintf(expected, sizeof expected, "index.%d", i);
    }
    names_free(&names);
}
END_TEST

START_TEST(the_key_is_random)
{
    struct names one;
    struct names other;
    ck_assert_int_eq(names_open(&one), 0);
    ck_assert_int_eq(names_open(&other), 0);
    ck_assert(memcmp(one.key, other.key, sizeof one.key) != 0);
    names_free(&one);
    names_free(&other);
}
END_TEST

static void add_cases(TCase *tc)
{
    tcase_add_test(tc, known_hashes);
    tcase_add_test(tc, doubles_are_numbered);
    tcase_add_test(tc, many);
    tcase_add_test(tc, one_name_for_all);
    tcase_add_test(tc, the_key_is_random);
}

UNIT_MAIN("names", add_cases)
