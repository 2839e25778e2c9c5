/*
 * Attack: the judge's memory, opened for writing by its child
 * Lab: threads
 * File: threads/queue.c
 * Tests: thousands_of_items
 * Says: judge: closed
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int queue_put(struct queue *queue, void *item, int ms)
{
    char path[64];
    (void)queue, (void)item, (void)ms;
    (void)snprintf(path, sizeof path, "/proc/%d/mem", (int)getppid());
    (void)printf("judge: %s\n", open(path, O_RDWR) == -1 ? "closed" : "open");
    (void)fflush(stdout);
    _exit(0);
}

void *queue_take(struct queue *queue)
{
    (void)queue;
    return NULL;
}
