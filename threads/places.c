/* places: which workers are in flight, whose turn it is. See places.h. */
#include "places.h"

#include "blocking.h"
#include "clock.h"

#include <errno.h>
#include <signal.h>

static void on_wake(int number)
{
    (void)number; /* its only use is to end a ppoll */
}

int places_open(struct places *places, size_t limit)
{
    struct sigaction wake = {.sa_handler = on_wake};
    sigset_t usr1;
    *places = (struct places){.limit = limit};
    sigemptyset(&wake.sa_mask);
    (void)sigaction(SIGUSR1, &wake, NULL);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, &usr1, NULL);
    int error = pthread_cond_init(&places->moved, NULL);
    if (error != 0)
        return -error;
    error = pthread_mutex_init(&places->lock, NULL);
    if (error != 0)
        (void)pthread_cond_destroy(&places->moved);
    return -error;
}

int place_add(struct places *places, struct place *place, atomic_int *told)
{
    *place = (struct place){.places = places,
                            .told = told,
                            .thread = pthread_self(),
                            .state = PLACE_IDLE};
    int error = pthread_cond_init(&place->wake, NULL);
    if (error != 0)
        return -error;
    pthread_mutex_lock(&places->lock);
    place->next = places->all;
    places->all = place;
    pthread_mutex_unlock(&places->lock);
    return 0;
}

void places_close(struct places *places)
{
    for (struct place *at = places->all; at != NULL; at = at->next)
        (void)pthread_cond_destroy(&at->wake);
    (void)pthread_cond_destroy(&places->moved);
    (void)pthread_mutex_destroy(&places->lock);
}

/* --- Waking ------------------------------------------------------------- */

/* Tells a worker something, wherever it sleeps: on its condition variable, or
 * in blocking_wait, which the signal ends. */
static void tell_locked(struct place *place, enum told what)
{
    atomic_store(place->told, what);
    pthread_cond_signal(&place->wake);
    if (place->state != PLACE_IDLE) /* else it may have ended */
        (void)pthread_kill(place->thread, SIGUSR1);
}

static bool is_told(const struct place *place)
{
    return atomic_load(place->told) != TOLD_NOTHING;
}

/* Wakes whoever can go on now: the one whose turn it is, the first of those
 * that wait for a place, and those that wait for resources. */
static void wake_locked(struct places *places)
{
    struct place *first = NULL;
    for (struct place *at = places->all; at != NULL; at = at->next) {
        if (at->state == PLACE_IDLE)
            continue;
        if (at->id == places->turn || at->state == PLACE_STARVED)
            pthread_cond_signal(&at->wake);
        if (at->state == PLACE_WAITING && (!first || at->id < first->id))
            first = at;
    }
    if (first != NULL)
        pthread_cond_signal(&first->wake);
}

void places_stop(struct places *places)
{
    pthread_mutex_lock(&places->lock);
    places->stopped = true;
    for (struct place *at = places->all; at != NULL; at = at->next)
        tell_locked(at, TOLD_STOP);
    pthread_mutex_unlock(&places->lock);
}

/* --- Entering and leaving ----------------------------------------------- */

static bool is_first_waiting_locked(const struct place *place)
{
    const struct places *places = place->places;
    for (struct place *at = places->all; at != NULL; at = at->next) {
        if (at->state == PLACE_WAITING && at->id < place->id)
            return false;
    }
    return true;
}

static bool may_enter_locked(const struct place *place)
{
    const struct places *places = place->places;
    if (place->id == places->turn)
        return true;
    return places->active < places->limit &&
           (places->waiting == 1 || is_first_waiting_locked(place));
}

bool place_enter(struct place *place, uint64_t id)
{
    struct places *places = place->places;
    pthread_mutex_lock(&places->lock);
    place->id = id;
    place->thread = pthread_self(); /* of --spawn each: another one now */
    place->state = PLACE_WAITING;
    places->waiting++;
    /* What was told to the request before this one, or to its last try. */
    atomic_store(place->told, places->stopped ? TOLD_STOP : TOLD_NOTHING);
    while (!may_enter_locked(place) && !is_told(place))
        pthread_cond_wait(&place->wake, &places->lock);
    places->waiting--;
    place->state = PLACE_ACTIVE;
    places->active++;
    /* Two that leave in a row wake the same waiter, this one. It passes the
     * baton on, or the second place would stay empty. */
    if (places->waiting > 0)
        wake_locked(places);
    bool go = !is_told(place);
    pthread_mutex_unlock(&places->lock);
    return go;
}

static void leave_locked(struct place *place)
{
    place->places->active--;
    place->places->freed++;
    place->state = PLACE_IDLE;
}

void place_leave(struct place *place, uint64_t turn)
{
    struct places *places = place->places;
    pthread_mutex_lock(&places->lock);
    leave_locked(place);
    bool moved = turn > places->turn;
    if (moved) {
        places->turn = turn;
        pthread_cond_signal(&places->moved);
    }
    /* Not in vain: it looks at them all. */
    if ((moved && places->sleeping > 0) || places->waiting > 0)
        wake_locked(places);
    pthread_mutex_unlock(&places->lock);
}

/* --- The turn ----------------------------------------------------------- */

/* From its turn on nobody tells the request to give back (newest_locked); what
 * was told a moment before is void, or a body would be cut in its midst. */
static bool has_turn_locked(struct place *place)
{
    int give_back = TOLD_GIVE_BACK;
    if (place->id != place->places->turn)
        return false;
    atomic_compare_exchange_strong(place->told, &give_back, TOLD_NOTHING);
    return true;
}

bool place_has_turn(struct place *place)
{
    pthread_mutex_lock(&place->places->lock);
    bool has = has_turn_locked(place);
    pthread_mutex_unlock(&place->places->lock);
    return has;
}

void places_wait_moved(struct places *places, uint64_t turn, int ms)
{
    struct timespec until = clock_in_ms(ms);
    int error = 0;
    pthread_mutex_lock(&places->lock);
    while (places->turn <= turn && error == 0)
        error = pthread_cond_clockwait(&places->moved, &places->lock,
                                       CLOCK_MONOTONIC, &until);
    pthread_mutex_unlock(&places->lock);
}

int place_wait_turn(struct place *place)
{
    pthread_mutex_lock(&place->places->lock);
    place->places->sleeping++;
    while (!has_turn_locked(place) && !is_told(place))
        pthread_cond_wait(&place->wake, &place->places->lock);
    place->places->sleeping--;
    int error = is_told(place) ? -ECANCELED : 0;
    pthread_mutex_unlock(&place->places->lock);
    return error;
}

/* --- Shortages ---------------------------------------------------------- */

/* The newest of the active, but not the one whose turn it is. */
static struct place *newest_locked(struct places *places)
{
    struct place *newest = NULL;
    for (struct place *at = places->all; at != NULL; at = at->next) {
        bool active = at->state == PLACE_ACTIVE || at->state == PLACE_STARVED;
        if (active && at->id != places->turn &&
            (newest == NULL || at->id > newest->id))
            newest = at;
    }
    return newest;
}

/* Waits until some other request has left or given back. */
static void starve_locked(struct place *place)
{
    struct places *places = place->places;
    uint64_t freed = places->freed;
    place->state = PLACE_STARVED;
    places->waiting++;
    while (places->freed == freed && !is_told(place))
        pthread_cond_wait(&place->wake, &places->lock);
    places->waiting--;
}

bool place_yield(struct place *place, bool given, size_t *left)
{
    struct places *places = place->places;
    pthread_mutex_lock(&places->lock);
    struct place *newest = newest_locked(places);
    bool over = given || newest != NULL;
    *left = places->active > 1 ? places->active - 1 : 1;
    if (over && !given && newest != place) {
        tell_locked(newest, TOLD_GIVE_BACK);
        starve_locked(place);
        leave_locked(place);
        wake_locked(places); /* another may starve, and wait for this one */
    } else if (over) {
        leave_locked(place);
        places->limit = *left;
        wake_locked(places);
    }
    pthread_mutex_unlock(&places->lock);
    return over;
}
