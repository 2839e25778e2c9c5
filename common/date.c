/* date: the dates of HTTP's fields. See date.h. */
#include "date.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define DAY_SECONDS 86400

/* What is still to be read. */
struct reader {
    const char *at;
    const char *end;
};

/* Takes `word`, in capitals or not; nothing if something else stands there. */
static bool take_word(struct reader *r, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(r->end - r->at) < n || strncasecmp(r->at, word, n) != 0)
        return false;
    r->at += n;
    return true;
}

/* Takes a number of exactly `digits` digits. */
static bool take_number(struct reader *r, int digits, int *value)
{
    *value = 0;
    for (; digits > 0; digits--, r->at++) {
        if (r->at == r->end || !isdigit((unsigned char)*r->at))
            return false;
        *value = *value * 10 + (*r->at - '0');
    }
    return true;
}

/* "Sun" or "Sunday". */
static bool take_weekday(struct reader *r, bool *is_long)
{
    static const char *const names[][2] = {
        {"sun", "day"},   {"mon", "day"}, {"tue", "sday"}, {"wed", "nesday"},
        {"thu", "rsday"}, {"fri", "day"}, {"sat", "urday"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (take_word(r, names[i][0])) {
            *is_long = take_word(r, names[i][1]);
            return true;
        }
    }
    return false;
}

static bool take_month(struct reader *r, int *month)
{
    static const char *const names[] = {"jan", "feb", "mar", "apr",
                                        "may", "jun", "jul", "aug",
                                        "sep", "oct", "nov", "dec"};
    for (int i = 0; i < 12; i++) {
        if (take_word(r, names[i])) {
            *month = i + 1;
            return true;
        }
    }
    return false;
}

/* "08:49:37". A leap second is one. */
static bool take_time(struct reader *r, int *second)
{
    int h;
    int m;
    int s;
    if (!take_number(r, 2, &h) || !take_word(r, ":") ||
        !take_number(r, 2, &m) || !take_word(r, ":") ||
        !take_number(r, 2, &s) || h > 23 || m > 59 || s > 60)
        return false;
    *second = (h * 60 + m) * 60 + s;
    return true;
}

/* " 06 Nov 1994 08:49:37 GMT", or with dashes and a year of two digits. */
static bool take_internet_form(struct reader *r, struct date *date)
{
    const char *dash = date->two_digits ? "-" : " ";
    return take_word(r, " ") && take_number(r, 2, &date->day) &&
           take_word(r, dash) && take_month(r, &date->month) &&
           take_word(r, dash) &&
           take_number(r, date->two_digits ? 2 : 4, &date->year) &&
           take_word(r, " ") && take_time(r, &date->second) &&
           take_word(r, " GMT");
}

/* " Nov  6 08:49:37 1994". */
static bool take_asctime_form(struct reader *r, struct date *date)
{
    if (!take_word(r, " ") || !take_month(r, &date->month) ||
        !take_word(r, " "))
        return false;
    int digits = take_word(r, " ") ? 1 : 2;
    return take_number(r, digits, &date->day) && take_word(r, " ") &&
           take_time(r, &date->second) && take_word(r, " ") &&
           take_number(r, 4, &date->year);
}

bool date_parse(struct date *date, const char *text, size_t n)
{
    struct reader r = {text, text + n};
    struct date read = {0};
    bool good = take_weekday(&r, &read.two_digits);
    if (good && take_word(&r, ","))
        good = take_internet_form(&r, &read);
    else if (good)
        good = !read.two_digits && take_asctime_form(&r, &read);
    if (!good || r.at != r.end || read.day < 1 || read.day > 31)
        return false;
    *date = read;
    return true;
}

/* Days from 1970-01-01 to a day of the Gregorian calendar. A year is taken to
 * begin in March, so that the leap day is its last. */
static int64_t days(int year, int month, int day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t m = month > 2 ? month - 3 : month + 9;
    int64_t before = y * 365 + y / 4 - y / 100 + y / 400;
    return before + (153 * m + 2) / 5 + day - 1 - 719468;
}

static int64_t seconds_of(const struct date *date, int year)
{
    return days(year, date->month, date->day) * DAY_SECONDS + date->second;
}

int64_t date_seconds(const struct date *date, int64_t today)
{
    if (!date->two_digits)
        return seconds_of(date, date->year);
    /* 50 years are 18262 or 18263 days, and no date is meant so exactly. */
    int64_t limit = today + (int64_t)18263 * DAY_SECONDS;
    int year = 1900 + date->year;
    while (seconds_of(date, year + 100) <= limit)
        year += 100;
    return seconds_of(date, year);
}
