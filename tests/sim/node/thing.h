/* What clients of a simulated cluster share: things, each one key or two of one slot and of one
 * type, with a sequential model small enough that a search over the history of one thing finds out
 * whether its operations can have happened one after the other (history.h).
 *
 * Values are numbered: every write of a thing writes another one, so that what a read shows tells
 * which write it saw. On the wire a value is its number, padded with bytes that the number decides;
 * a reply is parsed back into numbers here, and anything else in it is a violation. */
#pragma once

#include "base/assert.h"
#include "base/buf.h"
#include "base/prng.h"

enum {
    THING_OPS_MAX = 200,   /* then the thing is retired; values are numbers of one byte */
    THING_ITEMS_MAX = 230, /* of a list or a text */
    THING_FIELDS = 4,
    THING_MEMBERS = 12,
};

enum thing_kind {
    THING_PAIR, /* two strings of one slot */
    THING_COUNTER,
    THING_TEXT, /* a string that grows by APPEND */
    THING_LIST,
    THING_SET,
    THING_HASH,
    THING_RANKS, /* a sorted set */
    THING_STREAM,
    THING_KINDS,
};

enum act_kind {
    ACT_SET,
    ACT_SETNX,
    ACT_GETSET, /* SET … GET */
    ACT_GET,
    ACT_DEL,
    ACT_MGET,
    ACT_SET_BOTH, /* in a MULTI */
    ACT_TURN,     /* MULTI: GET a, SET a, GET b */
    ACT_SWAP,     /* SET in a MULTI, under a WATCH since `expected` was read */
    ACT_INCR,
    ACT_NUMBER,
    ACT_CLEAR, /* DEL, of every other kind of thing */
    ACT_APPEND,
    ACT_TEXT,
    ACT_LENGTH,
    ACT_LPUSH,
    ACT_RPUSH,
    ACT_LPOP,
    ACT_RPOP,
    ACT_LRANGE,
    ACT_SADD,
    ACT_SREM,
    ACT_SISMEMBER,
    ACT_SCARD,
    ACT_SPOP,
    ACT_HSET,
    ACT_HGET,
    ACT_HDEL,
    ACT_HLEN,
    ACT_ZADD,
    ACT_ZINCRBY,
    ACT_ZSCORE,
    ACT_ZPOPMIN,
    ACT_XADD,
    ACT_XLEN,
    ACT_KINDS,
};

struct act {
    enum act_kind kind;
    uint8_t place;    /* key, field or member */
    uint8_t value;    /* number of what is written */
    uint8_t expected; /* ACT_SWAP: what was read; 0: nothing */
    int32_t amount;
};

/* A reply in numbers. */
struct outcome {
    bool is_nil;
    int64_t number;
    uint64_t id_ms, id_seq; /* ACT_XADD */
    uint8_t count;
    uint8_t values[THING_ITEMS_MAX]; /* 0: nil */
};

/* Zeroed is how each thing begins; compared and hashed as bytes, so it is changed in place only. */
union thing_state {
    uint8_t pair[2];
    struct {
        int64_t value;
        uint64_t exists;
    } counter;
    struct {
        uint8_t count;
        uint8_t items[THING_ITEMS_MAX];
    } sequence;
    uint32_t members;
    uint8_t fields[THING_FIELDS];
    struct {
        uint64_t has;
        int32_t scores[THING_MEMBERS];
    } ranks;
    struct {
        uint64_t count, last_ms, last_seq;
    } stream;
    uint64_t words[30];
};

struct thing {
    int number; /* names its keys */
    enum thing_kind kind;
    size_t padding; /* bytes of a value beyond its number */
    uint8_t writes; /* values given out */
};

/* The next act on it, drawn; writes get a value of their own. */
struct act thing_draw(struct thing *thing, struct prng *prng);
struct act thing_draw_read(const struct thing *thing, struct prng *prng);
/* Reads the whole of what can be read of it: by `step`, until false. */
bool thing_final(const struct thing *thing, int step, struct act *out);

bool act_changes(enum act_kind kind); /* may change something */

/* The commands of the act; replies it takes, of which the last one counts. */
int thing_append_wire(const struct thing *thing, const struct act *act, struct buf *out);
/* ACT_SWAP's first half: WATCH and GET. */
int thing_append_watch(const struct thing *thing, const struct act *act, struct buf *out);
void thing_describe(const struct thing *thing, const struct act *act, struct buf *out);

/* False: nothing this act can be answered with, whatever happened. */
MUST_USE bool thing_parse(const struct thing *thing, const struct act *act, struct bytes reply,
                          struct outcome *out);
MUST_USE bool thing_parse_value(const struct thing *thing, struct bytes *rest, uint8_t *value);

/* Does the act to the state. False: then it would have answered otherwise. seen NULL: any answer.
 */
MUST_USE bool thing_step(const struct thing *thing, const struct act *act,
                         const struct outcome *seen, union thing_state *state);
