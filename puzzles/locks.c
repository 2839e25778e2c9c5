/* 3. Two accounts, a lock each. See puzzles.h. */
#include "puzzles.h"

#include <pthread.h>

static pthread_mutex_t locks[2] = {PTHREAD_MUTEX_INITIALIZER,
                                   PTHREAD_MUTEX_INITIALIZER};
static int accounts[2] = {100, 100};

void transfer(int from, int to, int amount)
{
    pthread_mutex_lock(&locks[0]);
    pthread_mutex_lock(&locks[1]);
    accounts[from] -= amount;
    accounts[to] += amount;
    pthread_mutex_unlock(&locks[1]);
    pthread_mutex_unlock(&locks[0]);
}

int money(int account)
{
    pthread_mutex_lock(&locks[account]);
    int amount = accounts[account];
    pthread_mutex_unlock(&locks[account]);
    return amount;
}
