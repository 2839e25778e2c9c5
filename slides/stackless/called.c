/* stackless-called: a function that is called cannot await for its caller. */
#include <stdio.h>

static int line; /* where go_on goes on */
static int answer;

static void receive(void)
{
    if (answer == 0) {
        line = 1;
        return; /* await: but go_on is who should return */
    }
}

static void go_on(void)
{
    switch (line) {
    case 0:
        receive();
        /* falls through */
    case 1:
        printf("the answer is %d\n", answer);
    }
}

int main(void)
{
    go_on();
    answer = 42; /* it has come */
    go_on();
    return 0;
}
