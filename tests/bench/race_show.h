/*
 * race_show: the race itself: a server, the three lanes, frames or lines while
 * they run, and the table at the end.
 */
#ifndef TRIPTYCH_RACE_SHOW_H
#define TRIPTYCH_RACE_SHOW_H

#include "race_work.h"

#include <signal.h>
#include <stdbool.h>

struct race_setting {
    const struct race_work *work;
    unsigned requests;
    unsigned jobs;
    bool turns;         /* one after the other */
    bool plain;         /* lines, also on a terminal */
    const char *record; /* file; NULL: none */
    int width;          /* of the record where there is no terminal */
    int height;
    double hold; /* seconds for which the last frame stands */
    const volatile sig_atomic_t
        *stop; /* a signal's number once there is one */
};

/* Returns the exit status. */
int race_show(const struct race_setting *setting);

#endif
