/*
 * clock: microseconds since the start of the program.
 *
 * Every time in triptych - a deadline, a column of the report - is an int64_t
 * of such microseconds. The clock is monotonic: it cannot be set.
 */
#ifndef TRIPTYCH_CLOCK_H
#define TRIPTYCH_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_SECOND INT64_C(1000000)
#define CLOCK_NEVER  INT64_MAX

/* Makes now the zero of the clock. Called once, first thing in main. */
void clock_start(void);

/* Unix time, in microseconds, at the clock's zero: as the system's clock has
 * it now, which may be set. */
int64_t clock_epoch_us(void);

/* Microseconds since clock_start. Any thread, and forked children, may ask. */
int64_t clock_us(void);

/* Whole milliseconds from now until `deadline`, rounded up so that a sleep of
 * that length does not wake before it; 0 when it is past, -1 for CLOCK_NEVER:
 * what poll takes. */
int clock_poll_ms(int64_t deadline);

/* The moment `ms` milliseconds from now, as pthread_cond_timedwait takes it
 * when the condition's clock is CLOCK_MONOTONIC. */
struct timespec clock_in_ms(int ms);

#endif
