/* descriptor: a small number, by which the kernel knows an open file. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    int first = open("/dev/null", O_WRONLY);
    int second = open("/dev/null", O_WRONLY);
    close(first);
    int third = open("/dev/zero", O_RDONLY);
    printf("%d %d %d\n", first, second, third);
    return 0;
}
