/*
 * table: a run as text, threads against steps. See table.h.
 *
 *     step  main        T1 take           T2 put          where
 *        1  create T1                                     test.c:30 scenario
 *        2              lock lock                         queue.c:4 take
 *        3  ~           wait not_empty                    queue.c:7 take
 *                       (releases lock)
 *
 * A column is as wide as its longest text. What stands in other columns of a
 * row is how these threads are meanwhile.
 */
#include "table.h"

#include "places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_SIZE 40
#define SHOWN     40 /* rows at either end of a long run */

static const char *const marks[] = {
    [EX_MARK_NONE] = "",
    [EX_MARK_HOLDS] = "#",
    [EX_MARK_WAITS] = "~",
    [EX_MARK_BOTH] = "#~",
};

struct table {
    const struct ex_trace *trace;
    struct ex_place *places; /* of steps, then of stands, then of starts */
    char heads[EX_THREADS][HEAD_SIZE];
    int widths[EX_THREADS];
    int numbered;
};

/* In parentheses stands what happens to a thread, or that it waits: these are
 * not steps of its own. */
static bool is_step(const struct ex_step *step)
{
    return step->text[0] != '(';
}

static int at_least(int width, const char *text)
{
    int length = (int)strlen(text);
    return length > width ? length : width;
}

/* A wait is two lines: "wait c1", "(releases m1)". */
static int split(const char *text, char *first, char *second, size_t size)
{
    const char *comma = strstr(text, ", ");
    if (comma == NULL) {
        (void)snprintf(first, size, "%s", text);
        second[0] = '\0';
        return 1;
    }
    (void)snprintf(first, size, "%.*s", (int)(comma - text), text);
    (void)snprintf(second, size, text[0] == '(' ? " %s" : "  %s", comma + 2);
    return 2;
}

static void measure(struct table *table)
{
    const struct ex_trace *trace = table->trace;
    const struct ex_place *starts =
        table->places + trace->count + trace->threads;
    for (int i = 0; i < trace->threads; i++) {
        const char *function = strchr(starts[i].text, ' ');
        bool plain = trace->stands[i].name[0] == 'T' && function != NULL;
        (void)snprintf(table->heads[i], HEAD_SIZE, "%.15s%.20s",
                       trace->stands[i].name, plain ? function : "");
        table->widths[i] = at_least(2, table->heads[i]);
    }
    for (int i = 0; i < trace->count; i++) {
        const struct ex_step *step = &trace->steps[i];
        char first[sizeof step->text];
        char second[sizeof step->text];
        (void)split(step->text, first, second, sizeof first);
        int *width = &table->widths[step->thread];
        *width = at_least(at_least(*width, first), second);
    }
}

static void put_row(FILE *out, struct table *table, const struct ex_step *step,
                    const char *text, bool first, const char *where)
{
    char number[16] = "";
    if (first && is_step(step))
        (void)snprintf(number, sizeof number, "%d", ++table->numbered);
    (void)fprintf(out, "%4s", number);
    for (int i = 0; i < table->trace->threads; i++) {
        const char *cell = i == step->thread ? text : marks[step->marks[i]];
        (void)fprintf(out, "  %-*s", table->widths[i], cell);
    }
    (void)fprintf(out, "  %s\n", first ? where : "");
}

static void put_steps(FILE *out, struct table *table)
{
    const struct ex_trace *trace = table->trace;
    (void)fprintf(out, "step");
    for (int i = 0; i < trace->threads; i++)
        (void)fprintf(out, "  %-*s", table->widths[i], table->heads[i]);
    (void)fprintf(out, "  where\n");
    for (int i = 0; i < trace->count; i++) {
        const struct ex_step *step = &trace->steps[i];
        char first[sizeof step->text];
        char second[sizeof step->text];
        if (trace->count > 2 * SHOWN && i >= SHOWN &&
            i < trace->count - SHOWN) {
            table->numbered += is_step(step);
            if (i == SHOWN)
                (void)fprintf(out, " ...\n");
            continue;
        }
        int lines = split(step->text, first, second, sizeof first);
        put_row(out, table, step, first, true, table->places[i].text);
        if (lines == 2)
            put_row(out, table, step, second, false, "");
    }
    if (trace->full)
        (void)fprintf(out, " ...  (more than %d steps)\n", EX_STEPS);
}

static void put_end(FILE *out, const struct table *table,
                    const struct ex_report *report)
{
    const struct ex_trace *trace = table->trace;
    (void)fprintf(out, "(# holds a lock, ~ waits)\n\nIn the end: %s: %s.\n",
                  explore_kind_name(report->failure.kind),
                  report->failure.message);
    for (int i = 0; i < trace->threads; i++) {
        const struct ex_stand *stand = &trace->stands[i];
        const char *where = table->places[trace->count + i].text;
        (void)fprintf(out, "  %-15s %s", stand->name, stand->text);
        if (stand->alive && where[0] != '\0')
            (void)fprintf(out, " (%s)", where);
        (void)fputc('\n', out);
    }
}

char *ex_table(const struct ex_report *report)
{
    const struct ex_trace *trace = &report->trace;
    struct table table = {.trace = trace};
    char *text = NULL;
    size_t size = 0;
    size_t count = (size_t)(trace->count + 2 * trace->threads);
    table.places = calloc(count + 1, sizeof *table.places);
    FILE *out = open_memstream(&text, &size);
    if (table.places == NULL || out == NULL)
        goto out;
    for (int i = 0; i < trace->count; i++)
        table.places[i].address = trace->steps[i].place;
    for (int i = 0; i < trace->threads; i++) {
        struct ex_place *stand = &table.places[trace->count + i];
        const char *start = trace->stands[i].start;
        stand->address = trace->stands[i].place;
        /* A place is a return address, this is where a function begins. */
        stand[trace->threads].address = start == NULL ? NULL : start + 1;
    }
    ex_places_find(table.places, count);
    measure(&table);
    put_steps(out, &table);
    put_end(out, &table, report);
out:
    if (out != NULL && fclose(out) != 0) {
        free(text);
        text = NULL;
    }
    free(table.places);
    return text;
}
