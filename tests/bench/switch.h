/*
 * switch: the price of waiting, for `triptych-bench switch`.
 *
 * Two that take turns: one hands over and waits until the other has handed
 * back. What a hand-over takes of a processor is what each model pays whenever
 * one of its requests has to wait.
 */
#ifndef TRIPTYCH_SWITCH_H
#define TRIPTYCH_SWITCH_H

#include <stdio.h>

/* Measures each way in so many rounds, one way after the other in each, on one
 * processor, and prints a table. 0; or a negative errno. */
int switch_run(FILE *out, unsigned rounds);

#endif
