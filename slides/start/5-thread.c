/* thread: a second place in the same program, in the same memory. */
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int count;

static void *work(void *unused)
{
    for (int i = 0; i < 100000; i++) {
        pthread_mutex_lock(&lock); /* sleeps while the other has it */
        count++;
        pthread_mutex_unlock(&lock);
    }
    return unused;
}

int main(void)
{
    pthread_t one, other;
    if (pthread_create(&one, NULL, work, NULL) != 0 ||
        pthread_create(&other, NULL, work, NULL) != 0)
        return 1;
    pthread_join(one, NULL); /* sleeps until it has ended */
    pthread_join(other, NULL);
    printf("%d\n", count);
    return 0;
}
