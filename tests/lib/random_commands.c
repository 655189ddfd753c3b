#include "random_commands.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"

/* Words stand between blanks:
 *   %H %S %Z %L %X %T  a key: hash, set, sorted set, list, stream, string; %K any
 *   %f name  %v value  %i small number  %u small count  %n score  %e time around now, in ms
 *   %d id of a stream  %g group  %c consumer  %p producer  %m message
 *   {…}   some times over          [a|b|]   one of them, perhaps nothing */
static const char *const HASH[] = {
    "HSET %H {%f %v}",
    "HSET %H {%f %v}",
    "HSETNX %H %f %v",
    "HINCRBY %H %f %i",
    "HINCRBYFLOAT %H %f %n",
    "HDEL %H {%f}",
    "HPEXPIREAT %H %e [NX|XX|GT|LT||||] FIELDS 2 %f %f",
    "HPEXPIREAT %H %e FIELDS 1 %f",
    "HPERSIST %H FIELDS 2 %f %f",
    "HGETDEL %H FIELDS 1 %f",
    "HGETEX %H [PERSIST|PXAT %e] FIELDS 1 %f",
    "HSETEX %H [FNX|FXX||] [PXAT %e|KEEPTTL|] FIELDS 2 %f %v %f %v",
    "HGETALL %H",
};

static const char *const SET[] = {
    "SADD %S {%f}",      "SADD %S {%i}",        "SADD %S {%f}",
    "SREM %S {%f}",      "SREM %S {%i}",        "SPOP %S",
    "SPOP %S %u",        "SMOVE %S %S [%f|%i]", "[SUNIONSTORE|SINTERSTORE|SDIFFSTORE] %S %S %S",
    "SRANDMEMBER %S %u",
};

static const char *const ZSET[] = {
    "ZADD %Z [NX|XX|GT|LT|||||] {%n %f}",
    "ZADD %Z {%n %f}",
    "ZADD %Z INCR %n %f",
    "ZINCRBY %Z %n %f",
    "ZREM %Z {%f}",
    "[ZPOPMIN|ZPOPMAX] %Z %u",
    "ZREMRANGEBYRANK %Z %i %i",
    "ZREMRANGEBYSCORE %Z %n %n",
    "[ZUNIONSTORE|ZINTERSTORE|ZDIFFSTORE] %Z 2 %Z [%Z|%S]",
    "ZRANGESTORE %Z %Z %i %i",
    "ZMPOP 2 %Z %Z [MIN|MAX] COUNT %u",
};

static const char *const LIST[] = {
    "[LPUSH|RPUSH] %L {%v}",
    "[LPUSH|RPUSH] %L {%v}",
    "[LPUSHX|RPUSHX] %L %f",
    "[LPOP|RPOP] %L [%u|]",
    "LSET %L %i %v",
    "LINSERT %L [BEFORE|AFTER] %f %v",
    "RPUSH %L {%f}",
    "LREM %L %i %f",
    "LTRIM %L %i %i",
    "LTRIM %L %u -1",
    "LMOVE %L %L [LEFT|RIGHT] [LEFT|RIGHT]",
    "LMPOP 2 %L %L [LEFT|RIGHT] COUNT %u",
    "SORT [%L|%S] ALPHA STORE %L",
};

static const char *const STREAM[] = {
    "XADD %X * {%f %v}",
    "XADD %X * name %v age %i",
    "XADD %X [MAXLEN [~|=|] [%u|40|40] [KEEPREF|DELREF|ACKED]|MINID %d] * name %v age %i",
    "XADD %X NOMKSTREAM * name %v age %i",
    "XADD %X %d %f %v",
    "XADD %X [IDMP %p %m|IDMPAUTO %p] * f %m",
    "XADD %X IDMP %p %m * %f %v",
    "XCFGSET %X [IDMP-MAXSIZE %u|IDMP-DURATION [1|2|100]]",
    "XDEL %X {%d}",
    "XDELEX %X [KEEPREF|DELREF|ACKED|] IDS 4 %d %d %d %d",
    "XACKDEL %X %g [KEEPREF|DELREF|ACKED] IDS 9 %d %d %d %d %d %d %d %d %d",
    "XTRIM %X [MAXLEN|MAXLEN ~] [%u|20|40|40|60] [KEEPREF|DELREF|ACKED|]",
    "XTRIM %X MINID %d [KEEPREF|DELREF|ACKED|]",
    "XSETID %X %d [ENTRIESADDED 90|] [MAXDELETEDID %d|]",
    "XGROUP CREATE %X %g [0|$|%d] [MKSTREAM|] [ENTRIESREAD %u|]",
    "XGROUP SETID %X %g %d",
    "XGROUP CREATECONSUMER %X %g %c",
    "[XGROUP DELCONSUMER %X %g %c|XGROUP CREATE %X %g 0|XLEN %X]",
    "[XGROUP DESTROY %X %g|XGROUP CREATE %X %g 0|XLEN %X|XLEN %X|XLEN %X]",
    "XREADGROUP GROUP %g %c [COUNT %u|] [NOACK||] STREAMS %X >",
    "XREADGROUP GROUP %g %c COUNT %u STREAMS %X >",
    "XREADGROUP GROUP %g %c STREAMS %X %d",
    "XACK %X %g {%d} {%d} {%d} {%d}",
    "XCLAIM %X %g %c 0 %d %d [FORCE|JUSTID|RETRYCOUNT %u||]",
    "XAUTOCLAIM %X %g %c [0|5] 0 COUNT 3 [JUSTID|]",
};

static const char *const STRING[] = {
    "SET %T %v [KEEPTTL|PXAT %e||]",
    "APPEND %T %v",
    "SETRANGE %T %u %v",
    "SETRANGE %T 5000 %f",
    "INCRBY %T %i",
    "SET %T %i",
    "SETBIT %T %u 1",
    "BITFIELD %T SET u8 [0|40000] %u INCRBY i5 %u %i",
    "BITOP [AND|OR|XOR] %T %T %T",
    "PFADD %T {%f}",
    "PFMERGE %T %T",
    "PFCOUNT %T",
    "GETDEL %T",
    "GETEX %T PXAT %e",
};

static const char *const ANY[] = {
    "DEL %K",
    "RENAME %K %K",
    "RENAMENX %K %K",
    "COPY %K %K [REPLACE|]",
    "PEXPIREAT %K %e",
    "PEXPIREAT %K %e",
    "PERSIST %K",
    "[RENAME|COPY] [%H %H|%X %X|%L %L|%Z %Z|%S %S]",
    "OBJECT ENCODING %K",
    "UNLINK %K",
    "RPUSH %K %f",
    "HSET %K %f %v",
    "XADD %K * %f %v",
    "ZADD %K %n %f",
    "SADD %K %f",
    "GET %K",
};

static const struct {
    const char *const *templates;
    size_t count;
    uint64_t weight;
} families[] = {
    {HASH, COUNT_OF(HASH), 20}, {SET, COUNT_OF(SET), 14},       {ZSET, COUNT_OF(ZSET), 15},
    {LIST, COUNT_OF(LIST), 15}, {STREAM, COUNT_OF(STREAM), 40}, {STRING, COUNT_OF(STRING), 10},
    {ANY, COUNT_OF(ANY), 9},
};

/* Numbers of keys by type. */
static const struct {
    char type;
    int first, count;
} ranges[] = {{'H', 0, 3},  {'S', 3, 3},  {'Z', 6, 3},          {'L', 9, 3},
              {'X', 12, 3}, {'T', 15, 2}, {'K', 0, RANDOM_KEYS}};

struct bytes random_key(int number)
{
    static const char *const NAMES[RANDOM_KEYS] = {"h:0", "h:1", "{h}:2", "s:0", "s:1", "s:2",
                                                   "z:0", "z:1", "z:2",   "l:0", "l:1", "l:2",
                                                   "x:0", "x:1", "x:2",   "t:0", ""};
    ASSERT(number >= 0 && number < RANDOM_KEYS);
    return bytes_of_string(NAMES[number]);
}

struct drawing {
    struct random_command *command;
    struct prng *prng;
    int64_t now_ms;
    size_t starts[RANDOM_WORDS_MAX + 1];
};

static int64_t between(struct drawing *drawing, int64_t from, int64_t to)
{
    return from + (int64_t)prng_below(drawing->prng, (uint64_t)(to - from + 1));
}

static void put(struct drawing *drawing, struct bytes word)
{
    struct random_command *command = drawing->command;
    if (command->argc == RANDOM_WORDS_MAX)
        return;
    buf_append(&command->text, word);
    drawing->starts[++command->argc] = command->text.size;
}

static void put_number(struct drawing *drawing, int64_t number)
{
    char text[32];
    int size = snprintf(text, sizeof(text), "%lld", (long long)number);
    put(drawing, bytes_of(text, (size_t)size));
}

static void put_key(struct drawing *drawing, char type)
{
    struct random_command *command = drawing->command;
    size_t at = 0;
    while (ranges[at].type != type)
        at++;
    int number = ranges[at].first + (int)prng_below(drawing->prng, (uint64_t)ranges[at].count);
    ASSERT(command->key_count < RANDOM_KEYS_IN_ONE_MAX);
    command->keys[command->key_count++] = number;
    put(drawing, random_key(number));
}

/* One of sixty names, some of them numbers, empty, binary, or too long for a row's key. */
static void put_name(struct drawing *drawing)
{
    char text[1200];
    int number = (int)between(drawing, 0, 59);
    int size = snprintf(text, sizeof(text), number % 4 == 0 ? "%d" : "name:%d", number);
    if (number == 1)
        size = 0;
    if (number == 2)
        text[1] = '\0';
    int padded = number == 3 ? 64 : number == 5 ? 65 : number == 6 ? 1024 : number == 7 ? 1025 : 0;
    if (padded > 0) {
        memset(text + size, 'x', (size_t)(padded - size));
        size = padded;
    }
    put(drawing, bytes_of(text, (size_t)size));
}

static void put_value(struct drawing *drawing)
{
    static const int SIZES[] = {0, 1, 20, 63, 64, 65, 300, 511, 513, 2047, 2049, 4097, 9000};
    char text[9000];
    if (prng_chance(drawing->prng, 400000)) {
        put_number(drawing, between(drawing, -3, 100000));
        return;
    }
    int size = prng_chance(drawing->prng, 150000) ? SIZES[between(drawing, 0, 12)]
                                                  : (int)between(drawing, 1, 40);
    memset(text, 'a' + (int)between(drawing, 0, 25), (size_t)size);
    put(drawing, bytes_of(text, (size_t)size));
}

static void put_score(struct drawing *drawing)
{
    static const char *const EDGES[] = {"-inf", "+inf", "0.5", "-1e300", "9007199254740993", "0"};
    if (prng_chance(drawing->prng, 100000))
        put(drawing, bytes_of_string(EDGES[between(drawing, 0, 5)]));
    else
        put_number(drawing, between(drawing, -9, 20));
}

/* Mostly one that there was, or may be. */
static void put_id(struct drawing *drawing)
{
    char text[64];
    int size = snprintf(text, sizeof(text), "%lld-%d",
                        (long long)between(drawing, drawing->now_ms - 30, drawing->now_ms + 1),
                        prng_chance(drawing->prng, 200000));
    put(drawing, bytes_of(text, (size_t)size));
}

static void put_one_of(struct drawing *drawing, const char *first, int count)
{
    char text[16];
    int size = snprintf(text, sizeof(text), "%s%d", first, (int)between(drawing, 1, count));
    put(drawing, bytes_of(text, (size_t)size));
}

static void put_drawn(struct drawing *drawing, char kind)
{
    switch (kind) {
    case 'f':
        put_name(drawing);
        return;
    case 'v':
        put_value(drawing);
        return;
    case 'i':
        put_number(drawing, between(drawing, -20, 60));
        return;
    case 'u':
        put_number(drawing, between(drawing, 1, 12));
        return;
    case 'n':
        put_score(drawing);
        return;
    case 'e':
        put_number(drawing, between(drawing, drawing->now_ms - 3, drawing->now_ms + 150));
        return;
    case 'd':
        put_id(drawing);
        return;
    case 'g':
        put_one_of(drawing, "g", 2);
        return;
    case 'c':
        put_one_of(drawing, "consumer", 3);
        return;
    case 'p':
        put_one_of(drawing, "producer", 3);
        return;
    case 'm':
        put_one_of(drawing, "message", 20);
        return;
    default:
        put_key(drawing, kind);
    }
}

/* Where the bracket that opens at `at` closes. */
static const char *closing(const char *at, char open, char close)
{
    int depth = 0;
    for (;; at++) {
        ASSERT(*at != 0);
        depth += *at == open;
        depth -= *at == close;
        if (depth == 0)
            return at;
    }
}

static void expand(struct drawing *drawing, const char *at, const char *end);

static void repeat(struct drawing *drawing, const char *at, const char *end)
{
    int64_t times = between(drawing, 1, prng_chance(drawing->prng, 150000) ? 60 : 4);
    for (; times > 0; times--)
        expand(drawing, at, end);
}

static void choose(struct drawing *drawing, const char *at, const char *end)
{
    const char *parts[16] = {at};
    int count = 1, depth = 0;
    for (const char *i = at; i < end; i++) {
        depth += *i == '[';
        depth -= *i == ']';
        if (*i == '|' && depth == 0)
            parts[count++] = i + 1;
    }
    ASSERT(count < 16);
    int chosen = (int)between(drawing, 0, count - 1);
    expand(drawing, parts[chosen], chosen + 1 < count ? parts[chosen + 1] - 1 : end);
}

static void expand(struct drawing *drawing, const char *at, const char *end)
{
    while (at < end) {
        const char *behind = at + 1;
        if (*at == '%') {
            put_drawn(drawing, at[1]);
            behind = at + 2;
        } else if (*at == '{') {
            behind = closing(at, '{', '}');
            repeat(drawing, at + 1, behind++);
        } else if (*at == '[') {
            behind = closing(at, '[', ']');
            choose(drawing, at + 1, behind++);
        } else if (*at != ' ') {
            while (behind < end && *behind != ' ')
                behind++;
            put(drawing, bytes_of(at, (size_t)(behind - at)));
        }
        at = behind;
    }
}

static const char *draw_template(struct prng *prng)
{
    uint64_t total = 0;
    for (size_t i = 0; i < COUNT_OF(families); i++)
        total += families[i].weight;
    uint64_t drawn = prng_below(prng, total);
    size_t at = 0;
    while (drawn >= families[at].weight)
        drawn -= families[at++].weight;
    return families[at].templates[prng_below(prng, families[at].count)];
}

void random_command_draw(struct random_command *command, struct prng *prng, int64_t now_ms)
{
    struct drawing drawing = {.command = command, .prng = prng, .now_ms = now_ms};
    const char *template = draw_template(prng);
    command->argc = command->key_count = 0;
    buf_clear(&command->text);
    expand(&drawing, template, template + strlen(template));
    for (int i = 0; i < command->argc; i++)
        command->argv[i] = bytes_of(command->text.data + drawing.starts[i],
                                    drawing.starts[i + 1] - drawing.starts[i]);
}

void random_command_free(struct random_command *command)
{
    buf_free(&command->text);
}
