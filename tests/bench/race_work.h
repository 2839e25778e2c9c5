/*
 * race_work: what there is to be raced: workloads of a lecture's size, some
 * seconds long, with requests that fit on a screen. To add one, add an entry.
 */
#ifndef TRIPTYCH_RACE_WORK_H
#define TRIPTYCH_RACE_WORK_H

#include "workload.h"

struct race_work {
    struct workload workload; /* `shows` is one line of a narrow screen */
    double rate;              /* TO_READER: bytes a second that are read */
    unsigned kill_ms;         /* `kills`: so often */
};

extern const struct race_work race_works[];
extern const size_t race_work_count;

/* NULL: there is none of that name. The first is the usual one. */
const struct race_work *race_work_find(const char *name);

#endif
