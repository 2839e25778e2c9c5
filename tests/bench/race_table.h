/*
 * race_table: what a race ends in: the table, the winner, what was lost, and
 * what showing it took.
 */
#ifndef TRIPTYCH_RACE_TABLE_H
#define TRIPTYCH_RACE_TABLE_H

#include "race_lane.h"
#include "race_record.h"

#include <stdbool.h>
#include <stdio.h>

struct race_table {
    const struct race_task *task;
    const struct race_lane *lanes; /* MODELS of them, all ended */
    double own_cpu;                /* seconds that showing them took */
};

void race_table_print(FILE *out, const struct race_table *table, bool colours);

/* The same, into a record, as a terminal shows it. */
void race_table_record(struct record *record, const struct race_table *table,
                       bool colours);

/* Seconds of CPU that this process has taken so far. */
double race_table_own_cpu(void);

#endif
