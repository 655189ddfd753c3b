#include "thing.h"

#include "base/number.h"
#include "op.h"

enum { MILLION = 1000000, VALUE_DIGITS = 3 };

/* ---- drawing ---- */

static const struct {
    enum act_kind acts[10];
    size_t count;
} MENUS[THING_KINDS] = {
    [THING_PAIR] = {{ACT_SET, ACT_SETNX, ACT_GETSET, ACT_GET, ACT_DEL, ACT_MGET, ACT_SET_BOTH,
                     ACT_TURN, ACT_SWAP, ACT_SWAP},
                    10},
    [THING_COUNTER] = {{ACT_INCR, ACT_INCR, ACT_NUMBER, ACT_INCR, ACT_CLEAR}, 5},
    [THING_TEXT] = {{ACT_APPEND, ACT_APPEND, ACT_TEXT, ACT_LENGTH, ACT_APPEND, ACT_CLEAR}, 6},
    [THING_LIST] = {{ACT_LPUSH, ACT_RPUSH, ACT_LPUSH, ACT_RPUSH, ACT_LPOP, ACT_RPOP, ACT_LRANGE},
                    7},
    [THING_SET] = {{ACT_SADD, ACT_SADD, ACT_SREM, ACT_SISMEMBER, ACT_SCARD, ACT_SPOP}, 6},
    [THING_HASH] = {{ACT_HSET, ACT_HSET, ACT_HGET, ACT_HDEL, ACT_HLEN}, 5},
    [THING_RANKS] = {{ACT_ZADD, ACT_ZINCRBY, ACT_ZSCORE, ACT_ZPOPMIN}, 4},
    [THING_STREAM] = {{ACT_XADD, ACT_XADD, ACT_XLEN}, 3},
};

static uint8_t places_of(enum thing_kind kind)
{
    switch (kind) {
    case THING_PAIR:
        return 2;
    case THING_SET:
    case THING_RANKS:
        return THING_MEMBERS;
    case THING_HASH:
        return THING_FIELDS;
    case THING_COUNTER:
    case THING_TEXT:
    case THING_LIST:
    case THING_STREAM:
    case THING_KINDS:
        break;
    }
    return 1;
}

struct act thing_draw(struct thing *thing, struct prng *prng)
{
    struct act act = {
        .kind = MENUS[thing->kind].acts[prng_below(prng, MENUS[thing->kind].count)],
        .place = (uint8_t)prng_below(prng, places_of(thing->kind)),
        .amount = (int32_t)prng_between(prng, 1, 9),
    };
    if (act.kind == ACT_CLEAR && prng_chance(prng, MILLION * 3 / 4))
        act.kind = MENUS[thing->kind].acts[0];
    if (act_changes(act.kind))
        act.value = ++thing->writes;
    return act;
}

struct act thing_draw_read(const struct thing *thing, struct prng *prng)
{
    struct act act;
    uint64_t step = prng_below(prng, places_of(thing->kind));
    if (!thing_final(thing, (int)step, &act))
        (void)thing_final(thing, 0, &act);
    return act;
}

bool act_changes(enum act_kind kind)
{
    switch (kind) {
    case ACT_GET:
    case ACT_MGET:
    case ACT_NUMBER:
    case ACT_TEXT:
    case ACT_LENGTH:
    case ACT_LRANGE:
    case ACT_SISMEMBER:
    case ACT_SCARD:
    case ACT_HGET:
    case ACT_HLEN:
    case ACT_ZSCORE:
    case ACT_XLEN:
        return false;
    case ACT_SET:
    case ACT_SETNX:
    case ACT_GETSET:
    case ACT_DEL:
    case ACT_SET_BOTH:
    case ACT_TURN:
    case ACT_SWAP:
    case ACT_INCR:
    case ACT_CLEAR:
    case ACT_APPEND:
    case ACT_LPUSH:
    case ACT_RPUSH:
    case ACT_LPOP:
    case ACT_RPOP:
    case ACT_SADD:
    case ACT_SREM:
    case ACT_SPOP:
    case ACT_HSET:
    case ACT_HDEL:
    case ACT_ZADD:
    case ACT_ZINCRBY:
    case ACT_ZPOPMIN:
    case ACT_XADD:
    case ACT_KINDS:
        break;
    }
    return true;
}

bool thing_final(const struct thing *thing, int step, struct act *out)
{
    static const enum act_kind READS[THING_KINDS] = {
        [THING_PAIR] = ACT_MGET,    [THING_COUNTER] = ACT_NUMBER, [THING_TEXT] = ACT_TEXT,
        [THING_LIST] = ACT_LRANGE,  [THING_SET] = ACT_SISMEMBER,  [THING_HASH] = ACT_HGET,
        [THING_RANKS] = ACT_ZSCORE, [THING_STREAM] = ACT_XLEN};
    int steps = thing->kind == THING_PAIR ? 1 : places_of(thing->kind);
    *out = (struct act){.kind = READS[thing->kind], .place = (uint8_t)step};
    return step < steps;
}

/* ---- values ---- */

static void append_value(const struct thing *thing, uint8_t value, struct buf *out)
{
    buf_printf(out, "%03u", value);
    uint8_t *padding = buf_extend(out, thing->padding);
    for (size_t i = 0; i < thing->padding; i++)
        padding[i] = (uint8_t)('a' + (value + i) % 26);
}

static bool parse_padding(const struct thing *thing, struct bytes text, uint8_t *value)
{
    if (text.size != VALUE_DIGITS + thing->padding)
        return false;
    unsigned number = 0;
    for (size_t i = 0; i < VALUE_DIGITS; i++)
        number = number * 10 + (unsigned)(text.data[i] - '0');
    if (number == 0 || number > UINT8_MAX)
        return false;
    for (size_t i = 0; i < thing->padding; i++) {
        if (text.data[VALUE_DIGITS + i] != (uint8_t)('a' + (number + i) % 26))
            return false;
    }
    *value = (uint8_t)number;
    return true;
}

/* ---- asking ---- */

static void begin(struct buf *out, int count, const char *name)
{
    buf_printf(out, "*%d\r\n$%zu\r\n%s\r\n", count, strlen(name), name);
}

static void word(struct buf *out, struct bytes text)
{
    buf_printf(out, "$%zu\r\n", text.size);
    buf_append(out, text);
    buf_append_string(out, "\r\n");
}

static void text_word(struct buf *out, const char *text)
{
    word(out, bytes_of_string(text));
}

static void number_word(struct buf *out, int64_t number)
{
    char text[NUMBER_INTEGER_SIZE_MAX];
    word(out, bytes_of(text, number_format_i64(text, number)));
}

static void key_word(struct buf *out, const struct thing *thing, int key)
{
    struct buf name = {0};
    buf_printf(&name, "{%d}%c", thing->number, 'a' + key);
    word(out, buf_bytes(&name));
    buf_free(&name);
}

static void place_word(struct buf *out, char letter, int place)
{
    char text[2] = {letter, (char)('a' + place)};
    word(out, bytes_of(text, sizeof(text)));
}

static void value_word(struct buf *out, const struct thing *thing, uint8_t value)
{
    struct buf text = {0};
    append_value(thing, value, &text);
    word(out, buf_bytes(&text));
    buf_free(&text);
}

static void append_get(const struct thing *thing, int key, struct buf *out)
{
    begin(out, 2, "GET");
    key_word(out, thing, key);
}

static void append_set(const struct thing *thing, int key, uint8_t value, struct buf *out)
{
    begin(out, 3, "SET");
    key_word(out, thing, key);
    value_word(out, thing, value);
}

/* MULTI and EXEC around up to three commands; their replies are those, and OK for MULTI. */
static int append_block(const struct thing *thing, const struct act *act, struct buf *out)
{
    int replies = 3;
    begin(out, 1, "MULTI");
    if (act->kind == ACT_TURN)
        append_get(thing, act->place, out);
    append_set(thing, act->place, act->value, out);
    if (act->kind == ACT_SET_BOTH)
        append_set(thing, 1 - act->place, act->value, out);
    if (act->kind == ACT_TURN)
        append_get(thing, 1 - act->place, out);
    replies += act->kind == ACT_TURN ? 2 : act->kind == ACT_SET_BOTH ? 1 : 0;
    begin(out, 1, "EXEC");
    return replies;
}

int thing_append_watch(const struct thing *thing, const struct act *act, struct buf *out)
{
    begin(out, 2, "WATCH");
    key_word(out, thing, act->place);
    append_get(thing, act->place, out);
    return 2;
}

/* What stands behind the key. */
enum tail {
    TAIL_NONE,
    TAIL_VALUE,
    TAIL_PLACE,
    TAIL_PLACE_VALUE,
    TAIL_SCORE,  /* score member */
    TAIL_AMOUNT, /* amount member */
    TAIL_NUMBER,
    TAIL_RANGE,
    TAIL_ENTRY,
    TAIL_VALUE_GET,
    TAIL_KEY,
    TAIL_BLOCK,
};

static const struct {
    const char *name;
    int words;
    enum tail tail;
} FORMS[ACT_KINDS] = {
    [ACT_SET] = {"SET", 3, TAIL_VALUE},
    [ACT_SETNX] = {"SETNX", 3, TAIL_VALUE},
    [ACT_GETSET] = {"SET", 4, TAIL_VALUE_GET},
    [ACT_GET] = {"GET", 2, TAIL_NONE},
    [ACT_DEL] = {"DEL", 2, TAIL_NONE},
    [ACT_MGET] = {"MGET", 3, TAIL_KEY},
    [ACT_SET_BOTH] = {"two SET", 0, TAIL_BLOCK},
    [ACT_TURN] = {"GET SET GET", 0, TAIL_BLOCK},
    [ACT_SWAP] = {"watched SET", 0, TAIL_BLOCK},
    [ACT_INCR] = {"INCRBY", 3, TAIL_NUMBER},
    [ACT_NUMBER] = {"GET", 2, TAIL_NONE},
    [ACT_CLEAR] = {"DEL", 2, TAIL_NONE},
    [ACT_APPEND] = {"APPEND", 3, TAIL_VALUE},
    [ACT_TEXT] = {"GET", 2, TAIL_NONE},
    [ACT_LENGTH] = {"STRLEN", 2, TAIL_NONE},
    [ACT_LPUSH] = {"LPUSH", 3, TAIL_VALUE},
    [ACT_RPUSH] = {"RPUSH", 3, TAIL_VALUE},
    [ACT_LPOP] = {"LPOP", 2, TAIL_NONE},
    [ACT_RPOP] = {"RPOP", 2, TAIL_NONE},
    [ACT_LRANGE] = {"LRANGE", 4, TAIL_RANGE},
    [ACT_SADD] = {"SADD", 3, TAIL_PLACE},
    [ACT_SREM] = {"SREM", 3, TAIL_PLACE},
    [ACT_SISMEMBER] = {"SISMEMBER", 3, TAIL_PLACE},
    [ACT_SCARD] = {"SCARD", 2, TAIL_NONE},
    [ACT_SPOP] = {"SPOP", 2, TAIL_NONE},
    [ACT_HSET] = {"HSET", 4, TAIL_PLACE_VALUE},
    [ACT_HGET] = {"HGET", 3, TAIL_PLACE},
    [ACT_HDEL] = {"HDEL", 3, TAIL_PLACE},
    [ACT_HLEN] = {"HLEN", 2, TAIL_NONE},
    [ACT_ZADD] = {"ZADD", 4, TAIL_SCORE},
    [ACT_ZINCRBY] = {"ZINCRBY", 4, TAIL_AMOUNT},
    [ACT_ZSCORE] = {"ZSCORE", 3, TAIL_PLACE},
    [ACT_ZPOPMIN] = {"ZPOPMIN", 2, TAIL_NONE},
    [ACT_XADD] = {"XADD", 5, TAIL_ENTRY},
    [ACT_XLEN] = {"XLEN", 2, TAIL_NONE},
};

static void append_tail(const struct thing *thing, const struct act *act, struct buf *out)
{
    switch (FORMS[act->kind].tail) {
    case TAIL_NONE:
    case TAIL_BLOCK:
        break;
    case TAIL_VALUE:
        value_word(out, thing, act->value);
        break;
    case TAIL_VALUE_GET:
        value_word(out, thing, act->value);
        text_word(out, "GET");
        break;
    case TAIL_PLACE:
        place_word(out, 'm', act->place);
        break;
    case TAIL_PLACE_VALUE:
        place_word(out, 'm', act->place);
        value_word(out, thing, act->value);
        break;
    case TAIL_SCORE:
        number_word(out, act->value);
        place_word(out, 'm', act->place);
        break;
    case TAIL_AMOUNT:
        number_word(out, act->amount);
        place_word(out, 'm', act->place);
        break;
    case TAIL_NUMBER:
        number_word(out, act->amount);
        break;
    case TAIL_RANGE:
        text_word(out, "0");
        text_word(out, "-1");
        break;
    case TAIL_ENTRY:
        text_word(out, "*");
        text_word(out, "f");
        value_word(out, thing, act->value);
        break;
    case TAIL_KEY:
        key_word(out, thing, 1);
        break;
    }
}

int thing_append_wire(const struct thing *thing, const struct act *act, struct buf *out)
{
    if (FORMS[act->kind].tail == TAIL_BLOCK)
        return append_block(thing, act, out);
    bool is_keyed = thing->kind == THING_PAIR && act->kind != ACT_MGET;
    begin(out, FORMS[act->kind].words, FORMS[act->kind].name);
    key_word(out, thing, is_keyed ? act->place : 0);
    append_tail(thing, act, out);
    return 1;
}

void thing_describe(const struct thing *thing, const struct act *act, struct buf *out)
{
    buf_printf(out, "%s {%d}%c value %u", FORMS[act->kind].name, thing->number, 'a' + act->place,
               act->value);
    if (act->kind == ACT_SWAP)
        buf_printf(out, " expected %u", act->expected);
}

/* ---- answers ---- */

static bool take_literal(struct bytes *rest, const char *text)
{
    size_t size = strlen(text);
    if (!reply_starts(*rest, text))
        return false;
    *rest = bytes_of(rest->data + size, rest->size - size);
    return true;
}

bool thing_parse_value(const struct thing *thing, struct bytes *rest, uint8_t *value)
{
    struct bytes text;
    *value = 0;
    if (take_literal(rest, "$-1\r\n"))
        return true;
    return reply_take_bulk(rest, &text) && parse_padding(thing, text, value);
}

static bool parse_values(const struct thing *thing, struct bytes *rest, struct outcome *out)
{
    int64_t count;
    if (rest->size == 0 || rest->data[0] != '*' || !reply_take_count(rest, &count) || count < 0 ||
        count > THING_ITEMS_MAX)
        return false;
    out->count = (uint8_t)count;
    for (int i = 0; i < out->count; i++) {
        if (!thing_parse_value(thing, rest, &out->values[i]))
            return false;
    }
    return true;
}

static bool parse_text(const struct thing *thing, struct bytes *rest, struct outcome *out)
{
    struct bytes text;
    size_t size = VALUE_DIGITS + thing->padding;
    if (take_literal(rest, "$-1\r\n"))
        return true;
    if (!reply_take_bulk(rest, &text) || text.size % size != 0 ||
        text.size / size > THING_ITEMS_MAX)
        return false;
    out->count = (uint8_t)(text.size / size);
    for (size_t i = 0; i < out->count; i++) {
        if (!parse_padding(thing, bytes_of(text.data + i * size, size), &out->values[i]))
            return false;
    }
    return true;
}

static bool parse_number_bulk(struct bytes *rest, struct outcome *out)
{
    struct bytes text;
    out->is_nil = take_literal(rest, "$-1\r\n");
    return out->is_nil || (reply_take_bulk(rest, &text) && number_parse_i64(text, &out->number));
}

/* Of SPOP and ZPOPMIN: the member's place, in values[0] from 1. */
static bool parse_member(struct bytes *rest, struct outcome *out)
{
    struct bytes text;
    out->is_nil = take_literal(rest, "$-1\r\n");
    if (out->is_nil)
        return true;
    if (!reply_take_bulk(rest, &text) || text.size != 2 || text.data[0] != 'm' ||
        text.data[1] < 'a' || text.data[1] >= 'a' + THING_MEMBERS)
        return false;
    out->values[0] = (uint8_t)(text.data[1] - 'a' + 1);
    return true;
}

static bool parse_popped(struct bytes *rest, struct outcome *out)
{
    out->is_nil = take_literal(rest, "*0\r\n");
    return out->is_nil || (take_literal(rest, "*2\r\n") && parse_member(rest, out) &&
                           parse_number_bulk(rest, out));
}

static bool parse_id(struct bytes *rest, struct outcome *out)
{
    struct bytes text;
    if (!reply_take_bulk(rest, &text))
        return false;
    const uint8_t *dash = memchr(text.data, '-', text.size);
    if (dash == NULL)
        return false;
    size_t at = (size_t)(dash - text.data);
    return number_parse_u64(bytes_of(text.data, at), &out->id_ms) &&
           number_parse_u64(bytes_of(dash + 1, text.size - at - 1), &out->id_seq);
}

static bool parse_block(const struct thing *thing, const struct act *act, struct bytes *rest,
                        struct outcome *out)
{
    out->is_nil = take_literal(rest, "*-1\r\n");
    if (out->is_nil)
        return act->kind == ACT_SWAP;
    if (act->kind == ACT_SWAP)
        return take_literal(rest, "*1\r\n+OK\r\n");
    if (act->kind == ACT_SET_BOTH)
        return take_literal(rest, "*2\r\n+OK\r\n+OK\r\n");
    out->count = 2;
    return take_literal(rest, "*3\r\n") && thing_parse_value(thing, rest, &out->values[0]) &&
           take_literal(rest, "+OK\r\n") && thing_parse_value(thing, rest, &out->values[1]);
}

static bool parse_integer(struct bytes *rest, struct outcome *out)
{
    return rest->size > 0 && rest->data[0] == ':' && reply_take_count(rest, &out->number);
}

static bool parse(const struct thing *thing, const struct act *act, struct bytes *rest,
                  struct outcome *out)
{
    switch (act->kind) {
    case ACT_SET:
        return take_literal(rest, "+OK\r\n");
    case ACT_GET:
    case ACT_GETSET:
    case ACT_LPOP:
    case ACT_RPOP:
    case ACT_HGET:
        return thing_parse_value(thing, rest, &out->values[0]);
    case ACT_MGET:
    case ACT_LRANGE:
        return parse_values(thing, rest, out);
    case ACT_TEXT:
        return parse_text(thing, rest, out);
    case ACT_SET_BOTH:
    case ACT_TURN:
    case ACT_SWAP:
        return parse_block(thing, act, rest, out);
    case ACT_NUMBER:
    case ACT_ZINCRBY:
    case ACT_ZSCORE:
        return parse_number_bulk(rest, out);
    case ACT_SPOP:
        return parse_member(rest, out);
    case ACT_ZPOPMIN:
        return parse_popped(rest, out);
    case ACT_XADD:
        return parse_id(rest, out);
    case ACT_SETNX:
    case ACT_DEL:
    case ACT_INCR:
    case ACT_CLEAR:
    case ACT_APPEND:
    case ACT_LENGTH:
    case ACT_LPUSH:
    case ACT_RPUSH:
    case ACT_SADD:
    case ACT_SREM:
    case ACT_SISMEMBER:
    case ACT_SCARD:
    case ACT_HSET:
    case ACT_HDEL:
    case ACT_HLEN:
    case ACT_ZADD:
    case ACT_XLEN:
    case ACT_KINDS:
        break;
    }
    return parse_integer(rest, out);
}

bool thing_parse(const struct thing *thing, const struct act *act, struct bytes reply,
                 struct outcome *out)
{
    memset(out, 0, sizeof(*out));
    return parse(thing, act, &reply, out) && reply.size == 0;
}
