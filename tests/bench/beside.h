/*
 * beside: where our other programs are: beside the one that asks, in a build
 * and when installed.
 */
#ifndef TRIPTYCH_BESIDE_H
#define TRIPTYCH_BESIDE_H

#include <limits.h>

/* The directories of the fetchers, and of what else there is. */
void beside_find(char fetchers[PATH_MAX], char tools[PATH_MAX]);

#endif
