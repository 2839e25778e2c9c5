/* export: all states and steps of a scenario, as JSON. See export.h. */
#include "export.h"

#include "objects.h"
#include "places.h"
#include "trace.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define NODES  20000
#define VALUES 4 /* chosen within one step */

/* Texts that stand once. */
struct texts {
    char **all;
    int count;
    int room;
};

struct edge {
    int from;
    uint8_t choice;
    uint16_t number;
    uint16_t values[VALUES];
    int value_count;
    int steps; /* in texts */
    int to;    /* a node; -1 - n: an end */
};

struct node {
    uint64_t state;
    int stands; /* in texts */
    int values;
};

static EX_OWN bool is_on = false;
static EX_OWN bool failed = false; /* no memory */
static EX_OWN struct node *nodes = NULL;
static EX_OWN int node_count = 0;
static EX_OWN struct edge *edges = NULL;
static EX_OWN int edge_count = 0;
static EX_OWN int edge_room = 0;
static EX_OWN const void **places = NULL;
static EX_OWN int place_count = 0;
static EX_OWN int place_room = 0;
static EX_OWN char names[EX_THREADS][sizeof((struct ex_thread *)0)->name];
static EX_OWN int name_count = 0;

static EX_OWN struct texts stands = {0}; /* of one thread */
static EX_OWN struct texts rows = {0};   /* of all threads of a node */
static EX_OWN struct texts values = {0};
static EX_OWN struct texts steps = {0};
static EX_OWN struct texts ends = {0};

static EX_OWN struct edge going = {0}; /* the step that is being taken */
static EX_OWN bool goes = false;
static EX_OWN int last_edge = -1; /* that was taken */
static EX_OWN int at = -1;        /* a node */
static EX_OWN int mark = 0;       /* the trace's steps when it was come to */

/* What is written, piece by piece. */
static EX_OWN char *buffer = NULL;
static EX_OWN size_t size = 0;
static EX_OWN FILE *writer = NULL;

static EX_OWN void (*show)(void) = NULL;

/* --- Texts ----------------------------------------------------------------*/

static void *grown(void *array, int count, int *room, size_t each)
{
    if (count < *room)
        return array;
    int more = *room == 0 ? 64 : *room * 2;
    void *bigger = realloc(array, (size_t)more * each);
    if (bigger == NULL) {
        failed = true;
        return array;
    }
    *room = more;
    return bigger;
}

static void write_begin(void)
{
    rewind(writer);
}

static void write_string(FILE *out, const char *text)
{
    if (text == NULL) {
        (void)fputs("null", out);
        return;
    }
    (void)fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            (void)fputc('\\', out);
        if ((unsigned char)*text >= ' ')
            (void)fputc(*text, out);
    }
    (void)fputc('"', out);
}

/* What was written since write_begin: its number among the texts. */
static int kept(struct texts *texts)
{
    (void)fputc('\0', writer);
    if (fflush(writer) != 0) {
        failed = true;
        return 0;
    }
    for (int i = texts->count - 1; i >= 0; i--) {
        if (strcmp(texts->all[i], buffer) == 0)
            return i;
    }
    texts->all =
        grown(texts->all, texts->count, &texts->room, sizeof *texts->all);
    char *copy = strdup(buffer);
    if (copy == NULL || texts->count >= texts->room) {
        free(copy);
        failed = true;
        return 0;
    }
    texts->all[texts->count] = copy;
    return texts->count++;
}

static void forget(struct texts *texts)
{
    for (int i = 0; i < texts->count; i++)
        free(texts->all[i]);
    free(texts->all);
    *texts = (struct texts){0};
}

static void write_place(const void *place)
{
    int i = 0;
    if (place == NULL) {
        (void)fputs("null", writer);
        return;
    }
    while (i < place_count && places[i] != place)
        i++;
    if (i == place_count) {
        places = grown(places, place_count, &place_room, sizeof *places);
        if (place_count < place_room)
            places[place_count++] = place;
    }
    (void)fprintf(writer, "%d", i);
}

/* --- What is in a node ----------------------------------------------------*/

/* The callers within the code under test. The outermost is the explorer. */
static void write_calls(const struct ex_thread *thread)
{
    int depth = thread->depth < EX_CALLS ? thread->depth : EX_CALLS;
    (void)fputc('[', writer);
    for (int i = 1; i < depth; i++) {
        (void)fputs(i > 1 ? "," : "", writer);
        write_place(thread->calls[i]);
    }
    (void)fputc(']', writer);
}

static EX_OWN int count_of_held = 0;

static void write_held(struct ex_object *object, void *context)
{
    if (object->owner != context || object->type == EX_ONCE)
        return;
    (void)fputs(count_of_held++ > 0 ? "," : "", writer);
    write_string(writer, object->name);
}

static int stand_of(struct ex_thread *thread)
{
    char text[200];
    bool can = thread->life == EX_ALIVE && ex_can_go(thread);
    const struct ex_next *next = &thread->next;
    if (thread->life != EX_ALIVE)
        (void)snprintf(text, sizeof text, "has ended");
    else if (can && next->op == EX_RELOCK)
        (void)snprintf(text, sizeof text, "lock %s, to come back",
                       next->mutex->name);
    else if (can && next->op == EX_JOIN)
        (void)snprintf(text, sizeof text, "join %s", next->other->name);
    else if (can && next->object != NULL)
        (void)snprintf(text, sizeof text, "%s %s", next->verb,
                       next->object->name);
    else if (can)
        (void)snprintf(text, sizeof text, "%s", next->verb);
    else
        ex_trace_wait(thread, text, sizeof text);
    write_begin();
    (void)fputc('[', writer);
    write_string(writer, text);
    (void)fputc(',', writer);
    write_place(thread->life == EX_ALIVE ? next->place : NULL);
    (void)fputc(',', writer);
    write_calls(thread);
    (void)fprintf(writer, ",\"%s\",[",
                  can                        ? "can"
                  : thread->life == EX_ALIVE ? "waits"
                                             : "ended");
    count_of_held = 0;
    if (thread->life == EX_ALIVE)
        ex_objects_each(write_held, thread);
    (void)fputs("]]", writer);
    return kept(&stands);
}

static int row_of_stands(void)
{
    int each[EX_THREADS];
    int count = ex_thread_count();
    for (int i = 0; i < count; i++) {
        each[i] = stand_of(ex_thread(i));
        memcpy(names[i], ex_thread(i)->name, sizeof names[i]);
    }
    if (count > name_count)
        name_count = count;
    write_begin();
    for (int i = 0; i < count; i++)
        (void)fprintf(writer, "%s%d", i > 0 ? "," : "", each[i]);
    return kept(&rows);
}

void explore_show(void (*values_of)(void))
{
    show = values_of;
}

static EX_OWN bool first_value = true;

void explore_value(const char *name, const char *format, ...)
{
    char text[100];
    va_list arguments;
    if (!is_on || ex_current != NULL)
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)fputs(first_value ? "[" : ",[", writer);
    write_string(writer, name);
    (void)fputc(',', writer);
    write_string(writer, text);
    (void)fputc(']', writer);
    first_value = false;
}

static int row_of_values(void)
{
    write_begin();
    first_value = true;
    if (show != NULL)
        show();
    return kept(&values);
}

/* --- The graph ------------------------------------------------------------*/

static void forget_all(void)
{
    forget(&stands);
    forget(&rows);
    forget(&values);
    forget(&steps);
    forget(&ends);
    node_count = 0;
    edge_count = 0;
    place_count = 0;
    name_count = 0;
    at = -1;
}

void ex_export_begin(void)
{
    forget_all();
    is_on = true;
    failed = false;
    if (nodes == NULL)
        nodes = calloc(NODES, sizeof *nodes);
    if (writer == NULL)
        writer = open_memstream(&buffer, &size);
    failed = nodes == NULL || writer == NULL;
}

void ex_export_end(void)
{
    is_on = false;
    forget_all();
    free(nodes);
    free(edges);
    free(places);
    nodes = NULL;
    edges = NULL;
    places = NULL;
    edge_room = 0;
    place_room = 0;
    if (writer != NULL)
        (void)fclose(writer);
    free(buffer);
    writer = NULL;
    buffer = NULL;
}

bool ex_export_full(void)
{
    return failed || node_count == NODES;
}

static int node_of(uint64_t state)
{
    for (int i = node_count - 1; i >= 0; i--) {
        if (nodes[i].state == state)
            return i;
    }
    if (node_count == NODES)
        return 0;
    nodes[node_count].state = state;
    nodes[node_count].stands = row_of_stands();
    nodes[node_count].values = row_of_values();
    return node_count++;
}

static bool is_same(const struct edge *a, const struct edge *b)
{
    return a->from == b->from && a->choice == b->choice &&
           a->number == b->number && a->value_count == b->value_count &&
           memcmp(a->values, b->values, sizeof a->values) == 0;
}

/* What the program did since the trace had so many steps. */
static int steps_since(int count)
{
    write_begin();
    for (int i = count; i < ex_trace_count(); i++) {
        const struct ex_step *step = ex_trace_step(i);
        (void)fprintf(writer, "%s[%d,", i > count ? "," : "", step->thread);
        write_string(writer, step->text);
        (void)fputc(',', writer);
        write_place(step->place);
        (void)fputc(']', writer);
    }
    return kept(&steps);
}

/* The step that was being taken has led to a node, or an end. */
static void arrive(int to)
{
    if (!goes)
        return;
    goes = false;
    for (last_edge = edge_count - 1; last_edge >= 0; last_edge--) {
        if (is_same(&edges[last_edge], &going))
            return;
    }
    edges = grown(edges, edge_count, &edge_room, sizeof *edges);
    if (edge_count == edge_room)
        return;
    going.steps = steps_since(mark);
    going.to = to;
    last_edge = edge_count;
    edges[edge_count++] = going;
}

void ex_export_came(uint64_t state)
{
    if (!is_on || ex_export_full())
        return;
    at = node_of(state);
    arrive(at);
    mark = ex_trace_count();
}

void ex_export_goes(const struct ex_option *option)
{
    if (!is_on)
        return;
    if (option->choice == EX_VALUE) {
        if (going.value_count < VALUES)
            going.values[going.value_count++] = option->number;
        return;
    }
    going = (struct edge){
        .from = at, .choice = option->choice, .number = option->number};
    goes = true;
}

static int end_of_run(void)
{
    write_begin();
    (void)fputc('[', writer);
    write_string(writer, explore_kind_name(ex_failure.kind));
    (void)fputc(',', writer);
    write_string(writer, ex_failure.message);
    (void)fputc(',', writer);
    write_string(writer, ex_failure.means);
    (void)fputc(',', writer);
    write_string(writer, ex_failure.look);
    (void)fputc(',', writer);
    write_place(ex_failure.place);
    (void)fputc(',', writer);
    write_place(ex_failure.other);
    (void)fputc(']', writer);
    return -1 - kept(&ends);
}

void ex_export_ended(enum ex_end end)
{
    if (!is_on || end == EX_CUT)
        return;
    int to = end_of_run();
    if (goes)
        arrive(to);
    else if (last_edge >= 0) /* it came to where it had been: round for ever */
        edges[last_edge].to = to;
}

/* --- The end --------------------------------------------------------------*/

static void print_list(FILE *out, const char *name, const struct texts *texts,
                       const char *before, const char *after)
{
    (void)fprintf(out, ",\n\"%s\":[", name);
    for (int i = 0; i < texts->count; i++)
        (void)fprintf(out, "%s%s%s%s", i > 0 ? ",\n" : "", before,
                      texts->all[i], after);
    (void)fputc(']', out);
}

static void print_places(FILE *out)
{
    struct ex_place *found = calloc((size_t)place_count + 1, sizeof *found);
    if (found == NULL) {
        failed = true;
        return;
    }
    for (int i = 0; i < place_count; i++)
        found[i].address = places[i];
    ex_places_find(found, (size_t)place_count);
    (void)fputs(",\n\"places\":[", out);
    for (int i = 0; i < place_count; i++) {
        (void)fputs(i > 0 ? ",\n" : "", out);
        write_string(out, found[i].text);
    }
    (void)fputc(']', out);
    free(found);
}

static void print_edge(FILE *out, const struct edge *edge)
{
    static const char *const choices[] = {
        [EX_RUN] = "run", [EX_SPURIOUS] = "wakes", [EX_TIMEOUT] = "time"};
    (void)fprintf(out, "[\"%s\",%u,[", choices[edge->choice], edge->number);
    for (int i = 0; i < edge->value_count; i++)
        (void)fprintf(out, "%s%u", i > 0 ? "," : "", edge->values[i]);
    (void)fprintf(out, "],%d,%d]", edge->steps, edge->to);
}

static void print_nodes(FILE *out)
{
    (void)fputs(",\n\"nodes\":[", out);
    for (int i = 0; i < node_count; i++) {
        bool is_first = true;
        (void)fprintf(out, "%s[[%s],%d,[", i > 0 ? ",\n" : "",
                      rows.all[nodes[i].stands], nodes[i].values);
        for (int j = 0; j < edge_count; j++) {
            if (edges[j].from != i)
                continue;
            (void)fputs(is_first ? "" : ",", out);
            is_first = false;
            print_edge(out, &edges[j]);
        }
        (void)fputs("]]", out);
    }
    (void)fputs("]", out);
}

int ex_export_print(FILE *out, const char *scenario, bool complete)
{
    (void)fputs("{\"scenario\":", out);
    write_string(out, scenario);
    (void)fprintf(out, ",\"complete\":%s,\n\"threads\":[",
                  complete ? "true" : "false");
    for (int i = 0; i < name_count; i++) {
        (void)fputs(i > 0 ? "," : "", out);
        write_string(out, names[i]);
    }
    (void)fputc(']', out);
    print_places(out);
    print_list(out, "stands", &stands, "", "");
    print_list(out, "values", &values, "[", "]");
    print_list(out, "steps", &steps, "[", "]");
    print_list(out, "ends", &ends, "", "");
    print_nodes(out);
    (void)fputs("}\n", out);
    return failed || fflush(out) != 0 ? -EIO : 0;
}
