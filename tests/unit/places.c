/* places: two places that become free in a row, for two who wait. */
#include "places.h"

#include "blocking.h"
#include "main.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define ROUNDS 20

struct guest {
    struct place place;
    atomic_int told;
    atomic_bool inside;
    uint64_t id;
    pthread_t thread;
    struct places *places;
};

static void *enter(void *arg)
{
    struct guest *guest = arg;
    place_add(guest->places, &guest->place, &guest->told);
    (void)place_enter(&guest->place, guest->id);
    atomic_store(&guest->inside, true);
    return NULL;
}

static size_t waiting(struct places *places)
{
    pthread_mutex_lock(&places->lock);
    size_t n = places->waiting;
    pthread_mutex_unlock(&places->lock);
    return n;
}

/* On one processor, so that as a rule nobody runs between the two. */
static void use_one_processor(void)
{
    cpu_set_t all;
    cpu_set_t one;
    (void)sched_getaffinity(0, sizeof all, &all);
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++) {
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    }
    (void)sched_setaffinity(0, sizeof one, &one);
}

static bool is_inside(struct guest *guest)
{
    for (int ms = 0; ms < 20000 && !atomic_load(&guest->inside); ms++)
        usleep(1000);
    return atomic_load(&guest->inside);
}

/* The first of those that wait is woken twice: it tells the second. */
START_TEST(two_places_for_two_who_wait)
{
    use_one_processor();
    for (int round = 0; round < ROUNDS; round++) {
        static struct guest guests[4];
        struct places places;
        places_open(&places, 2);
        for (unsigned i = 0; i < 4; i++) {
            guests[i] = (struct guest){.id = i + 1, .places = &places};
            if (i < 2)
                (void)enter(&guests[i]);
            else
                ck_assert_int_eq(
                    pthread_create(&guests[i].thread, NULL, enter, &guests[i]),
                    0);
        }
        while (waiting(&places) < 2)
            usleep(1000);
        ck_assert(!atomic_load(&guests[2].inside));
        place_leave(&guests[0].place, 0);
        place_leave(&guests[1].place, 0);
        ck_assert_msg(is_inside(&guests[2]) && is_inside(&guests[3]),
                      "round %d: a place stays empty", round);
        for (int i = 2; i < 4; i++) {
            ck_assert_int_eq(pthread_join(guests[i].thread, NULL), 0);
            place_leave(&guests[i].place, 0);
        }
        places_close(&places);
    }
}
END_TEST

/* By rising id, whoever came first; and the one whose turn it is needs none. */
START_TEST(who_enters_first)
{
    static struct guest guests[4];
    static const uint64_t ids[4] = {7, 9, 8, 3};
    struct places places;
    places_open(&places, 1);
    places.flight.turn = 3;
    for (unsigned i = 0; i < 4; i++) {
        guests[i] = (struct guest){.id = ids[i], .places = &places};
        if (i == 0) {
            (void)enter(&guests[i]);
            continue;
        }
        ck_assert_int_eq(
            pthread_create(&guests[i].thread, NULL, enter, &guests[i]), 0);
        while (i < 3 && waiting(&places) < i)
            usleep(1000);
    }
    ck_assert(is_inside(&guests[3]));
    place_leave(&guests[0].place, 3);
    usleep(10000);
    ck_assert(!atomic_load(&guests[1].inside));
    ck_assert(!atomic_load(&guests[2].inside)); /* guest 3 has the place */
    place_leave(&guests[3].place, 4);
    ck_assert(is_inside(&guests[2]));
    ck_assert(!atomic_load(&guests[1].inside));
    place_leave(&guests[2].place, 4);
    ck_assert(is_inside(&guests[1]));
    for (unsigned i = 1; i < 4; i++)
        ck_assert_int_eq(pthread_join(guests[i].thread, NULL), 0);
    places_close(&places);
}
END_TEST

static void add_cases(TCase *tc)
{
    tcase_add_test(tc, two_places_for_two_who_wait);
    tcase_add_test(tc, who_enters_first);
}

UNIT_MAIN("places", add_cases)
