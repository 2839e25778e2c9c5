/* right: programs that are right; and the reference's queue. */
#ifndef RIGHT_H
#define RIGHT_H

#include "explore.h"

extern const struct explore_scenario right[];
extern const struct explore_scenario reference[];

#endif
