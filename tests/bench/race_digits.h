/*
 * race_digits: numbers in digits five rows high, for those who sit far away.
 */
#ifndef TRIPTYCH_RACE_DIGITS_H
#define TRIPTYCH_RACE_DIGITS_H

#include "race_screen.h"

#define DIGITS_HEIGHT 5

/* Draws a number, of digits and points, so wide that five digits have room in
 * `width` columns. */
void digits_draw(struct screen *screen, int row, int column, int width,
                 const char *number);

#endif
