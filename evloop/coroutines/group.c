/* group: coroutines that end together. See group.h. */
#include "group.h"

#include <errno.h>
#include <stdlib.h>

struct member {
    struct coroutine_group *group;
    struct coroutine *coroutine;
    int (*f)(void *arg);
    void *arg;
    struct member *next;
    struct member *previous;
};

void group_open(struct coroutine_group *group)
{
    *group = (struct coroutine_group){0};
}

void group_end(struct coroutine_group *group, int error)
{
    if (group->error != 0)
        return;
    group->error = error;
    for (struct member *m = group->first; m != NULL; m = m->next)
        coroutine_cancel(m->coroutine);
    condition_wake_all(&group->left);
}

/* A member's last act. */
static void leave(struct member *m, int result)
{
    struct coroutine_group *group = m->group;
    *(m->previous != NULL ? &m->previous->next : &group->first) = m->next;
    if (m->next != NULL)
        m->next->previous = m->previous;
    free(m);
    if (result < 0 && result != -ECANCELED)
        group_end(group, result);
    if (group->first == NULL)
        condition_wake_all(&group->left);
}

static int run_member(void *arg)
{
    struct member *m = arg;
    int result = m->f(m->arg);
    leave(m, result);
    return result;
}

int group_start(struct coroutine_group *group, int (*f)(void *arg), void *arg)
{
    struct member *m = malloc(sizeof *m);
    if (m == NULL)
        return -ENOMEM;
    *m = (struct member){.group = group, .f = f, .arg = arg};
    m->coroutine = coroutine_start(run_member, m);
    if (m->coroutine == NULL) {
        free(m);
        return -ENOMEM;
    }
    coroutine_detach(m->coroutine); /* the group hears of its end by leave */
    m->next = group->first;
    if (m->next != NULL)
        m->next->previous = m;
    group->first = m;
    if (group->error != 0)
        coroutine_cancel(m->coroutine);
    return 0;
}

int await_group(struct coroutine_group *group, int64_t deadline)
{
    while (group->first != NULL && group->error == 0) {
        int error = await_condition(&group->left, deadline);
        if (error != 0)
            group_end(group, error);
    }
    /* All are to end, and that is waited for whatever comes. */
    coroutine_shield();
    while (group->first != NULL)
        (void)await_condition(&group->left, COROUTINE_NEVER);
    coroutine_unshield();
    return group->error;
}
