/*
 * The ten programs, under every schedule there is: nothing is left out, so
 * what passes here cannot fail with so many threads.
 *
 *     build/dev/puzzles --list            what there is
 *     build/dev/puzzles counters          all schedules of one; what fails is
 *                                         shown as a table
 *     LAB_TEST=counters build/dev/puzzles the test
 *
 * The threads are made here. So a program cannot be mended by leaving out what
 * it is there for.
 */
#include "puzzles.h"

#include "explored.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define MOST 4

static pthread_t threads[MOST];
static int started;

static void start(void *(*function)(void *), int number)
{
    int error = pthread_create(&threads[started++], NULL, function,
                               (void *)(intptr_t)number);
    explore_check(error == 0, "pthread_create gives %d", error);
}

static void join_all(void)
{
    while (started > 0)
        explore_check(pthread_join(threads[--started], NULL) == 0,
                      "pthread_join fails");
}

/* Two who can be somewhere at the same time meet there; else both wait. */
static pthread_barrier_t together;

static void open_meeting(void)
{
    explore_check(pthread_barrier_init(&together, NULL, 2) == 0, "no barrier");
    explore_name(&together, "together");
}

static const char not_there[] =
    "what the program is there for does not happen any more";

/* --- 1. Counters -------------------------------------------------------- */

static void *count_them(void *misses_too)
{
    count(true);
    if (misses_too != NULL)
        count(false);
    return NULL;
}

static void run_counters(void)
{
    int misses = 1 + explore_choose(2, "misses");
    start(count_them, 0);
    start(count_them, 1);
    for (int i = 1; i < misses; i++)
        count(false);
    join_all();
    expect(counted(true) == 2 && counted(false) == misses,
           "two threads read the same number, and each writes one more",
           "count: what may happen between the reading and the writing",
           "2 hits and %d misses were counted, and there are %d and %d",
           misses, counted(true), counted(false));
}

static void run_three_hits(void)
{
    for (int i = 0; i < 3; i++)
        start(count_them, 0);
    join_all();
    expect(counted(true) == 3, "who was overtaken once can be overtaken again",
           "count: what it does when another one was faster, and that again",
           "3 hits were counted, and there are %d", counted(true));
}

/* --- 2. A wake-up ------------------------------------------------------- */

static int is_made;

static void *wait_for_it(void *unused)
{
    (void)unused;
    wait_ready();
    expect(is_made == 1, not_there, "wait_ready: until when it waits",
           "wait_ready has returned, and nothing is ready");
    return NULL;
}

static void *make_it(void *unused)
{
    (void)unused;
    is_made = 1;
    make_ready();
    return NULL;
}

static void run_wake_up(void)
{
    start(wait_for_it, 0);
    start(make_it, 0);
    join_all();
}

/* --- 3. Two locks ------------------------------------------------------- */

static int amount;

static void *send_money(void *from)
{
    int account = (int)(intptr_t)from;
    transfer(account, 1 - account, account == 0 ? amount : 3);
    return NULL;
}

static void run_locks(void)
{
    amount = 5 + explore_choose(2, "amount");
    start(send_money, 0);
    start(send_money, 1);
    join_all();
    expect(money(0) == 103 - amount && money(1) == 97 + amount, not_there,
           "transfer: what it takes, and what it gives",
           "%d went from account 0 to 1, and 3 back: there are %d and %d",
           amount, money(0), money(1));
}

static int first_look;

/* If the account that is looked at first has changed, so has the other. */
static void *look_at_both(void *unused)
{
    (void)unused;
    int sums[2];
    sums[first_look] = money(first_look);
    sums[1 - first_look] = money(1 - first_look);
    expect(sums[first_look] == 100 || sums[0] + sums[1] == 200,
           "a transfer can be seen when it is half done: the money is in no "
           "account, or in both",
           "transfer: which locks it has while it changes an account, and "
           "until when",
           "account %d was looked at first: there are %d and %d", first_look,
           sums[0], sums[1]);
    return NULL;
}

static void run_half_a_transfer(void)
{
    amount = 5;
    first_look = explore_choose(2, "first look");
    start(send_money, 0);
    start(look_at_both, 0);
    join_all();
}

/* --- 4. Philosophers ---------------------------------------------------- */

static int eating[4];

static void *eat(void *seat)
{
    int i = (int)(intptr_t)seat;
    take_forks(i);
    expect(eating[(i + 1) % 4] == 0 && eating[(i + 3) % 4] == 0,
           "two have the same fork", "take_forks: which forks are whose",
           "philosopher %d eats, and so does a neighbour", i);
    eating[i] = 1;
    eating[i] = 0;
    put_forks(i);
    return NULL;
}

/* All four are at the table: this is where they may starve. */
static void run_philosophers(void)
{
    for (int i = 0; i < 4; i++)
        start(eat, i);
    join_all();
}

static void *eat_together(void *seat)
{
    take_forks((int)(intptr_t)seat);
    pthread_barrier_wait(&together);
    put_forks((int)(intptr_t)seat);
    return NULL;
}

static void run_eat_together(void)
{
    open_meeting();
    start(eat_together, 0);
    start(eat_together, 2);
    join_all();
}

/* A neighbour of both has eaten before them. */
static void run_eat_afterwards(void)
{
    open_meeting();
    take_forks(0);
    start(eat_together, 1);
    start(eat_together, 3);
    put_forks(0);
    join_all();
}

/* --- 5. Readers and writers --------------------------------------------- */

static int written[2];

static void *read_both(void *unused)
{
    (void)unused;
    begin_read();
    expect(written[0] == written[1], "a reader is in while a writer is",
           "begin_write, begin_read: what may happen between the look and "
           "what it is about",
           "a reader finds %d and %d", written[0], written[1]);
    end_read();
    return NULL;
}

static void *write_both(void *unused)
{
    (void)unused;
    begin_write();
    written[0]++;
    written[1]++;
    end_write();
    return NULL;
}

static void run_readers(void)
{
    start(read_both, 0);
    start(write_both, 0);
    start(write_both, 0);
    join_all();
    expect(written[0] == 2 && written[1] == 2, not_there,
           "begin_write, end_write", "2 have written, and there is %d and %d",
           written[0], written[1]);
}

static void *read_together(void *unused)
{
    (void)unused;
    begin_read();
    pthread_barrier_wait(&together);
    end_read();
    return NULL;
}

static void run_read_together(void)
{
    open_meeting();
    start(read_together, 0);
    start(read_together, 0);
    join_all();
}

/* One has written before them. */
static void run_read_afterwards(void)
{
    open_meeting();
    begin_write();
    start(read_together, 0);
    start(read_together, 0);
    end_write();
    join_all();
}

/* --- 6. A barrier ------------------------------------------------------- */

static int steps[2];

static void *meet_thrice(void *number)
{
    int mine = (int)(intptr_t)number;
    for (int i = 1; i <= 3; i++) {
        steps[mine] = i;
        meet();
        expect(steps[1 - mine] >= i, "one goes on before the other has come",
               "meet: what it waits for",
               "thread %d is through meeting %d, and the other was at %d",
               mine, i, steps[1 - mine]);
        meet(); /* or the other could write what is read here */
    }
    return NULL;
}

static void run_barrier(void)
{
    start(meet_thrice, 0);
    start(meet_thrice, 1);
    join_all();
}

/* --- 7. A buffer -------------------------------------------------------- */

static int taken[2];

static void *put_one(void *item)
{
    put((int)(intptr_t)item);
    return NULL;
}

static void *take_one(void *number)
{
    taken[(intptr_t)number] = take();
    return NULL;
}

static void run_buffer(void)
{
    int other = 2 + explore_choose(2, "item");
    start(take_one, 0);
    start(take_one, 1);
    start(put_one, 1);
    start(put_one, other);
    join_all();
    expect(taken[0] + taken[1] == 1 + other && taken[0] * taken[1] == other,
           not_there, "put, take", "1 and %d were put, and %d and %d taken",
           other, taken[0], taken[1]);
}

/* --- 8. Once ------------------------------------------------------------ */

static int times, right_value;

static int compute(void)
{
    times++;
    return right_value;
}

static void *get_it(void *unused)
{
    (void)unused;
    int value = get(compute);
    expect(value == right_value,
           "the flag says that the value is there, and it is not",
           "get: in which order the two are set", "get() gives %d, not %d",
           value, right_value);
    return NULL;
}

static void run_once(void)
{
    right_value = 42 + explore_choose(2, "value");
    start(get_it, 0);
    start(get_it, 0);
    join_all();
    expect(times == 1, "it is computed again, or not at all",
           "get: who looks at the flag, and under which lock",
           "the value was computed %d times", times);
}

/* --- 9. A semaphore ----------------------------------------------------- */

static int inside;

static void *leave_for_another(void *unused)
{
    (void)unused;
    inside--;
    leave();
    return NULL;
}

static void *enter_and_hand_over(void *unused)
{
    pthread_t other;
    (void)unused;
    enter();
    inside++;
    explore_check(inside == 1, "%d are inside", inside);
    explore_check(pthread_create(&other, NULL, leave_for_another, NULL) == 0,
                  "pthread_create fails");
    pthread_join(other, NULL);
    return NULL;
}

static void run_semaphore(void)
{
    open_lock();
    start(enter_and_hand_over, 0);
    start(enter_and_hand_over, 0);
    join_all();
}

/* --- 10. A turnstile ---------------------------------------------------- */

static void *pass_it(void *unused)
{
    (void)unused;
    pass();
    int left = coins_left();
    expect(left >= 0, "one has passed without a coin",
           "pass: what it knows of the coins when it has been woken",
           "there are %d coins left", left);
    return NULL;
}

static void run_turnstile(void)
{
    int more = explore_choose(2, "one more coin");
    start(pass_it, 0);
    start(pass_it, 0);
    for (int i = 0; i < 2 + more; i++)
        insert_coin();
    join_all();
    expect(coins_left() == more, not_there, "pass, insert_coin",
           "%d coins came, and two have passed: %d are left", 2 + more,
           coins_left());
}

#define ALL                                                                   \
    {                                                                         \
        .exhaustive = true                                                    \
    }

static const struct explore_scenario scenarios[] = {
    {"counters", run_counters, ALL},
    {"three_hits", run_three_hits, ALL},
    {"wake_up", run_wake_up, ALL},
    {"locks", run_locks, ALL},
    {"half_a_transfer", run_half_a_transfer, ALL},
    {"philosophers", run_philosophers, ALL},
    {"eat_together", run_eat_together, ALL},
    {"eat_afterwards", run_eat_afterwards, ALL},
    {"readers", run_readers, ALL},
    {"read_together", run_read_together, ALL},
    {"read_afterwards", run_read_afterwards, ALL},
    {"barrier", run_barrier, ALL},
    {"buffer", run_buffer, ALL},
    {"once", run_once, ALL},
    {"semaphore", run_semaphore, ALL},
    {"turnstile", run_turnstile, ALL},
    {NULL, NULL, {0}},
};

/* --- The tests ---------------------------------------------------------- */

static void search(const char *name)
{
    explored(scenarios, name, NULL, NULL);
}

static void counters(void)
{
    search("counters");
    search("three_hits");
}

static void wake_up(void)
{
    search("wake_up");
}

static void locks(void)
{
    explored(scenarios, "locks",
             "each has a lock that the other needs, and waits for the other's",
             "transfer: in which order it takes the two");
    search("half_a_transfer");
}

static void philosophers(void)
{
    search("philosophers");
    explored(scenarios, "eat_together",
             "two who are no neighbours cannot eat at the same time",
             "take_forks: what it takes that is no fork of theirs");
    explored(scenarios, "eat_afterwards",
             "a neighbour of both has put down its forks, and only one of the "
             "two heard of it",
             "put_forks: whom it tells");
}

static void readers(void)
{
    search("readers");
    explored(scenarios, "read_together", "two cannot read at the same time",
             "begin_read");
    explored(scenarios, "read_afterwards",
             "a writer has gone, and only one of two who want to read heard "
             "of it",
             "end_write: whom it tells");
}

static void barrier(void)
{
    search("barrier");
}

static void buffer(void)
{
    search("buffer");
}

static void once(void)
{
    search("once");
}

static void turnstile(void)
{
    search("turnstile");
}

int main(int argc, char **argv)
{
    static const struct lab_test tests[] = {
        {"counters", counters},   {"wake_up", wake_up},
        {"locks", locks},         {"philosophers", philosophers},
        {"readers", readers},     {"barrier", barrier},
        {"buffer", buffer},       {"once", once},
        {"turnstile", turnstile}, {0}};
    return argc > 1 ? explore_main(argc, argv, scenarios) : lab_main(tests);
}
