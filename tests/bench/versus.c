/* versus: the three models in one table. See versus.h. */
#include "versus.h"

/* Wall times that differ by less than this do not differ. */
#define DEAD_HEAT 1.03

const char *const versus_models[MODELS] = {"threads", "processes", "evloop"};

/* What is better: less of it, more of it, or neither. */
enum better { LESS, MORE, NEITHER };

struct row {
    const char *name;
    const char *format;
    enum better better;
    double values[MODELS];
};

static bool is_best(const struct row *row, const struct measure all[MODELS],
                    int which)
{
    double value = row->values[which];
    if (row->better == NEITHER || all[which].status != 0)
        return false;
    for (int i = 0; i < MODELS; i++) {
        double other = row->values[i];
        if (all[i].status == 0 &&
            (row->better == LESS ? other < value : other > value))
            return false;
    }
    return true;
}

static void print_row(FILE *out, const struct row *row,
                      const struct measure all[MODELS], bool colours)
{
    fprintf(out, "  %-28s", row->name);
    for (int i = 0; i < MODELS; i++) {
        char text[40];
        bool best = is_best(row, all, i);
        int n =
            snprintf(text, sizeof text, "%s", best && !colours ? "* " : "");
        snprintf(text + n, sizeof text - (size_t)n, row->format,
                 row->values[i]);
        fprintf(out, "%s%14s%s", best && colours ? "\033[32m" : "", text,
                best && colours ? "\033[0m" : "");
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
    fprintf(out, "\n  %s%-28s", colours ? "\033[1m" : "", "");
    for (int i = 0; i < MODELS; i++)
        fprintf(out, "%14s", versus_models[i]);
    fprintf(out, "%s\n", colours ? "\033[0m" : "");
    if (done[0] != done[1] || done[1] != done[2]) {
        struct row row = {
            "requests done", "%.0f", NEITHER, {done[0], done[1], done[2]}};
        print_row(out, &row, versus->all, colours);
    }
    ROW("wall time, s", m->wall, "%.2f", LESS);
    ROW("requests/s", done[i] / m->wall, "%.0f", MORE);
    ROW("MB/s", (double)m->bytes / 1e6 / m->wall, "%.0f", MORE);
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
    if (count > 1 && last < DEAD_HEAT * first) {
        fprintf(out, "  No difference in time to speak of: %.2f to %.2f s.\n",
                first, last);
    } else if (count > 0) {
        fprintf(out, "  First: %s, in %.2f s", versus_models[order[0]], first);
        for (int i = 1; i < count; i++)
            fprintf(out, "; %s took %.2f times as long",
                    versus_models[order[i]], all[order[i]].wall / first);
        fputs(".\n", out);
    }
    for (int i = 0; i < MODELS; i++) {
        if (all[i].status != 0)
            fprintf(out,
                    "  Lost: %s ended with status %d, %u of %u requests "
                    "undone.\n",
                    versus_models[i], all[i].status,
                    versus->total - versus->done[i], versus->total);
    }
}
