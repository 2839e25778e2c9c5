/* stackless-local: a local variable does not outlast an await. */
#include <stdio.h>

static int line; /* where it goes on */

static void go_on(void)
{
    int count = 0; /* once more with each call */
    switch (line) {
    case 0:
        for (;;) {
            count++;
            line = 1;
            return; /* await */
        case 1:
            printf("count is %d\n", count);
        }
    }
}

int main(void)
{
    for (int i = 0; i < 3; i++)
        go_on();
    return 0;
}
