/* fork: the whole program once more, in memory of its own. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    int number = 1;
    int status;
    pid_t child = fork(); /* returns twice */
    if (child == 0)
        _exit(++number);        /* in the child */
    waitpid(child, &status, 0); /* sleeps until it has ended */
    printf("the child's %d, ours %d\n", WEXITSTATUS(status), number);
    return 0;
}
