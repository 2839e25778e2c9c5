/* places: where a worker sleeps. See places.h. */
#include "places.h"

#include "blocking.h"

#include <errno.h>
#include <signal.h>

static void on_wake(int number)
{
    (void)number; /* its only use is to end a ppoll */
}

void places_open(struct places *places, size_t limit)
{
    struct sigaction wake = {.sa_handler = on_wake};
    sigset_t usr1;
    /* (On Linux no mutex or condition of the plain kind fails to be made.) */
    *places = (struct places){.lock = PTHREAD_MUTEX_INITIALIZER};
    flight_open(&places->flight, limit);
    sigemptyset(&wake.sa_mask);
    (void)sigaction(SIGUSR1, &wake, NULL);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, &usr1, NULL);
}

void place_add(struct places *places, struct place *place, atomic_int *told)
{
    *place = (struct place){.places = places, .told = told};
    (void)pthread_cond_init(&place->wake, NULL);
    pthread_mutex_lock(&places->lock);
    place->next = places->all;
    places->all = place;
    pthread_mutex_unlock(&places->lock);
}

void places_close(struct places *places)
{
    for (struct place *at = places->all; at != NULL; at = at->next)
        (void)pthread_cond_destroy(&at->wake);
    (void)pthread_mutex_destroy(&places->lock);
}

/* --- Sleeping and waking ------------------------------------------------ */

/* Tells a worker something, wherever it sleeps: on its condition; or in
 * blocking_wait, which the signal ends. */
static void tell_locked(struct place *place, enum told what)
{
    atomic_store(place->told, what);
    pthread_cond_signal(&place->wake);
    if (place->state != PLACE_IDLE) /* else its thread may have ended */
        (void)pthread_kill(place->thread, SIGUSR1);
}

static bool is_told(const struct place *place)
{
    return atomic_load(place->told) != TOLD_NOTHING;
}

/* Of those that wait for a place, the one with the lowest id; or NULL. */
static struct place *first_waiting_locked(const struct places *places)
{
    struct place *first = NULL;
    if (places->waiting == 0) /* the rule: there are as many places */
        return NULL;
    for (struct place *at = places->all; at != NULL; at = at->next) {
        if (at->state == PLACE_WAITING &&
            (!first || at->flier.id < first->flier.id))
            first = at;
    }
    return first;
}

/* Wakes those that may go on now. */
static void wake_locked(struct places *places)
{
    struct place *waiting = first_waiting_locked(places);
    struct flier *first = places->flight.first;
    if (waiting != NULL)
        pthread_cond_signal(&waiting->wake);
    if (first != NULL && flight_has_turn(&places->flight, first->id))
        pthread_cond_signal(&((struct place *)first)->wake);
}

void places_stop(struct places *places)
{
    pthread_mutex_lock(&places->lock);
    for (struct place *at = places->all; at != NULL; at = at->next)
        tell_locked(at, TOLD_STOP);
    pthread_mutex_unlock(&places->lock);
}

/* --- Entering and leaving ----------------------------------------------- */

static bool may_enter_locked(const struct place *place)
{
    return flight_may_enter(&place->places->flight, place->flier.id) &&
           (place->places->waiting == 1 ||
            first_waiting_locked(place->places) == place);
}

void place_enter(struct place *place, uint64_t id)
{
    struct places *places = place->places;
    pthread_mutex_lock(&places->lock);
    place->flier.id = id;
    place->thread = pthread_self(); /* of --spawn each: another one now */
    place->state = PLACE_WAITING;
    places->waiting++;
    /* What was told to the last request, or to the last try of this one.
     * (TOLD_STOP, too: the caller asks run_stopping next.) */
    atomic_store(place->told, TOLD_NOTHING);
    while (!may_enter_locked(place) && !is_told(place))
        pthread_cond_wait(&place->wake, &place->places->lock);
    place->state = PLACE_ACTIVE;
    places->waiting--;
    flight_enter(&places->flight, &place->flier, id);
    /* Two that leave in a row wake the same waiter, this one. It passes the
     * baton on, or the second place would stay empty. */
    wake_locked(places);
    pthread_mutex_unlock(&places->lock);
}

void place_leave(struct place *place, uint64_t turn)
{
    struct places *places = place->places;
    pthread_mutex_lock(&places->lock);
    if (place->state == PLACE_ACTIVE)
        flight_leave(&places->flight, &place->flier);
    place->state = PLACE_IDLE;
    (void)flight_pass_turn(&places->flight, turn);
    wake_locked(places);
    pthread_mutex_unlock(&places->lock);
}

/* --- The turn ----------------------------------------------------------- */

/* From its turn on nothing tells the request to give way. What it was told a
 * moment before is void, or its body would be cut in its midst. */
static bool has_turn_locked(struct place *place)
{
    int give_way = TOLD_GIVE_WAY;
    if (!flight_has_turn(&place->places->flight, place->flier.id))
        return false;
    atomic_compare_exchange_strong(place->told, &give_way, TOLD_NOTHING);
    return true;
}

bool place_has_turn(struct place *place)
{
    pthread_mutex_lock(&place->places->lock);
    bool has = has_turn_locked(place);
    pthread_mutex_unlock(&place->places->lock);
    return has;
}

int place_wait_turn(struct place *place)
{
    pthread_mutex_lock(&place->places->lock);
    while (!has_turn_locked(place) && !is_told(place))
        pthread_cond_wait(&place->wake, &place->places->lock);
    int error = is_told(place) ? -ECANCELED : 0;
    pthread_mutex_unlock(&place->places->lock);
    return error;
}

/* --- Shortages ---------------------------------------------------------- */

bool place_give_way(struct place *place, bool starved, size_t *left)
{
    struct places *places = place->places;
    struct flier *giver = &place->flier;
    pthread_mutex_lock(&places->lock);
    if (starved)
        giver = flight_give_way(&places->flight, &place->flier);
    *left = places->flight.limit;
    if (giver != NULL && giver != &place->flier)
        tell_locked((struct place *)giver, TOLD_GIVE_WAY);
    flight_leave(&places->flight, &place->flier);
    place->state = PLACE_IDLE;
    wake_locked(places);
    pthread_mutex_unlock(&places->lock);
    return giver != NULL;
}
