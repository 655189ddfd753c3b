/* The packed sequence against an array of texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/prng.h"
#include "types/pack.h"

enum { ENTRIES_MAX = 60, STEPS = 30000, TEXT_MAX = 5000 };

struct text {
    size_t size;
    uint8_t bytes[TEXT_MAX];
};

struct world {
    struct prng prng;
    struct pack *pack;
    struct text *texts[ENTRIES_MAX + 1];
    int count;
};

static const char *const EDGES[] = {"",
                                    "0",
                                    "-0",
                                    "127",
                                    "128",
                                    "4223",
                                    "4224",
                                    "-1",
                                    "-128",
                                    "-129",
                                    "32767",
                                    "32768",
                                    "8388607",
                                    "8388608",
                                    "-8388609",
                                    "007",
                                    "+1",
                                    " 1",
                                    "2147483648",
                                    "-9223372036854775808",
                                    "9223372036854775807",
                                    "9223372036854775808",
                                    "1e3"};

static struct text *draw(struct prng *prng)
{
    static const size_t SIZES[] = {1, 21, 62, 63, 64, 65, 127, 128, 4094, 4095, 4096, 4200};
    struct text *text = malloc(sizeof(*text));
    uint64_t what = prng_below(prng, 10);
    if (what < 4) {
        const char *edge = EDGES[prng_below(prng, COUNT_OF(EDGES))];
        text->size = strlen(edge);
        memcpy(text->bytes, edge, text->size);
    } else if (what < 7) {
        long long number = (long long)prng_next(prng) >> prng_below(prng, 63);
        text->size = (size_t)snprintf((char *)text->bytes, TEXT_MAX, "%lld", number);
    } else {
        text->size = what == 9 ? SIZES[prng_below(prng, COUNT_OF(SIZES))] : prng_below(prng, 40);
        memset(text->bytes, (int)prng_below(prng, 256), text->size);
    }
    return text;
}

static struct bytes bytes_of_text(const struct text *text)
{
    return bytes_of(text->bytes, text->size);
}

static pack_position place_of(const struct world *world, int index)
{
    return index == world->count ? PACK_END : pack_at(world->pack, index);
}

static void insert(struct world *world)
{
    if (world->count == ENTRIES_MAX)
        return;
    int index = (int)prng_below(&world->prng, (uint64_t)world->count + 1);
    struct text *text = draw(&world->prng);
    size_t before = pack_size(world->pack);
    world->pack = pack_insert(world->pack, place_of(world, index), bytes_of_text(text));
    assert_int_equal(pack_size(world->pack) - before, pack_entry_size(bytes_of_text(text)));
    memmove(world->texts + index + 1, world->texts + index,
            (size_t)(world->count - index) * sizeof(world->texts[0]));
    world->texts[index] = text;
    world->count++;
}

static void drop(struct world *world, int index, int count)
{
    for (int i = 0; i < count; i++)
        free(world->texts[index + i]);
    world->count -= count;
    memmove(world->texts + index, world->texts + index + count,
            (size_t)(world->count - index) * sizeof(world->texts[0]));
}

static void remove_some(struct world *world)
{
    if (world->count == 0)
        return;
    int index = (int)prng_below(&world->prng, (uint64_t)world->count);
    int asked = (int)prng_below(&world->prng, 4);
    int count = asked < world->count - index ? asked : world->count - index;
    pack_position at = pack_at(world->pack, index);
    world->pack = pack_remove(world->pack, at, (uint32_t)asked);
    drop(world, index, count);
    assert_int_equal(pack_here(world->pack, at), place_of(world, index));
}

static void replace(struct world *world)
{
    if (world->count == 0)
        return;
    int index = (int)prng_below(&world->prng, (uint64_t)world->count);
    struct text *text = draw(&world->prng);
    world->pack = pack_replace(world->pack, pack_at(world->pack, index), bytes_of_text(text));
    free(world->texts[index]);
    world->texts[index] = text;
}

static void check_walks(const struct world *world)
{
    char scratch[PACK_INT_TEXT_MAX];
    int index = 0;
    for (pack_position at = pack_first(world->pack); at != PACK_END;
         at = pack_next(world->pack, at)) {
        struct bytes text = bytes_of_text(world->texts[index++]);
        assert_true(bytes_equal(pack_get(world->pack, at, scratch), text));
        assert_true(pack_entry_equals(world->pack, at, text));
    }
    assert_int_equal(index, world->count);
    for (pack_position at = pack_last(world->pack); at != PACK_END; at = pack_prev(world->pack, at))
        assert_int_equal(at, pack_at(world->pack, --index));
    assert_int_equal(index, 0);
    assert_int_equal(pack_at(world->pack, world->count), PACK_END);
    assert_int_equal(pack_at(world->pack, -world->count - 1), PACK_END);
    if (world->count > 0)
        assert_int_equal(pack_at(world->pack, -1), pack_last(world->pack));
}

static void check_find(struct world *world)
{
    struct text *text = world->count > 0 && prng_below(&world->prng, 2) == 0
                            ? world->texts[prng_below(&world->prng, (uint64_t)world->count)]
                            : NULL;
    struct text *drawn = text == NULL ? draw(&world->prng) : NULL;
    struct bytes sought = bytes_of_text(text == NULL ? drawn : text);
    uint32_t skip = (uint32_t)prng_below(&world->prng, 3);
    pack_position expected = PACK_END;
    for (int i = 0; i < world->count && expected == PACK_END; i += (int)skip + 1) {
        if (bytes_equal(bytes_of_text(world->texts[i]), sought))
            expected = pack_at(world->pack, i);
    }
    assert_int_equal(pack_find(world->pack, pack_first(world->pack), sought, skip), expected);
    free(drawn);
}

static void check_bytes(const struct world *world)
{
    struct pack *copy = pack_from_bytes(pack_bytes(world->pack), (uint32_t)world->count);
    assert_non_null(copy);
    assert_true(bytes_equal(pack_bytes(copy), pack_bytes(world->pack)));
    pack_free(copy);
    assert_null(pack_from_bytes(pack_bytes(world->pack), (uint32_t)world->count + 1));
    if (world->count > 0) {
        struct bytes bytes = pack_bytes(world->pack);
        assert_null(pack_from_bytes(bytes_of(bytes.data, bytes.size - 1), (uint32_t)world->count));
    }
}

static void check_split(struct world *world)
{
    int index = (int)prng_below(&world->prng, (uint64_t)world->count + 1);
    struct pack *first = pack_copy(world->pack);
    struct pack *second = pack_split(&first, place_of(world, index));
    assert_int_equal(pack_count(first), index);
    assert_int_equal(pack_count(second), world->count - index);
    struct buf both = {0};
    buf_append(&both, pack_bytes(first));
    buf_append(&both, pack_bytes(second));
    assert_true(bytes_equal(buf_bytes(&both), pack_bytes(world->pack)));
    buf_free(&both);
    pack_free(first);
    pack_free(second);
}

static void step(struct world *world)
{
    uint64_t what = prng_below(&world->prng, 20);
    if (what < 8)
        insert(world);
    else if (what < 12)
        remove_some(world);
    else if (what < 15)
        replace(world);
    else if (what < 17)
        check_find(world);
    else if (what < 18)
        check_split(world);
    else if (what < 19)
        check_bytes(world);
    else
        check_walks(world);
    assert_int_equal(pack_count(world->pack), world->count);
}

static void a_pack_is_a_sequence_of_texts(void **state)
{
    (void)state;
    struct world world = {.prng = prng_init(11), .pack = pack_new()};
    for (int i = 0; i < STEPS; i++)
        step(&world);
    drop(&world, 0, world.count);
    pack_free(world.pack);
}

static void its_bytes_are_those_of_the_documented_example(void **state)
{
    (void)state;
    struct pack *pack = pack_new();
    pack = pack_append(pack, BYTES_LITERAL("5"));
    pack = pack_append(pack, BYTES_LITERAL("-1"));
    pack = pack_prepend(pack, BYTES_LITERAL("a"));
    static const uint8_t EXPECTED[] = {0x81, 0x61, 0x02, 0x05, 0x01, 0xd1, 0xff, 0x02};
    assert_true(bytes_equal(pack_bytes(pack), bytes_of(EXPECTED, sizeof(EXPECTED))));
    pack_free(pack);
}

static void bytes_that_are_no_pack_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[8];
        size_t size;
    } BAD[] = {
        {{0x05}, 1},                   /* no back length */
        {{0x05, 0x02}, 2},             /* a wrong one */
        {{0x82, 0x61, 0x02}, 3},       /* too short */
        {{0x81, 0x35, 0x02}, 3},       /* "5" as a string */
        {{0xd1, 0x05, 0x02}, 3},       /* 5 in a wide form */
        {{0xd5, 0, 0, 0, 0, 0, 6}, 7}, /* no such width */
        {{0xf0, 0x00, 0x02}, 3},       /* no such head */
        {{0xc0, 0x01, 0x61, 0x03}, 4}, /* a short string in a long form */
        {{0xd0, 0xff, 0xff, 0xff, 0xff}, 5},
    };
    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        assert_null(pack_from_bytes(bytes_of(BAD[i].bytes, BAD[i].size), 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pack_is_a_sequence_of_texts),
        cmocka_unit_test(its_bytes_are_those_of_the_documented_example),
        cmocka_unit_test(bytes_that_are_no_pack_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
