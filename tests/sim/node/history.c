#include "history.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"

enum {
    MILLION = 1000000,
    STEPS_MAX = 2000000, /* of the search in one thing */
    SEEN_MIN = 1024,
    NOT_HAPPENED = -1, /* caller of an op that was refused */
};

void history_free(struct history *history)
{
    for (size_t i = 0; i < history->count; i++) {
        for (size_t j = 0; j < history->things[i].count; j++)
            mem_free(history->things[i].ops[j].outcome);
        mem_free(history->things[i].ops);
    }
    mem_free(history->things);
}

size_t history_new_thing(struct history *history, struct prng *prng)
{
    static const size_t PADDINGS[] = {0, 0, 40, 300, 1500};
    if (history->count == history->capacity) {
        history->capacity = history->capacity * 2 + 8;
        history->things =
            mem_realloc(history->things, history->capacity * sizeof(*history->things));
    }
    history->things[history->count] = (struct history_thing){
        .thing = {.number = (int)history->count,
                  .kind = (enum thing_kind)prng_below(prng, THING_KINDS),
                  .padding = PADDINGS[prng_below(prng, COUNT_OF(PADDINGS))]}};
    /* Transactions and watches happen to pairs only. */
    if (prng_chance(prng, MILLION / 4))
        history->things[history->count].thing.kind = THING_PAIR;
    return history->count++;
}

size_t history_call(struct history *history, size_t thing, int caller, const struct act *act)
{
    struct history_thing *t = &history->things[thing];
    if (t->count == t->capacity) {
        t->capacity = t->capacity * 2 + 64;
        t->ops = mem_realloc(t->ops, t->capacity * sizeof(*t->ops));
    }
    t->ops[t->count] = (struct history_op){
        .act = *act, .called = ++history->moment, .returned = UINT64_MAX, .caller = caller};
    return t->count++;
}

void history_return(struct history *history, size_t thing, size_t op, const struct outcome *outcome)
{
    struct history_op *o = &history->things[thing].ops[op];
    o->returned = ++history->moment;
    o->outcome = mem_alloc(sizeof(*outcome));
    *o->outcome = *outcome;
    history->known++;
}

void history_refuse(struct history *history, size_t thing, size_t op)
{
    history->things[thing].ops[op].caller = NOT_HAPPENED;
    history->refused++;
}

void history_describe(const struct history_thing *thing, size_t op, struct buf *out)
{
    const struct history_op *o = &thing->ops[op];
    buf_printf(out, "%llu..", (unsigned long long)o->called);
    if (o->returned != UINT64_MAX)
        buf_printf(out, "%llu", (unsigned long long)o->returned);
    buf_printf(out, " caller %d: ", o->caller);
    thing_describe(&thing->thing, &o->act, out);
    if (o->outcome == NULL)
        buf_append_string(out, o->caller == NOT_HAPPENED ? " -> refused" : " -> ?");
    else
        buf_printf(out, " -> %s%lld (%u:", o->outcome->is_nil ? "nil " : "",
                   (long long)o->outcome->number, o->outcome->count);
    for (int i = 0; o->outcome != NULL && i < 4 + o->outcome->count && i < THING_ITEMS_MAX; i++)
        buf_printf(out, " %u", o->outcome->values[i]);
    buf_append_string(out, o->outcome != NULL ? ")" : "");
}

/* ---- what was looked into ---- */

struct seen_key {
    uint64_t done, state; /* hashes; both 0: free */
};

struct seen {
    struct seen_key *slots;
    size_t mask, count;
};

static bool seen_put(struct seen *seen, struct seen_key key)
{
    size_t at = (size_t)(key.done ^ key.state * 31) & seen->mask;
    for (; seen->slots[at].done != 0 || seen->slots[at].state != 0; at = (at + 1) & seen->mask) {
        if (seen->slots[at].done == key.done && seen->slots[at].state == key.state)
            return false;
    }
    seen->slots[at] = key;
    seen->count++;
    return true;
}

static void seen_make(struct seen *seen, size_t size)
{
    *seen = (struct seen){.slots = mem_zero(size * sizeof(*seen->slots)), .mask = size - 1};
}

static bool seen_add(struct seen *seen, struct seen_key key)
{
    if (seen->count * 2 > seen->mask) {
        struct seen grown;
        seen_make(&grown, (seen->mask + 1) * 4);
        for (size_t i = 0; i <= seen->mask; i++) {
            if (seen->slots[i].done != 0 || seen->slots[i].state != 0)
                (void)seen_put(&grown, seen->slots[i]);
        }
        mem_free(seen->slots);
        *seen = grown;
    }
    return seen_put(seen, key);
}

/* ---- the search ---- */

/* Calls and returns in order of time, in a list from which done operations are taken. */
struct event {
    uint64_t moment;
    size_t op;
    bool is_return;
    size_t prev, next; /* positions; 0 is the head */
};

struct done {
    size_t call; /* event */
    int choice;
    bool is_known;
    union thing_state before;
};

struct search {
    const struct history_thing *thing;
    struct event *events; /* from 1 */
    size_t event_count;
    size_t *return_of; /* event of each op's return */
    struct done *stack;
    size_t depth;
    size_t known_left; /* operations with an answer that are not done */
    uint64_t done_hash;
    union thing_state state;
    struct seen seen;
    uint64_t steps;
};

static bool is_part(const struct history_op *op)
{
    return op->caller != NOT_HAPPENED && (op->outcome != NULL || act_changes(op->act.kind));
}

static int by_moment(const void *a, const void *b)
{
    uint64_t x = ((const struct event *)a)->moment, y = ((const struct event *)b)->moment;
    return (x > y) - (x < y);
}

static void search_begin(struct search *search, const struct history_thing *thing)
{
    *search = (struct search){.thing = thing};
    search->events = mem_zero((2 * thing->count + 1) * sizeof(*search->events));
    search->return_of = mem_zero((thing->count + 1) * sizeof(*search->return_of));
    search->stack = mem_alloc((thing->count + 1) * sizeof(*search->stack));
    seen_make(&search->seen, SEEN_MIN);
    for (size_t i = 0; i < thing->count; i++) {
        const struct history_op *op = &thing->ops[i];
        if (!is_part(op))
            continue;
        search->events[++search->event_count] = (struct event){.moment = op->called, .op = i};
        search->events[++search->event_count] = (struct event){
            .moment = op->outcome == NULL ? UINT64_MAX : op->returned, .op = i, .is_return = true};
        search->known_left += op->outcome != NULL;
    }
    qsort(search->events + 1, search->event_count, sizeof(*search->events), by_moment);
    for (size_t i = 0; i <= search->event_count; i++) {
        search->events[i].prev = i == 0 ? search->event_count : i - 1;
        search->events[i].next = i == search->event_count ? 0 : i + 1;
        if (search->events[i].is_return)
            search->return_of[search->events[i].op] = i;
    }
}

static void search_end(struct search *search)
{
    mem_free(search->events);
    mem_free(search->return_of);
    mem_free(search->stack);
    mem_free(search->seen.slots);
}

static uint64_t hash_of_op(size_t op)
{
    return (op + 1) * 0x9e3779b97f4a7c15U ^ (op + 1) * (op + 1) * 0xbf58476d1ce4e5b9U;
}

static void take_event(struct search *search, size_t at)
{
    struct event *event = &search->events[at];
    search->events[event->prev].next = event->next;
    search->events[event->next].prev = event->prev;
}

static void put_event(struct search *search, size_t at)
{
    struct event *event = &search->events[at];
    search->events[event->prev].next = at;
    search->events[event->next].prev = at;
}

/* Only of SPOP without an answer it is open what it did: any member, or none. */
static int choices_of(const struct history_op *op)
{
    return op->outcome == NULL && op->act.kind == ACT_SPOP ? THING_MEMBERS + 1 : 1;
}

static bool try_op(struct search *search, size_t call, int choice)
{
    size_t at = search->events[call].op;
    const struct history_op *op = &search->thing->ops[at];
    struct outcome chosen = {.is_nil = choice == THING_MEMBERS, .values[0] = (uint8_t)(choice + 1)};
    const struct outcome *seen = choices_of(op) > 1 ? &chosen : op->outcome;
    union thing_state next;
    memcpy(&next, &search->state, sizeof(next));
    search->steps++;
    if (!thing_step(&search->thing->thing, &op->act, seen, &next))
        return false;
    struct seen_key key = {.done = search->done_hash + hash_of_op(at),
                           .state = hash_bytes(bytes_of(&next, sizeof(next)), 1)};
    if (!seen_add(&search->seen, key))
        return false;
    struct done *done = &search->stack[search->depth++];
    done->call = call;
    done->choice = choice;
    done->is_known = op->outcome != NULL;
    memcpy(&done->before, &search->state, sizeof(next));
    memcpy(&search->state, &next, sizeof(next));
    search->done_hash = key.done;
    search->known_left -= op->outcome != NULL;
    take_event(search, call);
    take_event(search, search->return_of[at]);
    return true;
}

/* Back to before the newest operation that was done. */
static struct done undo(struct search *search)
{
    struct done *done = &search->stack[--search->depth];
    size_t at = search->events[done->call].op;
    put_event(search, search->return_of[at]);
    put_event(search, done->call);
    memcpy(&search->state, &done->before, sizeof(search->state));
    search->done_hash -= hash_of_op(at);
    search->known_left += search->thing->ops[at].outcome != NULL;
    return *done;
}

enum verdict { LINEARIZABLE, NOT_LINEARIZABLE, UNDECIDED };

/* Of the operations that can be next those with an answer are tried first: most of the others never
 * happened, and one that did is needed only when an answer cannot be understood without it. */
static enum verdict search_run(struct search *search)
{
    size_t at = search->events[0].next;
    bool tries_known = true;
    int choice = 0;
    while (search->known_left > 0) {
        if (search->steps > STEPS_MAX)
            return UNDECIDED;
        if (search->events[at].is_return && tries_known) {
            tries_known = false;
            at = search->events[0].next;
            continue;
        }
        if (search->events[at].is_return) {
            if (search->depth == 0)
                return NOT_LINEARIZABLE;
            struct done done = undo(search);
            at = done.call;
            choice = done.choice + 1;
            tries_known = done.is_known;
        }
        const struct history_op *op = &search->thing->ops[search->events[at].op];
        int choices = (op->outcome != NULL) == tries_known ? choices_of(op) : 0;
        while (choice < choices && !try_op(search, at, choice))
            choice++;
        bool is_done = choice < choices;
        at = search->events[is_done ? 0 : at].next;
        tries_known |= is_done;
        choice = 0;
    }
    return LINEARIZABLE;
}

size_t history_check(struct history *history)
{
    for (size_t i = 0; i < history->count; i++) {
        struct search search;
        search_begin(&search, &history->things[i]);
        enum verdict verdict = search_run(&search);
        search_end(&search);
        history->undecided += verdict == UNDECIDED;
        if (verdict == NOT_LINEARIZABLE)
            return i;
    }
    return SIZE_MAX;
}
