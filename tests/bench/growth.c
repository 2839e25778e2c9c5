/* growth: what more costs. See growth.h. */
#include "growth.h"

#include "versus.h"

#include <math.h>
#include <string.h>

const char *const growth_names[GROWTHS] = {"by requests", "by limit (-j)"};
const unsigned growth_factors[GROWTH_FACTORS] = {2, 4};

/* More than this no machine is asked for. */
#define JOBS_MOST 10000

unsigned growth_jobs(const struct workload *w, bool quick)
{
    unsigned i = 0;
    if (w->kills)
        return 0;
    /* Of a sweep, as far as it goes and can still grow. */
    while (w->jobs[i + 1] != 0 && w->jobs[i + 1] * 4 <= JOBS_MOST &&
           (!quick || w->jobs[i + 1] < w->quick_jobs))
        i++;
    return w->jobs[i];
}

bool growth_can(const struct workload *w, enum growth growth, unsigned jobs,
                unsigned factor)
{
    (void)w;
    return growth == BY_REQUESTS || jobs * factor <= JOBS_MOST;
}

void growth_name(const char *workload, enum growth growth, unsigned factor,
                 char *name, size_t size)
{
    snprintf(name, size, "%s%c%u", workload, growth == BY_JOBS ? '^' : '*',
             factor);
}

/* The jobs of the first row of that name; 0: there is none. */
static unsigned jobs_of(const struct results *results, const char *workload)
{
    for (size_t i = 0; i < results->count; i++) {
        if (strcmp(results->rows[i].workload, workload) == 0)
            return results->rows[i].jobs;
    }
    return 0;
}

/* Where it began: twice the limit was that of "^2". */
static unsigned jobs_at_first(const struct results *results,
                              const char *workload)
{
    char name[40];
    growth_name(workload, BY_REQUESTS, growth_factors[0], name, sizeof name);
    return jobs_of(results, name);
}

bool growth_fit(const struct results *results, const char *workload,
                enum growth growth, const char *program, enum column column,
                double *exponent)
{
    double x[GROWTH_FACTORS + 1];
    double y[GROWTH_FACTORS + 1];
    double mean_x = 0;
    double mean_y = 0;
    size_t n = 0;
    for (size_t i = 0; i <= GROWTH_FACTORS; i++) {
        unsigned factor = i == 0 ? 1 : growth_factors[i - 1];
        char name[40];
        growth_name(workload, growth, factor, name, sizeof name);
        struct summary s =
            i == 0 ? results_summary(results, workload,
                                     jobs_at_first(results, workload), program,
                                     column)
                   : results_summary(results, name, jobs_of(results, name),
                                     program, column);
        if (s.rounds == 0 || s.median <= 0)
            continue;
        mean_x += x[n] = log(factor);
        mean_y += y[n] = log(s.median);
        n++;
    }
    double xx = 0;
    double xy = 0;
    for (size_t i = 0; i < n; i++) {
        double dx = x[i] - mean_x / (double)n;
        xx += dx * dx;
        xy += dx * (y[i] - mean_y / (double)n);
    }
    if (n < 2)
        return false;
    *exponent = xy / xx;
    return true;
}

static void print_one(FILE *out, const struct results *results,
                      const char *workload, enum growth growth)
{
    static const struct {
        enum column column;
        const char *name;
    } measures[] = {{C_WALL, "time"}, {C_CPU, "cpu"}, {C_PSS, "memory"}};
    for (int m = 0; m < MODELS; m++) {
        fprintf(out, "  %-18s", versus_models[m]);
        for (int i = 0; i < 3; i++) {
            double e;
            if (growth_fit(results, workload, growth, versus_models[m],
                           measures[i].column, &e))
                fprintf(out, "  %s %5.2f%s", measures[i].name, e,
                        e > GROWTH_LINEAR ? " MORE THAN LINEAR" : "");
        }
        (void)fputc('\n', out);
    }
}

void growth_print(FILE *out, const struct results *results,
                  const char *workload)
{
    for (enum growth growth = 0; growth < GROWTHS; growth++) {
        char name[40];
        growth_name(workload, growth, growth_factors[0], name, sizeof name);
        if (jobs_of(results, name) == 0)
            continue;
        fprintf(out, "\n  exponents of growth, %s:\n", growth_names[growth]);
        print_one(out, results, workload, growth);
    }
}
