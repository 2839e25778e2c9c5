/*
 * race_view: what a frame of the race shows: a title, the three lanes, each
 * with its figures and a tile for each request, and a legend.
 *
 * It takes the room that there is: tiles grow with the window, and where there
 * is enough, figures are written in large digits. Where there are too few
 * places for all requests, a tile stands for several.
 */
#ifndef TRIPTYCH_RACE_VIEW_H
#define TRIPTYCH_RACE_VIEW_H

#include "race_lane.h"
#include "race_screen.h"
#include "versus.h"

/* The least that it can be drawn in. */
#define VIEW_WIDTH  76
#define VIEW_HEIGHT 19

struct view {
    const struct race_task *task;
    const struct race_lane *lanes; /* MODELS of them */
    bool turns;                    /* one after the other */
    bool is_over;
    bool waits; /* for a key, before it ends */
};

void view_draw(struct screen *screen, const struct view *view);

/* A number of bytes in few characters: "1.9 MiB". */
void view_bytes(uint64_t bytes, char *text, size_t size);

#endif
