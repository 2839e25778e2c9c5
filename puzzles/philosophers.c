/* 4. Four philosophers, four forks. See puzzles.h. */
#include "puzzles.h"

#include <pthread.h>

#define SEATS 4

static pthread_mutex_t forks[SEATS] = {
    PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
    PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};

void take_forks(int philosopher)
{
    int left = philosopher, right = (philosopher + 1) % SEATS;
    int first = left < right ? left : right;
    pthread_mutex_lock(&forks[first]);
    pthread_mutex_lock(&forks[left + right - first]);
}

void put_forks(int philosopher)
{
    pthread_mutex_unlock(&forks[philosopher]);
    pthread_mutex_unlock(&forks[(philosopher + 1) % SEATS]);
}
