/* 7. Room for one, and one condition for all who wait. See puzzles.h. */
#include "puzzles.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool full;
static int room;

void put(int item)
{
    pthread_mutex_lock(&lock);
    while (full)
        pthread_cond_wait(&changed, &lock);
    room = item;
    full = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

int take(void)
{
    pthread_mutex_lock(&lock);
    while (!full)
        pthread_cond_wait(&changed, &lock);
    int item = room;
    full = false;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return item;
}
