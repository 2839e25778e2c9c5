/*
 * puzzles: ten small programs of threads. Each is one file, and is used by a
 * scenario of the explorer's, which makes the threads and says what must hold.
 */
#ifndef TRIPTYCH_PUZZLES_H
#define TRIPTYCH_PUZZLES_H

#include <stdbool.h>

/* 1. counters.c: counts hits and misses, for any number of threads. */
void count(bool hit);
int counted(bool hit);

/* 2. wake_up.c: one thread waits until another has made something ready. */
void wait_ready(void);
void make_ready(void);

/* 3. locks.c: two accounts of 100 each. A transfer is whole or has not begun,
 * and neither account is used by two threads at once. */
void transfer(int from, int to, int amount);
int money(int account);

/* 4. philosophers.c: four around a table, a fork between each two. To eat one
 * needs both; two who are no neighbours can eat at the same time. */
void take_forks(int philosopher);
void put_forks(int philosopher);

/* 5. readers.c: any number may read at the same time, or one may write. */
void begin_read(void);
void end_read(void);
void begin_write(void);
void end_write(void);

/* 6. barrier.c: two threads meet: neither goes on before both have come. They
 * meet again and again. */
void meet(void);

/* 7. buffer.c: room for one item, any number of producers and consumers. Both
 * wait as long as they must. */
void put(int item);
int take(void);

/* 8. once.c: a value that is computed when it is first asked for, once. */
int get(int (*compute)(void));

/* 9. semaphore.c: a semaphore as a lock. Whoever leaves need not be the one
 * who entered. */
void open_lock(void);
void enter(void);
void leave(void);

/* 10. turnstile.c: for each coin one may pass; without one, wait. */
void insert_coin(void);
void pass(void);
int coins_left(void);

/* --- Predictions -------------------------------------------------------- */

/* Can the program, as it was handed out, fail? In how few preemptions:
 * switches away from a thread that could have gone on? (That a thread waits or
 * ends, and another goes on, is none.) */
struct prediction {
    enum { NOT_SAID, FAILS, NEVER_FAILS } answer;
    int preemptions; /* if it fails */
};

struct prediction predict_counters(void);
struct prediction predict_wake_up(void);
struct prediction predict_locks(void);
struct prediction predict_philosophers(void);
struct prediction predict_readers(void);
struct prediction predict_barrier(void);
struct prediction predict_buffer(void);
struct prediction predict_once(void);
struct prediction predict_semaphore(void);
struct prediction predict_turnstile(void);

#endif
