/* queue: order, bounds, waking and closing. */
#include "queue.h"

#include "main.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

static void *item(uintptr_t n)
{
    return (void *)n;
}

START_TEST(first_in_first_out)
{
    struct queue queue;
    ck_assert_int_eq(queue_open(&queue, 3), 0);
    for (uintptr_t round = 0; round < 5; round++) { /* around the ring */
        for (uintptr_t i = 1; i <= 3; i++)
            ck_assert_int_eq(queue_put(&queue, item(i), 0), 0);
        for (uintptr_t i = 1; i <= 3; i++)
            ck_assert_ptr_eq(queue_take(&queue), item(i));
        ck_assert_int_eq(queue_put(&queue, item(9), 0), 0);
        ck_assert_ptr_eq(queue_take(&queue), item(9));
    }
    queue_free(&queue);
}
END_TEST

START_TEST(full_is_full)
{
    struct queue queue;
    ck_assert_int_eq(queue_open(&queue, 1), 0);
    ck_assert_int_eq(queue_put(&queue, item(1), 0), 0);
    ck_assert_int_eq(queue_put(&queue, item(2), 0), -ETIMEDOUT);
    ck_assert_int_eq(queue_put(&queue, item(2), 20), -ETIMEDOUT);
    ck_assert_ptr_eq(queue_take(&queue), item(1));
    ck_assert_int_eq(queue_put(&queue, item(2), 0), 0);
    queue_free(&queue);
}
END_TEST

/* Closing loses nothing that was put, and lets nothing more in. */
START_TEST(closing_drains)
{
    struct queue queue;
    ck_assert_int_eq(queue_open(&queue, 4), 0);
    ck_assert_int_eq(queue_put(&queue, item(1), 0), 0);
    ck_assert_int_eq(queue_put(&queue, item(2), 0), 0);
    queue_close(&queue);
    ck_assert_int_eq(queue_put(&queue, item(3), 0), -EPIPE);
    ck_assert_ptr_eq(queue_take(&queue), item(1));
    ck_assert_ptr_eq(queue_take(&queue), item(2));
    ck_assert_ptr_null(queue_take(&queue));
    ck_assert_ptr_null(queue_take(&queue));
    queue_free(&queue);
}
END_TEST

/* --- With threads ------------------------------------------------------- */

#define PRODUCERS 4
#define CONSUMERS 4
#define EACH      5000

struct shop {
    struct queue queue;
    atomic_uintptr_t next;
    atomic_uchar taken[PRODUCERS * EACH + 1];
    atomic_uint ended;
};

static void *produce(void *argument)
{
    struct shop *shop = argument;
    for (int i = 0; i < EACH; i++) {
        void *made = item(atomic_fetch_add(&shop->next, 1) + 1);
        while (queue_put(&shop->queue, made, 1) == -ETIMEDOUT)
            ;
    }
    return NULL;
}

static void *consume(void *argument)
{
    struct shop *shop = argument;
    void *got;
    while ((got = queue_take(&shop->queue)) != NULL)
        atomic_fetch_add(&shop->taken[(uintptr_t)got], 1);
    atomic_fetch_add(&shop->ended, 1);
    return NULL;
}

START_TEST(every_item_once)
{
    static struct shop shop;
    pthread_t producers[PRODUCERS];
    pthread_t consumers[CONSUMERS];
    ck_assert_int_eq(queue_open(&shop.queue, (size_t)_i), 0);
    for (int i = 0; i < CONSUMERS; i++)
        ck_assert_int_eq(
            pthread_create(&consumers[i], NULL, consume, &shop), 0);
    for (int i = 0; i < PRODUCERS; i++)
        ck_assert_int_eq(
            pthread_create(&producers[i], NULL, produce, &shop), 0);
    for (int i = 0; i < PRODUCERS; i++)
        ck_assert_int_eq(pthread_join(producers[i], NULL), 0);
    queue_close(&shop.queue);
    for (int i = 0; i < CONSUMERS; i++)
        ck_assert_int_eq(pthread_join(consumers[i], NULL), 0);
    for (int i = 1; i <= PRODUCERS * EACH; i++)
        ck_assert_msg(atomic_load(&shop.taken[i]) == 1, "item %d: %d times",
                      i, atomic_load(&shop.taken[i]));
    queue_free(&shop.queue);
}
END_TEST

/* All who wait in take must see the close, not just one. */
START_TEST(closing_wakes_all_takers)
{
    static struct shop shop;
    pthread_t consumers[CONSUMERS];
    ck_assert_int_eq(queue_open(&shop.queue, 1), 0);
    ck_assert(!queue_is_wanted(&shop.queue));
    for (int i = 0; i < CONSUMERS; i++)
        ck_assert_int_eq(
            pthread_create(&consumers[i], NULL, consume, &shop), 0);
    for (;;) { /* until all of them wait */
        pthread_mutex_lock(&shop.queue.lock);
        size_t takers = shop.queue.takers;
        pthread_mutex_unlock(&shop.queue.lock);
        if (takers == CONSUMERS)
            break;
        struct timespec moment = {.tv_nsec = 1000000};
        nanosleep(&moment, NULL);
    }
    ck_assert(queue_is_wanted(&shop.queue));
    queue_close(&shop.queue);
    for (int i = 0; i < CONSUMERS; i++)
        ck_assert_int_eq(pthread_join(consumers[i], NULL), 0);
    ck_assert_uint_eq(atomic_load(&shop.ended), CONSUMERS);
    queue_free(&shop.queue);
}
END_TEST

static void *close_later(void *argument)
{
    struct timespec moment = {.tv_nsec = 20000000};
    nanosleep(&moment, NULL);
    queue_close(argument);
    return NULL;
}

START_TEST(closing_wakes_a_putter)
{
    struct queue queue;
    pthread_t thread;
    ck_assert_int_eq(queue_open(&queue, 1), 0);
    ck_assert_int_eq(queue_put(&queue, item(1), 0), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, close_later, &queue), 0);
    ck_assert_int_eq(queue_put(&queue, item(2), 60000), -EPIPE);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    queue_free(&queue);
}
END_TEST

static void add_cases(TCase *tc)
{
    tcase_add_test(tc, first_in_first_out);
    tcase_add_test(tc, full_is_full);
    tcase_add_test(tc, closing_drains);
    tcase_add_loop_test(tc, every_item_once, 1, 4);
    tcase_add_test(tc, closing_wakes_all_takers);
    tcase_add_test(tc, closing_wakes_a_putter);
}

UNIT_MAIN("queue", add_cases)
