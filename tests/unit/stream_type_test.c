/* Streams against plain arrays: entries, groups with what is pending, messages of producers; random
 * edits, and the ways to rows and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/prng.h"
#include "type_box.h"
#include "types/stream.h"

enum { ENTRIES_MAX = 4000, GROUPS = 2, CONSUMERS = 3, PRODUCERS = 3, MESSAGES = 12, STEPS = 1500 };

struct entry {
    struct stream_id id;
    uint32_t pair_count, seed;
};

struct pending {
    struct stream_id id;
    int consumer;
    uint64_t times;
};

struct group {
    bool is_there, has_consumer[CONSUMERS];
    struct stream_id last;
    struct pending pending[ENTRIES_MAX];
    uint32_t count;
};

struct message {
    int producer, name;
    struct stream_id id;
    int64_t added_ms;
};

struct world {
    struct prng prng;
    struct type_box box;
    struct entry entries[ENTRIES_MAX]; /* in order */
    uint32_t count;
    struct stream_id last;
    uint64_t added;
    struct group groups[GROUPS];
    struct message messages[PRODUCERS * MESSAGES]; /* oldest first */
    uint32_t message_count, size_max, duration_s;
    uint64_t messages_added;
    int64_t now_ms;
};

static struct bytes name_of(const char *kind, int number, char text[32])
{
    return bytes_of(text, (size_t)snprintf(text, 32, "%s%d", kind, number));
}

static bool is_same(struct stream_id a, struct stream_id b)
{
    return stream_id_compare(a, b) == 0;
}

/* ---- entries ---- */

/* Text number i of an entry: mostly the same fields, values of all kinds. */
static struct bytes pair_text(const struct entry *entry, uint32_t i, char text[32])
{
    bool is_field = i % 2 == 0;
    if (is_field && entry->seed % 4 != 0)
        return name_of("field", (int)i, text);
    if (is_field)
        return name_of("other", (int)(entry->seed % 50), text);
    if (entry->seed % 7 == 0)
        return bytes_of(text, 0);
    return name_of(entry->seed % 3 == 0 ? "value:" : "", (int)(entry->seed * 31 + i), text);
}

static void append(struct world *world)
{
    char texts[16][32];
    struct bytes pairs[16];
    struct entry entry = {.seed = (uint32_t)prng_below(&world->prng, 1000)};
    entry.pair_count = entry.seed % 5 == 0 ? 1 + entry.seed % 8 : 2;
    entry.id = world->last;
    if (prng_chance(&world->prng, 300000))
        entry.id.ms += 1 + prng_below(&world->prng, 3);
    if (is_same(entry.id, world->last) || prng_chance(&world->prng, 500000))
        entry.id.seq += 1;
    for (uint32_t i = 0; i < 2 * entry.pair_count; i++)
        pairs[i] = pair_text(&entry, i, texts[i]);
    struct edit edit = type_box_begin(&world->box);
    stream_append(&edit, entry.id, pairs, entry.pair_count);
    type_box_end(&world->box, &edit);
    world->entries[world->count++] = entry;
    world->last = entry.id;
    world->added++;
}

static void drop_entry(struct world *world, uint32_t at)
{
    world->count--;
    memmove(world->entries + at, world->entries + at + 1,
            (world->count - at) * sizeof(world->entries[0]));
}

static struct stream_id draw_id(struct world *world)
{
    if (world->count > 0 && prng_chance(&world->prng, 800000))
        return world->entries[prng_below(&world->prng, world->count)].id;
    return (struct stream_id){prng_below(&world->prng, world->last.ms + 2),
                              prng_below(&world->prng, 4)};
}

static bool find_entry(const struct world *world, struct stream_id id, uint32_t *at)
{
    for (*at = 0; *at < world->count; ++*at) {
        if (is_same(world->entries[*at].id, id))
            return true;
    }
    return false;
}

static void remove_entry(struct world *world)
{
    uint32_t at;
    struct stream_id id = draw_id(world);
    bool is_there = find_entry(world, id, &at);
    struct edit edit = type_box_begin(&world->box);
    assert_int_equal(stream_remove(&edit, id), is_there);
    type_box_end(&world->box, &edit);
    if (is_there)
        drop_entry(world, at);
}

/* ---- groups ---- */

static struct stream_group *group_of(const struct world *world, int number)
{
    char text[32];
    return stream_group_find(world->box.value, name_of("group", number, text));
}

static bool find_pending(const struct group *group, struct stream_id id, uint32_t *at)
{
    for (*at = 0; *at < group->count; ++*at) {
        if (is_same(group->pending[*at].id, id))
            return true;
    }
    return false;
}

static void drop_pending(struct group *group, uint32_t at)
{
    group->pending[at] = group->pending[--group->count];
}

static void make_or_remove_group(struct world *world, int number)
{
    char text[32];
    struct group *group = &world->groups[number];
    struct edit edit = type_box_begin(&world->box);
    if (!group->is_there) {
        *group = (struct group){.is_there = true, .last = draw_id(world)};
        (void)stream_group_add(&edit, name_of("group", number, text), group->last, 3);
    } else if (prng_chance(&world->prng, 100000)) {
        stream_group_remove(&edit, group_of(world, number));
        group->is_there = false;
    } else {
        struct stream_group *its = group_of(world, number);
        its->last_id = group->last = draw_id(world);
        stream_group_changed(&edit, its);
    }
    type_box_end(&world->box, &edit);
}

/* The consumer comes into being when it is asked for. */
static struct stream_consumer *consumer_of(struct world *world, struct edit *edit, int number,
                                           int consumer)
{
    char text[32];
    struct bytes name = name_of("consumer", consumer, text);
    struct stream_group *group = group_of(world, number);
    struct stream_consumer *its = stream_consumer_find(group, name);
    assert_int_equal(its != NULL, world->groups[number].has_consumer[consumer]);
    world->groups[number].has_consumer[consumer] = true;
    return its != NULL ? its : stream_consumer_add(edit, group, name, world->now_ms);
}

static void give(struct world *world, int number)
{
    struct group *group = &world->groups[number];
    int consumer = (int)prng_below(&world->prng, CONSUMERS);
    struct stream_id id = draw_id(world);
    uint32_t at;
    if (!group->is_there)
        return;
    struct edit edit = type_box_begin(&world->box);
    struct stream_consumer *its = consumer_of(world, &edit, number, consumer);
    bool was_pending = find_pending(group, id, &at);
    uint64_t times = was_pending ? group->pending[at].times + 1 : 1;
    stream_pending_put(&edit, group_of(world, number), its, id, world->now_ms, times);
    type_box_end(&world->box, &edit);
    if (!was_pending)
        at = group->count++;
    group->pending[at] = (struct pending){.id = id, .consumer = consumer, .times = times};
}

static void acknowledge(struct world *world, int number)
{
    struct group *group = &world->groups[number];
    uint32_t at;
    if (!group->is_there)
        return;
    struct stream_id id = group->count > 0 && prng_chance(&world->prng, 800000)
                              ? group->pending[prng_below(&world->prng, group->count)].id
                              : draw_id(world);
    bool is_there = find_pending(group, id, &at);
    struct edit edit = type_box_begin(&world->box);
    assert_int_equal(stream_pending_remove(&edit, group_of(world, number), id), is_there);
    type_box_end(&world->box, &edit);
    if (is_there)
        drop_pending(group, at);
}

static void remove_consumer(struct world *world, int number)
{
    struct group *group = &world->groups[number];
    int consumer = (int)prng_below(&world->prng, CONSUMERS);
    if (!group->is_there || !group->has_consumer[consumer])
        return;
    struct edit edit = type_box_begin(&world->box);
    stream_consumer_remove(&edit, group_of(world, number),
                           consumer_of(world, &edit, number, consumer));
    type_box_end(&world->box, &edit);
    group->has_consumer[consumer] = false;
    for (uint32_t i = group->count; i-- > 0;) {
        if (group->pending[i].consumer == consumer)
            drop_pending(group, i);
    }
}

static bool is_acked(const struct world *world, struct stream_id id)
{
    uint32_t at;
    for (int g = 0; g < GROUPS; g++) {
        const struct group *group = &world->groups[g];
        if (group->is_there &&
            (stream_id_compare(group->last, id) < 0 || find_pending(group, id, &at)))
            return false;
    }
    return true;
}

static void drop_references(struct world *world, struct stream_id id)
{
    uint32_t at;
    for (int g = 0; g < GROUPS; g++) {
        if (world->groups[g].is_there && find_pending(&world->groups[g], id, &at))
            drop_pending(&world->groups[g], at);
    }
}

/* ---- trimming ---- */

static uint64_t model_trim(struct world *world, const struct stream_trim *trim)
{
    uint64_t removed = 0;
    for (uint32_t at = 0; at < world->count;) {
        struct stream_id id = world->entries[at].id;
        bool goes =
            trim->by_id ? stream_id_compare(id, trim->min_id) < 0 : world->count > trim->max_count;
        if (!goes)
            break;
        if (trim->references == STREAM_ONLY_ACKED && !is_acked(world, id)) {
            at++;
            continue;
        }
        if (trim->references == STREAM_DROP_REFERENCES)
            drop_references(world, id);
        drop_entry(world, at);
        removed++;
    }
    return removed;
}

static void trim(struct world *world)
{
    struct stream_trim trim = {.by_id = prng_chance(&world->prng, 500000)};
    trim.references = (enum stream_references)prng_below(&world->prng, 3);
    trim.max_count = world->count - prng_below(&world->prng, world->count / 8 + 1);
    if (world->count > 0)
        trim.min_id = world->entries[prng_below(&world->prng, world->count / 8 + 1)].id;
    struct edit edit = type_box_begin(&world->box);
    assert_int_equal(stream_trim(&edit, &trim), model_trim(world, &trim));
    type_box_end(&world->box, &edit);
}

/* ---- producers ---- */

static void forget_message(struct world *world, uint32_t at)
{
    world->message_count--;
    memmove(world->messages + at, world->messages + at + 1,
            (world->message_count - at) * sizeof(world->messages[0]));
}

static void forget_old(struct world *world)
{
    while (world->message_count > 0 &&
           world->now_ms - world->messages[0].added_ms >= (int64_t)world->duration_s * 1000)
        forget_message(world, 0);
}

static void forget_too_many(struct world *world, int producer)
{
    uint32_t count = 0, oldest = 0;
    for (uint32_t i = world->message_count; i-- > 0;) {
        if (world->messages[i].producer != producer)
            continue;
        oldest = i;
        count++;
    }
    if (count > world->size_max)
        forget_message(world, oldest);
}

static void produce(struct world *world)
{
    char producer_text[32], name_text[32];
    struct message message = {.producer = (int)prng_below(&world->prng, PRODUCERS),
                              .name = (int)prng_below(&world->prng, MESSAGES),
                              .id = world->last};
    struct bytes producer = name_of("producer", message.producer, producer_text);
    struct bytes name = name_of("message", message.name, name_text);
    struct stream_id id = {0};
    bool is_known = false;
    world->now_ms += (int64_t)prng_below(&world->prng, 300);
    forget_old(world);
    for (uint32_t i = 0; i < world->message_count; i++) {
        const struct message *each = &world->messages[i];
        if (each->producer != message.producer || each->name != message.name)
            continue;
        is_known = true;
        message.id = each->id;
    }
    struct edit edit = type_box_begin(&world->box);
    assert_int_equal(stream_production_find(&edit, producer, name, world->now_ms, &id), is_known);
    assert_true(!is_known || is_same(id, message.id));
    if (!is_known) {
        stream_production_add(&edit, producer, name, message.id, world->now_ms);
        message.added_ms = world->now_ms;
        world->messages[world->message_count++] = message;
        world->messages_added++;
        forget_too_many(world, message.producer);
    }
    type_box_end(&world->box, &edit);
}

static void configure(struct world *world)
{
    uint32_t duration_s = 1 + (uint32_t)prng_below(&world->prng, 4);
    uint32_t size_max = 1 + (uint32_t)prng_below(&world->prng, MESSAGES);
    bool has_changed = duration_s != world->duration_s || size_max != world->size_max;
    struct edit edit = type_box_begin(&world->box);
    assert_int_equal(stream_production_configure(&edit, duration_s, size_max), has_changed);
    type_box_end(&world->box, &edit);
    world->duration_s = duration_s;
    world->size_max = size_max;
    if (has_changed)
        world->message_count = 0;
}

/* ---- what must hold ---- */

static void check_entry(struct stream_entry *found, const struct entry *entry)
{
    char text[32];
    assert_true(is_same(found->id, entry->id));
    assert_int_equal(found->pair_count, entry->pair_count);
    for (uint32_t i = 0; i < entry->pair_count; i++) {
        struct stream_text field, value;
        stream_entry_pair(found, &field, &value);
        assert_true(bytes_equal(field.bytes, pair_text(entry, 2 * i, text)));
        assert_true(bytes_equal(value.bytes, pair_text(entry, 2 * i + 1, text)));
    }
}

static void check_walk(const struct world *world, struct stream_id from, struct stream_id to,
                       bool is_reverse)
{
    struct stream_walk walk = stream_walk(world->box.value, from, to, is_reverse);
    struct stream_entry found;
    for (uint32_t i = 0; i < world->count; i++) {
        const struct entry *entry = &world->entries[is_reverse ? world->count - 1 - i : i];
        if (stream_id_compare(entry->id, from) < 0 || stream_id_compare(entry->id, to) > 0)
            continue;
        assert_true(stream_next(&walk, &found));
        check_entry(&found, entry);
    }
    assert_false(stream_next(&walk, &found));
}

static void check_group(struct world *world, int number)
{
    char text[32];
    const struct group *group = &world->groups[number];
    const struct stream_group *its = group_of(world, number);
    assert_int_equal(its != NULL, group->is_there);
    if (its == NULL)
        return;
    assert_true(is_same(its->last_id, group->last));
    assert_int_equal(its->pending.count, group->count);
    for (uint32_t i = 0; i < group->count; i++) {
        const struct stream_pending *pending = stream_pending_find(its, group->pending[i].id);
        assert_non_null(pending);
        assert_int_equal(pending->times, group->pending[i].times);
        const struct stream_consumer *consumer = stream_consumer_of(its, pending->consumer);
        assert_true(bytes_equal(buf_bytes(&consumer->name),
                                name_of("consumer", group->pending[i].consumer, text)));
    }
}

static void check_production(const struct world *world)
{
    struct stream_production_info info = stream_production_info(world->box.value, world->now_ms);
    bool is_seen[PRODUCERS] = {false};
    uint64_t producers = 0, messages = 0;
    for (uint32_t i = 0; i < world->message_count; i++) {
        const struct message *message = &world->messages[i];
        if (world->now_ms - message->added_ms >= (int64_t)world->duration_s * 1000)
            continue;
        messages++;
        producers += !is_seen[message->producer];
        is_seen[message->producer] = true;
    }
    assert_int_equal(info.messages, messages);
    assert_int_equal(info.producers, producers);
    assert_int_equal(info.added, world->messages_added);
}

static void check_all(struct world *world, const struct type_env *other)
{
    struct stream_id a = draw_id(world), b = draw_id(world);
    check_walk(world, (struct stream_id){0}, STREAM_ID_MAX, false);
    check_walk(world, (struct stream_id){0}, STREAM_ID_MAX, true);
    check_walk(world, a, b, prng_chance(&world->prng, 500000));
    for (int g = 0; g < GROUPS; g++)
        check_group(world, g);
    check_production(world);
    struct stream_info info = stream_info(world->box.value);
    assert_true(is_same(info.last_id, world->last));
    assert_int_equal(info.entries_added, world->added);
    assert_int_equal(stream_has(world->box.value, a), find_entry(world, a, &(uint32_t){0}));
    assert_int_equal(stream_is_acked(world->box.value, a), is_acked(world, a));
    type_box_check(&world->box, other);
}

static void step(struct world *world)
{
    int group = (int)prng_below(&world->prng, GROUPS);
    uint64_t what = prng_below(&world->prng, 100);
    if (what < 40)
        append(world);
    else if (what < 52)
        remove_entry(world);
    else if (what < 56)
        trim(world);
    else if (what < 62)
        make_or_remove_group(world, group);
    else if (what < 76)
        give(world, group);
    else if (what < 84)
        acknowledge(world, group);
    else if (what < 85)
        remove_consumer(world, group);
    else if (what < 99)
        produce(world);
    else
        configure(world);
}

static void random_edits_agree_with_arrays(void **state)
{
    (void)state;
    struct type_env other = type_env_default(1);
    other.stream_node_max_entries = 2;
    for (uint64_t seed = 1; seed <= 16; seed++) {
        static const int64_t NODES[] = {1, 5, 100};
        struct world *world = mem_zero(sizeof(*world));
        struct type_env env = type_env_default(seed);
        env.stream_node_max_entries = NODES[seed % 3];
        world->prng = prng_init(seed);
        world->now_ms = 1000;
        world->duration_s = STREAM_IDMP_DURATION_DEFAULT;
        world->size_max = STREAM_IDMP_SIZE_DEFAULT;
        type_box_init(&world->box, TYPE_STREAM, &env);
        for (int i = 0; i < STEPS; i++) {
            step(world);
            if (i % 60 == 0)
                check_all(world, &other);
        }
        check_all(world, &other);
        type_box_fini(&world->box);
        mem_free(world);
    }
}

/* ---- one by one ---- */

static void a_digest_is_the_same_in_any_order_and_for_no_other_content(void **state)
{
    (void)state;
    static const char *const SAME[][4] = {{"a", "1", "b", "2"}, {"b", "2", "a", "1"}};
    static const char *const OTHERS[][4] = {{"a", "2", "b", "1"}, {"a", "1", "b", "3"},
                                            {"a1", "", "b", "2"}, {"1", "a", "2", "b"},
                                            {"a", "1b", "", "2"}, {"a", "1", "a", "1"}};
    uint8_t first[STREAM_MESSAGE_DIGEST], digest[STREAM_MESSAGE_DIGEST];
    struct bytes pairs[4];
    for (size_t i = 0; i < 2; i++) {
        for (size_t at = 0; at < 4; at++)
            pairs[at] = bytes_of_string(SAME[i][at]);
        stream_production_digest(pairs, 2, i == 0 ? first : digest);
    }
    assert_memory_equal(first, digest, sizeof(digest));
    for (size_t i = 0; i < COUNT_OF(OTHERS); i++) {
        for (size_t at = 0; at < 4; at++)
            pairs[at] = bytes_of_string(OTHERS[i][at]);
        stream_production_digest(pairs, 2, digest);
        assert_memory_not_equal(first, digest, sizeof(digest));
    }
    stream_production_digest(pairs, 1, first);
    stream_production_digest(pairs, 2, digest); /* the same pair twice is another message */
    assert_memory_not_equal(first, digest, sizeof(digest));
}

static struct type_box small_stream(const struct type_env *env)
{
    struct type_box box;
    struct bytes pairs[2] = {BYTES_LITERAL("f"), BYTES_LITERAL("v")};
    type_box_init(&box, TYPE_STREAM, env);
    struct edit edit = type_box_begin(&box);
    stream_append(&edit, (struct stream_id){5, 1}, pairs, 1);
    type_box_end(&box, &edit);
    edit = type_box_begin(&box);
    struct stream_group *group =
        stream_group_add(&edit, BYTES_LITERAL("g"), (struct stream_id){5, 1}, 1);
    struct stream_consumer *consumer = stream_consumer_add(&edit, group, BYTES_LITERAL("c"), 3);
    stream_pending_put(&edit, group, consumer, (struct stream_id){5, 1}, 4, 1);
    stream_production_add(&edit, BYTES_LITERAL("p"), BYTES_LITERAL("m"), (struct stream_id){5, 1},
                          4);
    type_box_end(&box, &edit);
    return box;
}

/* Each row is needed, and none may be doubled; a head that counts otherwise is refused. */
static void rows_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct type_env env = type_env_default(1);
    struct type_box box = small_stream(&env);
    struct buf k_row = {0};
    value_encode(box.value, &k_row);
    struct bytes head = bytes_of(k_row.data + 8, k_row.size - 8);
    assert_int_equal(box.rows.count, 6);
    struct value *good = type_box_load(TYPE_STREAM, head, &box.rows, &env);
    assert_non_null(good);
    value_free(good);
    for (size_t i = 0; i < box.rows.count; i++) {
        struct row_map_item all = box.rows.items[i];
        size_t rest = (box.rows.count - 1 - i) * sizeof(all);
        memmove(&box.rows.items[i], &box.rows.items[i + 1], rest);
        box.rows.count--;
        assert_null(type_box_load(TYPE_STREAM, head, &box.rows, &env));
        memmove(&box.rows.items[i + 1], &box.rows.items[i], rest);
        box.rows.items[i] = all;
        box.rows.count++;
    }
    for (size_t size = 0; size < head.size; size++) {
        struct value *cut = type_box_load(TYPE_STREAM, bytes_of(head.data, size), &box.rows, &env);
        assert_null(cut);
    }
    value_free(type_box_load(TYPE_STREAM, head, &box.rows, &env));
    buf_free(&k_row);
    type_box_fini(&box);
}

/* A stream that no producer ever wrote to is the bytes that it was before there were any. */
static void a_head_without_producers_is_short(void **state)
{
    (void)state;
    struct type_env env = type_env_default(1);
    struct value *value = stream_type.create(&env);
    struct buf head = {0};
    stream_type.encode_head(value, &head);
    assert_int_equal(head.size, 60);
    struct edit edit = {.value = value, .env = &env};
    assert_false(
        stream_production_configure(&edit, STREAM_IDMP_DURATION_DEFAULT, STREAM_IDMP_SIZE_DEFAULT));
    buf_clear(&head);
    stream_type.encode_head(value, &head);
    assert_int_equal(head.size, 60);
    assert_true(stream_production_configure(&edit, 1, 1));
    buf_clear(&head);
    stream_type.encode_head(value, &head);
    assert_int_equal(head.size, 92);
    value_free(value);
    buf_free(&head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_edits_agree_with_arrays),
        cmocka_unit_test(a_digest_is_the_same_in_any_order_and_for_no_other_content),
        cmocka_unit_test(rows_that_do_not_fit_are_refused),
        cmocka_unit_test(a_head_without_producers_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
