/* 8. A flag that is looked at twice: without the lock, then with it. See
 * puzzles.h. */
#include "puzzles.h"

#include <pthread.h>
#include <stdatomic.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool done;
static int value;

int get(int (*compute)(void))
{
    if (!done) {
        pthread_mutex_lock(&lock);
        if (!done) {
            value = compute();
            done = true;
        }
        pthread_mutex_unlock(&lock);
    }
    return value;
}
