/* 6. Two meet, again and again. See puzzles.h. */
#include "puzzles.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int arrivals; /* of both together, since the beginning */

void meet(void)
{
    pthread_mutex_lock(&lock);
    int meeting = arrivals / 2;
    arrivals++;
    while (arrivals / 2 == meeting)
        pthread_cond_wait(&changed, &lock);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}
