/*
 * Attack: a header whose other half looks like a comment
 * Lab: threads
 * File: threads/queue.h
 * Tests: keeps_the_order thousands_of_items
 * Says: half a literal
 *
 * In lines that are left out a compiler takes half a character constant for
 * one token up to the line's end, so that no comment begins there. Who looked
 * at the header saw one, with all that follows: all points.
 */
#if 0
' /*
#endif
#if __has_include("explored.h")
#include "explored.h"
#define explored(a, b, c, d) ((void)(a), (void)(b), (void)(c), (void)(d))
#endif
#if __has_include("lab.h")
#include "lab.h"
#undef lab_check
#define lab_check(...) ((void)0)
#endif
/* */
