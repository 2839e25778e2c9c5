/*
 * word: how a child shows its parent that it has come to the end of its work,
 * when the work is code that may not be trusted.
 *
 *     parent                         child
 *     notes where it asks     <----  asks
 *     "go on"                 ---->
 *                                    the work
 *     the same place, then?   <----  asks again
 *     the word                ---->
 *     is it the word?         <----  gives it back
 *
 * While the work is done the word is in the parent alone. The place is the
 * call in which the child waits, its arguments, its stack: /proc/PID/syscall,
 * and whom that call returns to. Code that asks from elsewhere in the process
 * gets no word; it would have to make the work's caller go on, with the stack
 * as it was.
 *
 *     struct word word;
 *     word_make(&word);
 *     pid = fork();
 *     if (pid == 0) {
 *         word_work(&word, work, context);
 *         _exit(0);
 *     }
 *     word_begin(&word, pid);
 *     while (word_hear(&word, 1000) != WORD_GONE)
 *         ;
 *     ... waitpid; word.kept: it came to the end ...
 */
#ifndef TRIPTYCH_WORD_H
#define TRIPTYCH_WORD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct word {
    int parent, child; /* the ends of their pipe, both ways */
    pid_t pid;         /* whose word it is */
    uint64_t secret;
    bool began;
    bool told;
    bool kept;               /* the child came to the end */
    char place[256];         /* where it asked first */
    unsigned long returning; /* what it returned to */
};

/* Before the fork. 0 or a negative errno. */
int word_make(struct word *word);

/* In the child. Returns once the parent has heard of the work's end, or gives
 * up. A process that the work forked does not return. */
void word_work(struct word *word, void (*work)(void *context), void *context);

/* In the parent, after the fork. */
void word_begin(struct word *word, pid_t child);

enum word_heard { WORD_NOTHING, WORD_SOMETHING, WORD_GONE };

/* In the parent: waits at most `ms` milliseconds for what the child has to
 * say, and answers it. WORD_GONE: nobody can say anything any more. */
enum word_heard word_hear(struct word *word, int ms);

/* In the parent. */
void word_end(struct word *word);

#endif
