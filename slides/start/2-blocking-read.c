/* blocking read: a call that returns when there is something to return. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
    char text[64];
    FILE *other = popen("sleep 0.2; echo hello", "r");
    ssize_t n = read(fileno(other), text, sizeof text); /* sleeps */
    long worked = clock() * 1000 / CLOCKS_PER_SEC;
    printf("%zd bytes; the processor worked %ld ms\n", n, worked);
    return pclose(other);
}
