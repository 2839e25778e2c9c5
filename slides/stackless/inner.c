/* stackless-inner: an await in a switch of the function's own. */
#include <stdio.h>

static int line; /* where it goes on */

static void go_on(int kind)
{
    switch (line) {
    case 0:
        switch (kind) {
        case 2:
            line = 1;
            return; /* await */
        case 1:     /* where it goes on; or a request of kind 1? */
            printf("kind %d goes on\n", kind);
        }
    }
}

int main(void)
{
    go_on(1);
    go_on(2);
    go_on(2);
    return 0;
}
