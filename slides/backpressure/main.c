/*
 * simulated: the simulator as a program, for a test. It reads lines from
 * standard input,
 *
 *     begin SOURCES HIGH LOW
 *     set CONSUMER SERVER BODY FORGOTTEN
 *     limits HIGH LOW
 *     step TIMES
 *
 * and after each step prints how it stands: of the pipe, the consumer, the
 * drains, the turn, and of each source the socket, the stash, 1 if it waits.
 */
#include "simulator.h"

#include <stdio.h>

static void print(unsigned sources)
{
    printf("%u %.0f %u %u", simulator_pipe(), simulator_taken(),
           simulator_drained(), simulator_turn());
    for (unsigned i = 0; i < sources; i++)
        printf(" %u %u %d", simulator_socket(i), simulator_stash(i),
               simulator_paused(i));
    printf("\n");
}

int main(void)
{
    char line[200];
    unsigned sources = 0, a, b, c;
    int forgotten;
    double high, low;
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (sscanf(line, "begin %u %lf %lf", &sources, &high, &low) == 3)
            (void)simulator_begin(sources, high, low);
        else if (sscanf(line, "set %u %u %u %d", &a, &b, &c, &forgotten) == 4)
            simulator_set(a, b, c, forgotten);
        else if (sscanf(line, "limits %lf %lf", &high, &low) == 2)
            (void)simulator_limits(high, low);
        else if (sscanf(line, "step %u", &a) == 1)
            for (; a > 0; a--) {
                simulator_step();
                print(sources);
            }
        else
            return 2;
    }
    return 0;
}
