/* places: where a worker sleeps. See places.h. */
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
    *places = (struct places){0};
    flight_open(&places->flight, limit);
    sigemptyset(&wake.sa_mask);
    (void)sigaction(SIGUSR1, &wake, NULL);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, &usr1, NULL);
    int error = pthread_mutex_init(&places->lock, NULL);
    /* These fail only where conditions need resources, not on Linux. */
    (void)pthread_cond_init(&places->moved, NULL);
    (void)pthread_cond_init(&places->taken, NULL);
    return -error;
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
    (void)pthread_cond_destroy(&places->moved);
    (void)pthread_cond_destroy(&places->taken);
    (void)pthread_mutex_destroy(&places->lock);
}

/* --- Sleeping and waking ------------------------------------------------ */

/* Tells a worker something, wherever it sleeps: on its condition, or in
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

/* The one that waits for a place and has the lowest id; or NULL. */
static struct place *first_waiting_locked(const struct places *places)
{
    struct place *first = NULL;
    if (places->waiting == 0) /* the rule: there are as many places */
        return NULL;
    for (struct place *at = places->all; at != NULL; at = at->next) {
        if (at->state == PLACE_WAITING && (!first || at->id < first->id))
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
    places->stopped = true;
    for (struct place *at = places->all; at != NULL; at = at->next)
        tell_locked(at, TOLD_STOP);
    pthread_mutex_unlock(&places->lock);
}

/* --- Jobs --------------------------------------------------------------- */

void places_took_job(struct places *places)
{
    pthread_mutex_lock(&places->lock);
    if (++places->jobs_taken == places->jobs_awaited)
        pthread_cond_signal(&places->taken);
    pthread_mutex_unlock(&places->lock);
}

uint64_t places_wait_taken(struct places *places, uint64_t jobs, int ms)
{
    struct timespec until = clock_in_ms(ms);
    int error = 0;
    pthread_mutex_lock(&places->lock);
    places->jobs_awaited = jobs;
    while (places->jobs_taken < jobs && error == 0)
        error = pthread_cond_clockwait(&places->taken, &places->lock,
                                       CLOCK_MONOTONIC, &until);
    uint64_t taken = places->jobs_taken;
    pthread_mutex_unlock(&places->lock);
    return taken;
}

/* --- Entering and leaving ----------------------------------------------- */

static bool may_enter_locked(const struct place *place)
{
    return flight_may_enter(&place->places->flight, place->id) &&
           (place->places->waiting == 1 ||
            first_waiting_locked(place->places) == place);
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
        pthread_cond_wait(&place->wake, &place->places->lock);
    place->state = PLACE_ACTIVE;
    places->waiting--;
    flight_enter(&places->flight, &place->flier, id);
    /* Two that leave in a row wake the same waiter, this one. It passes the
     * baton on, or the second place would stay empty. */
    wake_locked(places);
    bool go = !is_told(place);
    pthread_mutex_unlock(&places->lock);
    return go;
}

static void leave_locked(struct place *place)
{
    flight_leave(&place->places->flight, &place->flier);
    place->state = PLACE_IDLE;
}

void place_leave(struct place *place, uint64_t turn)
{
    struct places *places = place->places;
    pthread_mutex_lock(&places->lock);
    leave_locked(place);
    if (flight_pass_turn(&places->flight, turn))
        pthread_cond_signal(&places->moved);
    wake_locked(places);
    pthread_mutex_unlock(&places->lock);
}

/* --- The turn ----------------------------------------------------------- */

/* From its turn on nothing tells the request to give way; what was told a
 * moment before is void, or a body would be cut in its midst. */
static bool has_turn_locked(struct place *place)
{
    int give_way = TOLD_GIVE_WAY;
    if (!flight_has_turn(&place->places->flight, place->id))
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

void places_wait_moved(struct places *places, uint64_t turn, int ms)
{
    struct timespec until = clock_in_ms(ms);
    int error = 0;
    pthread_mutex_lock(&places->lock);
    while (places->flight.turn <= turn && error == 0)
        error = pthread_cond_clockwait(&places->moved, &places->lock,
                                       CLOCK_MONOTONIC, &until);
    pthread_mutex_unlock(&places->lock);
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
    if (giver != NULL)
        leave_locked(place);
    wake_locked(places);
    pthread_mutex_unlock(&places->lock);
    return giver != NULL;
}
