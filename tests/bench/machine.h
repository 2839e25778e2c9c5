/*
 * machine: what is measured on, made as quiet as it can be, and described.
 */
#ifndef TRIPTYCH_MACHINE_H
#define TRIPTYCH_MACHINE_H

#include <stddef.h>

/* Which cores the client and the server may use; counts of 0: all. */
struct cores {
    unsigned client_first;
    unsigned client_count;
    unsigned server_first;
    unsigned server_count;
};

/* Raises the limit of descriptors as far as it goes; and, where that is
 * allowed, moves into a network of one's own: loopback only, all ports free,
 * no pacing by congestion control. Returns whether the latter was. */
int machine_prepare(void);

/* With four cores or more, half of them for either. */
struct cores machine_cores(void);

/* Writes lines that begin with "# ": cores, kernel, versions, limits, load. */
void machine_describe(char *out, size_t size, int own_network,
                      const struct cores *cores);

/* The same, only when and on what: for what needs no server. */
void machine_describe_shortly(char *out, size_t size);

#endif
