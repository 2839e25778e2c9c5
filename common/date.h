/*
 * date: the dates of HTTP's fields (RFC 9110, 5.6.7).
 *
 * Three forms are read, those of RFC 1123, RFC 850 and asctime:
 *
 *     Sun, 06 Nov 1994 08:49:37 GMT
 *     Sunday, 06-Nov-94 08:49:37 GMT
 *     Sun Nov  6 08:49:37 1994
 *
 * All are UTC. Nothing here asks a clock: which century two digits of a year
 * mean depends on today's date, which the caller gives. Any thread may call.
 */
#ifndef TRIPTYCH_DATE_H
#define TRIPTYCH_DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct date {
    int year;
    int month;       /* from 1; 0: there is no date */
    int day;         /* from 1 */
    int second;      /* of the day */
    bool two_digits; /* of the year, in the form of RFC 850 */
};

/* Reads `n` bytes into *date. False if they are no date; then *date is left as
 * it was. The name of the weekday is not checked against the date. */
bool date_parse(struct date *date, const char *text, size_t n);

/* True if the struct, all zero at first, was filled in by date_parse. */
static inline bool date_given(const struct date *date)
{
    return date->month != 0;
}

/* The date as seconds since 1970. `today`, in the same seconds, tells the
 * century of a year of two digits: one that would be more than 50 years ahead
 * is past. */
int64_t date_seconds(const struct date *date, int64_t today);

#endif
