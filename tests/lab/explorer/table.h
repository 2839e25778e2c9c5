/* table: a run as text, threads against steps. */
#ifndef EXPLORE_TABLE_H
#define EXPLORE_TABLE_H

#include "child.h"

/* Allocated; NULL for want of memory. */
char *ex_table(const struct ex_report *report);

#endif
