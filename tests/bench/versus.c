/* versus: the models in one table. See versus.h. */
#include "versus.h"

#include <string.h>

const char *const versus_models[MODELS] = {"threads", "processes", "evloop",
                                           "coroutines"};

/* What is better: less of it, more of it, or neither. */
enum better { LESS, MORE, NEITHER };

struct row {
    const char *name;
    const char *format;
    enum better better;
    double values[MODELS];
};

/* The best value of those that have not failed. */
static double find_best(const struct row *row,
                        const struct measure all[MODELS])
{
    bool found = false;
    double best = 0;
    for (int i = 0; i < MODELS; i++) {
        double value = row->values[i];
        if (all[i].status == 0 &&
            (!found || (row->better == LESS ? value < best : value > best))) {
            best = value;
            found = true;
        }
    }
    return best;
}

/* What is written alike is equally good; and where all are, none is best. */
static void print_row(FILE *out, const struct row *row,
                      const struct measure all[MODELS], bool colours)
{
    char text[MODELS][40];
    char best[40];
    bool differ = false;
    snprintf(best, sizeof best, row->format, find_best(row, all));
    for (int i = 0; i < MODELS; i++) {
        snprintf(text[i], sizeof text[i], row->format, row->values[i]);
        differ = differ || strcmp(text[i], best) != 0;
    }
    fprintf(out, "  %-21s", row->name);
    for (int i = 0; i < MODELS; i++) {
        bool is_best = row->better != NEITHER && differ &&
                       all[i].status == 0 && strcmp(text[i], best) == 0;
        fprintf(out, "%s%*s%s%s", is_best && colours ? "\033[32m" : "",
                14 - (int)strlen(text[i]), is_best ? "* " : "", text[i],
                is_best && colours ? "\033[0m" : "");
    }
    (void)putc('\n', out);
}

#define ROW(name, expression, format, better)                                 \
    do {                                                                      \
        struct row row = {name, format, better, {0}};                         \
        for (int i = 0; i < MODELS; i++) {                                    \
            const struct measure *m = &versus->all[i];                        \
            row.values[i] = (double)(expression);                             \
        }                                                                     \
        print_row(out, &row, versus->all, colours);                           \
    } while (0)

void versus_print(FILE *out, const struct versus *versus, bool colours)
{
    const unsigned *done = versus->done;
    fprintf(out, "\n  %s%-21s", colours ? "\033[1m" : "", "");
    for (int i = 0; i < MODELS; i++)
        fprintf(out, "%14s", versus_models[i]);
    fprintf(out, "%s\n", colours ? "\033[0m" : "");
    bool differ = false;
    for (int i = 1; i < MODELS; i++)
        differ = differ || done[i] != done[0];
    if (differ)
        ROW("requests done", m != NULL ? done[i] : 0, "%.0f", NEITHER);
    ROW("wall time, s", m->wall, "%.2f", LESS);
    ROW("requests/s", done[i] / m->wall, "%.0f", MORE);
    ROW("MB/s", (double)m->bytes / 1e6 / m->wall, "%.1f", MORE);
    ROW("user CPU, s", m->user, "%.2f", LESS);
    ROW("system CPU, s", m->system, "%.2f", LESS);
    ROW("peak memory, MiB", (double)m->peak_pss / 1048576, "%.1f", LESS);
    ROW("threads", m->threads, "%.0f", NEITHER);
    ROW("processes", m->processes, "%.0f", NEITHER);
    ROW("descriptors", m->descriptors, "%.0f", NEITHER);
    ROW("voluntary switches", m->voluntary, "%.0f", LESS);
    ROW("involuntary switches", m->involuntary, "%.0f", LESS);
}

/* --- The winner --------------------------------------------------------- */

/* The models that have not failed, the fastest first. Returns how many. */
static int rank(const struct measure all[MODELS], int order[MODELS])
{
    int count = 0;
    for (int i = 0; i < MODELS; i++) {
        int place = count;
        if (all[i].status != 0)
            continue;
        for (; place > 0 && all[order[place - 1]].wall > all[i].wall; place--)
            order[place] = order[place - 1];
        order[place] = i;
        count++;
    }
    return count;
}

void versus_print_winner(FILE *out, const struct versus *versus)
{
    const struct measure *all = versus->all;
    int order[MODELS];
    int count = rank(all, order);
    double first = count > 0 ? all[order[0]].wall : 0;
    double last = count > 0 ? all[order[count - 1]].wall : 0;
    if (count > 1 && last < VERSUS_LEVEL * first) {
        fprintf(out, "  No difference in time to speak of: %.2f to %.2f s.\n",
                first, last);
    } else if (count > 0) {
        fprintf(out, "  First: %s, in %.2f s", versus_models[order[0]], first);
        for (int i = 1; i < count; i++)
            fprintf(out, i == 1 ? "; %s took %.2f times as long" : ", %s %.2f",
                    versus_models[order[i]], all[order[i]].wall / first);
        fputs(".\n", out);
    }
    for (int i = 0; i < MODELS; i++) {
        int status = all[i].status;
        if (status != 0)
            fprintf(out, "  Lost: %s %s %d, %u of %u requests undone.\n",
                    versus_models[i],
                    status > 128 ? "was killed by signal"
                                 : "ended with status",
                    status > 128 ? status - 128 : status,
                    versus->total - versus->done[i], versus->total);
    }
}
