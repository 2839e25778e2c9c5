/*
 * Another style: members in the order of their coming, linked one way; one
 * loop awaits them, shielded as soon as the group has been ended.
 *
 * group: coroutines that end together. See group.h.
 */
#include "group.h"

#include <errno.h>
#include <stdlib.h>

struct member {
    struct member *next;
    struct coroutine_group *group;
    struct coroutine *coroutine;
    int (*f)(void *arg);
    void *arg;
};

void group_open(struct coroutine_group *group)
{
    group->first = NULL;
    group->left = (struct condition){0};
    group->error = 0;
}

void group_end(struct coroutine_group *group, int error)
{
    if (group->error == 0) {
        group->error = error;
        for (struct member *m = group->first; m != NULL; m = m->next)
            coroutine_cancel(m->coroutine);
        condition_wake(&group->left);
    }
}

static int run_member(void *arg)
{
    struct member *m = arg;
    struct coroutine_group *group = m->group;
    int result = m->f(m->arg);
    bool failed = result < 0 && result != -ECANCELED;
    struct member **link = &group->first;
    while (*link != m)
        link = &(*link)->next;
    *link = m->next;
    free(m);
    if (failed)
        group_end(group, result);
    condition_wake(&group->left); /* every time: who awaits looks */
    return 0;
}

int group_start(struct coroutine_group *group, int (*f)(void *arg), void *arg)
{
    struct member *m = calloc(1, sizeof *m);
    struct member **end = &group->first;
    if (m == NULL)
        return -ENOMEM;
    m->group = group;
    m->f = f;
    m->arg = arg;
    m->coroutine = coroutine_start(run_member, m);
    if (m->coroutine == NULL) {
        free(m);
        return -ENOMEM;
    }
    coroutine_detach(m->coroutine);
    if (group->error != 0)
        coroutine_cancel(m->coroutine);
    while (*end != NULL)
        end = &(*end)->next;
    *end = m;
    return 0;
}

int await_group(struct coroutine_group *group, int64_t deadline)
{
    bool shielded = false;
    while (group->first != NULL) {
        if (group->error != 0 && !shielded) {
            coroutine_shield();
            shielded = true;
        }
        int error = await_condition(&group->left,
                                    shielded ? COROUTINE_NEVER : deadline);
        if (error != 0)
            group_end(group, error);
    }
    if (shielded)
        coroutine_unshield();
    return group->error;
}
