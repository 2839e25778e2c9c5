/* progress: what is counted, and the line that shows it. See progress.h. */
#include "progress.h"

#include "clock.h"

#include <inttypes.h>
#include <stdio.h>

/* "17 B", "1.2 KB", "34.5 MB": decimal units, as rates are given. */
static void print_amount(double bytes, char *out, size_t size)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
    size_t unit = 0;
    while (bytes >= 999.95 && unit < 4) {
        bytes /= 1000;
        unit++;
    }
    snprintf(out, size, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

static double per_second(uint64_t count, int64_t us)
{
    return us > 0 ? (double)count * (double)CLOCK_SECOND / (double)us : 0;
}

void progress_line(struct progress *progress, char *out, size_t size,
                   int64_t now)
{
    char amount[24];
    char rate[24];
    char total[24] = "";
    uint64_t failed = progress->finished - progress->succeeded;
    print_amount((double)progress->bytes, amount, sizeof amount);
    print_amount(per_second(progress->bytes - progress->shown_bytes,
                            now - progress->shown_us),
                 rate, sizeof rate);
    if (progress->total > 0)
        snprintf(total, sizeof total, "/%" PRIu64, progress->total);
    snprintf(out, size,
             "%" PRIu64 "%s done, %" PRIu64 " failed, %" PRIu64
             " in flight, %s, %s/s",
             progress->finished, total, failed, progress->in_flight, amount,
             rate);
    progress->shown_us = now;
    progress->shown_bytes = progress->bytes;
}

void progress_summary(const struct progress *progress, char *out, size_t size,
                      int64_t now)
{
    char amount[24];
    char rate[24];
    print_amount((double)progress->kept, amount, sizeof amount);
    print_amount(per_second(progress->kept, now), rate, sizeof rate);
    snprintf(out, size,
             "%" PRIu64 " request%s: %" PRIu64 " ok, %" PRIu64
             " failed; %s in %.2f s (%.0f requests/s, %s/s)",
             progress->finished, progress->finished == 1 ? "" : "s",
             progress->succeeded, progress->finished - progress->succeeded,
             amount, (double)now / (double)CLOCK_SECOND,
             per_second(progress->finished, now), rate);
}
