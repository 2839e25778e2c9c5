/* at_start: for a program that no judge is in, a fetcher. See begin.h. */
#include "begin.h"

__attribute__((constructor)) static void first(void)
{
    lab_begin();
}
