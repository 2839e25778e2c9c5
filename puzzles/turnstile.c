/* 10. Coins, and those who wait for one. See puzzles.h. */
#include "puzzles.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int coins;

void insert_coin(void)
{
    pthread_mutex_lock(&lock);
    coins++;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

void pass(void)
{
    pthread_mutex_lock(&lock);
    while (coins == 0)
        pthread_cond_wait(&changed, &lock);
    coins--;
    pthread_mutex_unlock(&lock);
}

int coins_left(void)
{
    pthread_mutex_lock(&lock);
    int left = coins;
    pthread_mutex_unlock(&lock);
    return left;
}
