/* What each act does, and what it must have answered. */
#include "thing.h"

/* ---- two strings ---- */

static bool step_pair(const struct act *act, const struct outcome *seen, uint8_t *pair)
{
    uint8_t *own = &pair[act->place];
    uint8_t other = pair[1 - act->place], before = *own;
    switch ((int)act->kind) { /* those of this kind of thing */
    case ACT_SET:
        *own = act->value;
        return true;
    case ACT_SETNX:
        *own = before == 0 ? act->value : before;
        return seen == NULL || seen->number == (before == 0);
    case ACT_GETSET:
        *own = act->value;
        return seen == NULL || seen->values[0] == before;
    case ACT_GET:
        return seen == NULL || seen->values[0] == before;
    case ACT_DEL:
        *own = 0;
        return seen == NULL || seen->number == (before != 0);
    case ACT_MGET:
        return seen == NULL ||
               (seen->count == 2 && seen->values[0] == pair[0] && seen->values[1] == pair[1]);
    case ACT_SET_BOTH:
        pair[0] = pair[1] = act->value;
        return true;
    case ACT_TURN:
        *own = act->value;
        return seen == NULL || (seen->values[0] == before && seen->values[1] == other);
    case ACT_SWAP:
        /* nil says nothing: a watch may be lost with its leader */
        if (seen != NULL ? seen->is_nil : before != act->expected)
            return true;
        *own = act->value;
        return before == act->expected;
    default:
        return false;
    }
}

/* ---- sequences ---- */

static void push(union thing_state *state, uint8_t value, bool is_left)
{
    uint8_t *items = state->sequence.items;
    ASSERT(state->sequence.count < THING_ITEMS_MAX);
    if (is_left)
        memmove(items + 1, items, state->sequence.count);
    items[is_left ? 0 : state->sequence.count] = value;
    state->sequence.count++;
}

static uint8_t pop(union thing_state *state, bool is_left)
{
    uint8_t *items = state->sequence.items;
    if (state->sequence.count == 0)
        return 0;
    uint8_t last = --state->sequence.count;
    uint8_t value = items[is_left ? 0 : last];
    if (is_left)
        memmove(items, items + 1, last);
    items[last] = 0;
    return value;
}

static bool shows(const struct outcome *seen, const union thing_state *state)
{
    return seen == NULL || (seen->count == state->sequence.count &&
                            memcmp(seen->values, state->sequence.items, seen->count) == 0);
}

static bool step_sequence(const struct thing *thing, const struct act *act,
                          const struct outcome *seen, union thing_state *state)
{
    int64_t unit = (int64_t)thing->padding + 3;
    bool had_any = state->sequence.count > 0;
    switch ((int)act->kind) { /* those of this kind of thing */
    case ACT_APPEND:
        push(state, act->value, false);
        return seen == NULL || seen->number == unit * state->sequence.count;
    case ACT_LENGTH:
        return seen == NULL || seen->number == unit * state->sequence.count;
    case ACT_TEXT:
    case ACT_LRANGE:
        return shows(seen, state);
    case ACT_CLEAR:
        memset(state, 0, sizeof(*state));
        return seen == NULL || seen->number == had_any;
    case ACT_LPUSH:
    case ACT_RPUSH:
        push(state, act->value, act->kind == ACT_LPUSH);
        return seen == NULL || seen->number == state->sequence.count;
    case ACT_LPOP:
    case ACT_RPOP: {
        uint8_t value = pop(state, act->kind == ACT_LPOP);
        return seen == NULL || seen->values[0] == value;
    }
    default:
        return false;
    }
}

/* ---- the others ---- */

static bool step_counter(const struct act *act, const struct outcome *seen,
                         union thing_state *state)
{
    bool existed = state->counter.exists != 0;
    switch ((int)act->kind) { /* those of this kind of thing */
    case ACT_INCR:
        state->counter.value += act->amount;
        state->counter.exists = 1;
        return seen == NULL || seen->number == state->counter.value;
    case ACT_NUMBER:
        return seen == NULL ||
               (seen->is_nil == !existed && (seen->is_nil || seen->number == state->counter.value));
    case ACT_CLEAR:
        memset(state, 0, sizeof(*state));
        return seen == NULL || seen->number == existed;
    default:
        return false;
    }
}

/* What SPOP took when nobody was told cannot be followed: see history.c. */
static bool step_set(const struct act *act, const struct outcome *seen, uint32_t *members)
{
    uint32_t bit = UINT32_C(1) << act->place;
    bool has = (*members & bit) != 0;
    switch ((int)act->kind) { /* those of this kind of thing */
    case ACT_SADD:
        *members |= bit;
        return seen == NULL || seen->number == !has;
    case ACT_SREM:
        *members &= ~bit;
        return seen == NULL || seen->number == has;
    case ACT_SISMEMBER:
        return seen == NULL || seen->number == has;
    case ACT_SCARD:
        return seen == NULL || seen->number == __builtin_popcount(*members);
    case ACT_SPOP:
        if (seen->is_nil)
            return *members == 0;
        bit = UINT32_C(1) << (seen->values[0] - 1);
        has = (*members & bit) != 0;
        *members &= ~bit;
        return has;
    default:
        return false;
    }
}

static bool step_hash(const struct act *act, const struct outcome *seen, uint8_t *fields)
{
    uint8_t before = fields[act->place];
    int64_t count = 0;
    switch ((int)act->kind) { /* those of this kind of thing */
    case ACT_HSET:
        fields[act->place] = act->value;
        return seen == NULL || seen->number == (before == 0);
    case ACT_HGET:
        return seen == NULL || seen->values[0] == before;
    case ACT_HDEL:
        fields[act->place] = 0;
        return seen == NULL || seen->number == (before != 0);
    case ACT_HLEN:
        for (int i = 0; i < THING_FIELDS; i++)
            count += fields[i] != 0;
        return seen == NULL || seen->number == count;
    default:
        return false;
    }
}

static int lowest(const union thing_state *state)
{
    int at = -1;
    for (int i = 0; i < THING_MEMBERS; i++) {
        bool has = (state->ranks.has >> i & 1) != 0;
        if (has && (at < 0 || state->ranks.scores[i] < state->ranks.scores[at]))
            at = i;
    }
    return at;
}

static bool pop_lowest(const struct outcome *seen, union thing_state *state)
{
    int at = lowest(state);
    if (at < 0)
        return seen == NULL || seen->is_nil;
    int32_t score = state->ranks.scores[at];
    state->ranks.has &= ~(UINT64_C(1) << at);
    state->ranks.scores[at] = 0;
    return seen == NULL || (!seen->is_nil && seen->values[0] == at + 1 && seen->number == score);
}

static bool step_ranks(const struct act *act, const struct outcome *seen, union thing_state *state)
{
    uint64_t bit = UINT64_C(1) << act->place;
    bool had = (state->ranks.has & bit) != 0;
    int32_t *score = &state->ranks.scores[act->place];
    switch ((int)act->kind) { /* those of this kind of thing */
    case ACT_ZADD:
        state->ranks.has |= bit;
        *score = act->value;
        return seen == NULL || seen->number == !had;
    case ACT_ZINCRBY:
        state->ranks.has |= bit;
        *score += act->amount;
        return seen == NULL || seen->number == *score;
    case ACT_ZSCORE:
        return seen == NULL || (seen->is_nil == !had && (seen->is_nil || seen->number == *score));
    case ACT_ZPOPMIN:
        return pop_lowest(seen, state);
    default:
        return false;
    }
}

/* Ids come from the log's time, which never goes back (L10): each is above the one before. An entry
 * whose id nobody was told counts, and says nothing of the next one. */
static bool step_stream(const struct act *act, const struct outcome *seen, union thing_state *state)
{
    if (act->kind == ACT_XLEN)
        return seen == NULL || (uint64_t)seen->number == state->stream.count;
    if (act->kind != ACT_XADD)
        return false;
    state->stream.count++;
    if (seen == NULL)
        return true;
    bool is_later = seen->id_ms > state->stream.last_ms ||
                    (seen->id_ms == state->stream.last_ms && seen->id_seq > state->stream.last_seq);
    state->stream.last_ms = seen->id_ms;
    state->stream.last_seq = seen->id_seq;
    return is_later;
}

bool thing_step(const struct thing *thing, const struct act *act, const struct outcome *seen,
                union thing_state *state)
{
    switch (thing->kind) {
    case THING_PAIR:
        return step_pair(act, seen, state->pair);
    case THING_COUNTER:
        return step_counter(act, seen, state);
    case THING_TEXT:
    case THING_LIST:
        return step_sequence(thing, act, seen, state);
    case THING_SET:
        return step_set(act, seen, &state->members);
    case THING_HASH:
        return step_hash(act, seen, state->fields);
    case THING_RANKS:
        return step_ranks(act, seen, state);
    case THING_STREAM:
        return step_stream(act, seen, state);
    case THING_KINDS:
        break;
    }
    UNREACHABLE();
}
