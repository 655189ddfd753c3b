/* Raft messages to bytes and back: every kind, and any bytes that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/prng.h"
#include "cluster/message.h"

static void draw(struct prng *prng, enum raft_message_kind kind, struct raft_message *out)
{
    *out = (struct raft_message){.kind = kind, .term = prng_next(prng)};
    switch (kind) {
    case RAFT_PRE_VOTE:
    case RAFT_VOTE:
        out->vote = (struct raft_vote){prng_next(prng), prng_next(prng), prng_chance(prng, 500000)};
        return;
    case RAFT_PRE_VOTE_ANSWER:
    case RAFT_VOTE_ANSWER:
        out->vote_answer.is_granted = prng_chance(prng, 500000);
        return;
    case RAFT_APPEND:
        out->append.prev_index = prng_next(prng) >> 2;
        out->append.prev_term = prng_next(prng);
        out->append.commit = prng_next(prng);
        return;
    case RAFT_APPEND_ANSWER:
        out->append_answer = (struct raft_append_answer){
            .index = prng_next(prng),
            .is_accepted = prng_chance(prng, 500000),
            .rows_lost = prng_chance(prng, 500000),
            .hint_index = prng_next(prng),
            .hint_term = prng_next(prng),
        };
        return;
    case RAFT_HEARTBEAT:
        out->heartbeat = (struct raft_heartbeat){prng_next(prng), prng_next(prng)};
        return;
    case RAFT_HEARTBEAT_ANSWER:
        out->heartbeat_answer = (struct raft_heartbeat_answer){
            .round = prng_next(prng),
            .received = prng_next(prng),
            .rows_lost = prng_chance(prng, 500000),
        };
        return;
    case RAFT_INSTALL:
        out->install = (struct raft_install){prng_next(prng), prng_next(prng)};
        return;
    case RAFT_TIMEOUT_NOW:
        return;
    }
}

static struct entry *draw_entry(struct prng *prng)
{
    bool is_noop = prng_chance(prng, 200000);
    size_t size = is_noop ? 0 : (size_t)prng_below(prng, 64) + 1;
    uint8_t *payload = size == 0 ? NULL : mem_alloc(size);
    for (size_t i = 0; i < size; i++)
        payload[i] = (uint8_t)prng_next(prng);
    struct entry *entry = entry_new(is_noop ? ENTRY_NOOP : ENTRY_MEMBERS, payload, size);
    entry->term = prng_next(prng);
    return entry;
}

static void assert_same(const struct raft_message *a, const struct raft_message *b)
{
    struct buf first = {0}, second = {0};
    message_put(&first, 1, a);
    message_put(&second, 1, b);
    assert_true(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->term, b->term);
    buf_free(&first);
    buf_free(&second);
}

static void every_kind_comes_back_as_it_went(void **state)
{
    (void)state;
    struct prng prng = prng_init(3);
    struct message_scratch scratch = {0};
    for (int i = 0; i < 20000; i++) {
        struct raft_message message;
        struct message_in in;
        struct buf bytes = {0};
        enum raft_message_kind kind =
            (enum raft_message_kind)prng_between(&prng, RAFT_PRE_VOTE, RAFT_TIMEOUT_NOW);
        uint32_t group = (uint32_t)prng_below(&prng, PEERS_GROUPS_MAX);
        draw(&prng, kind, &message);
        message_put(&bytes, group, &message);
        assert_true(bytes.size <= MESSAGE_SIZE_MAX);
        struct fields fields = fields_of(buf_bytes(&bytes));
        assert_true(message_take(&fields, &scratch, &in));
        assert_true(fields_end(&fields));
        assert_int_equal(in.group, group);
        assert_same(&message, &in.message);
        for (size_t size = 0; size < bytes.size; size++) {
            fields = fields_of(bytes_of(bytes.data, size));
            assert_false(message_take(&fields, &scratch, &in));
        }
        buf_free(&bytes);
    }
    message_scratch_free(&scratch);
}

/* Each field where it belongs, not only in the same place twice. */
static void fields_keep_their_meaning(void **state)
{
    (void)state;
    struct message_scratch scratch = {0};
    struct message_in in;
    struct buf bytes = {0};
    struct raft_message message = {.kind = RAFT_APPEND_ANSWER, .term = 5};
    message.append_answer = (struct raft_append_answer){
        .index = 1, .is_accepted = false, .rows_lost = true, .hint_index = 2, .hint_term = 3};
    message_put(&bytes, 9, &message);
    struct fields fields = fields_of(buf_bytes(&bytes));
    assert_true(message_take(&fields, &scratch, &in));
    assert_int_equal(in.message.append_answer.index, 1);
    assert_false(in.message.append_answer.is_accepted);
    assert_true(in.message.append_answer.rows_lost);
    assert_int_equal(in.message.append_answer.hint_index, 2);
    assert_int_equal(in.message.append_answer.hint_term, 3);
    buf_free(&bytes);
    message_scratch_free(&scratch);
}

static void entries_come_back_as_they_went(void **state)
{
    (void)state;
    struct prng prng = prng_init(4);
    struct message_scratch scratch = {0};
    for (int i = 0; i < 2000; i++) {
        struct raft_message message;
        struct message_in in;
        struct buf bytes = {0};
        struct entry *entries[8];
        uint32_t count = (uint32_t)prng_below(&prng, COUNT_OF(entries) + 1);
        for (uint32_t n = 0; n < count; n++)
            entries[n] = draw_entry(&prng);
        draw(&prng, RAFT_APPEND, &message);
        message_put_append(&bytes, 0, &message, entries, count);
        struct fields fields = fields_of(buf_bytes(&bytes));
        assert_true(message_take(&fields, &scratch, &in));
        assert_true(fields_end(&fields));
        assert_same(&message, &in.message);
        assert_int_equal(in.message.append.count, count);
        for (uint32_t n = 0; n < count; n++) {
            assert_int_equal(in.message.append.terms[n], entries[n]->term);
            assert_int_equal(in.entries[n].term, entries[n]->term);
            assert_int_equal(in.entries[n].kind, entries[n]->kind);
            assert_true(bytes_equal(in.entries[n].payload,
                                    bytes_of(entries[n]->payload, entries[n]->size)));
        }
        for (size_t size = 0; size < bytes.size; size += 7) {
            fields = fields_of(bytes_of(bytes.data, size));
            assert_false(message_take(&fields, &scratch, &in));
        }
        for (uint32_t n = 0; n < count; n++)
            entry_release(entries[n]);
        buf_free(&bytes);
    }
    message_scratch_free(&scratch);
}

static void an_entry_of_an_unknown_kind_or_form_is_refused(void **state)
{
    (void)state;
    struct message_scratch scratch = {0};
    struct message_in in;
    struct buf bytes = {0};
    struct raft_message message = {.kind = RAFT_APPEND, .term = 1};
    struct entry *entry = entry_new(ENTRY_NOOP, NULL, 0);
    message_put_append(&bytes, 0, &message, &entry, 1);
    uint8_t *kind = bytes.data + bytes.size - 1;
    struct fields fields = fields_of(buf_bytes(&bytes));
    assert_true(message_take(&fields, &scratch, &in));
    *kind = 99;
    fields = fields_of(buf_bytes(&bytes));
    assert_false(message_take(&fields, &scratch, &in));
    *kind = ENTRY_ROWS; /* without a stamp */
    fields = fields_of(buf_bytes(&bytes));
    assert_false(message_take(&fields, &scratch, &in));
    entry_release(entry);
    buf_free(&bytes);
    message_scratch_free(&scratch);
}

/* max - 1, max, max + 1 of the number of entries, and an index that could not be counted on from.
 */
static void counts_and_indexes_beyond_their_limits_are_refused(void **state)
{
    (void)state;
    struct message_scratch scratch = {0};
    struct message_in in;
    struct entry *entry = entry_new(ENTRY_NOOP, NULL, 0);
    struct entry **entries = mem_alloc(sizeof(*entries) * MESSAGE_ENTRIES_MAX);
    for (uint32_t i = 0; i < MESSAGE_ENTRIES_MAX; i++)
        entries[i] = entry;
    for (uint32_t less = 0; less < 2; less++) {
        struct buf bytes = {0};
        struct raft_message message = {.kind = RAFT_APPEND, .term = 1};
        message_put_append(&bytes, 0, &message, entries, MESSAGE_ENTRIES_MAX - less);
        struct fields fields = fields_of(buf_bytes(&bytes));
        assert_true(message_take(&fields, &scratch, &in));
        assert_int_equal(in.message.append.count, MESSAGE_ENTRIES_MAX - less);
        put_le32(bytes.data + 14 + 24, MESSAGE_ENTRIES_MAX + 1);
        buf_append(&bytes, bytes_of((uint8_t[2 *MESSAGE_ENTRY_SIZE]){0}, 2 * MESSAGE_ENTRY_SIZE));
        fields = fields_of(buf_bytes(&bytes));
        assert_false(message_take(&fields, &scratch, &in));
        put_le32(bytes.data + 14 + 24, 0);
        put_le64(bytes.data + 14, ((uint64_t)1 << 62) + 1);
        fields = fields_of(buf_bytes(&bytes));
        assert_false(message_take(&fields, &scratch, &in));
        put_le64(bytes.data + 14, (uint64_t)1 << 62);
        fields = fields_of(buf_bytes(&bytes));
        assert_true(message_take(&fields, &scratch, &in));
        buf_free(&bytes);
    }
    mem_free(entries);
    entry_release(entry);
    message_scratch_free(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_comes_back_as_it_went),
        cmocka_unit_test(fields_keep_their_meaning),
        cmocka_unit_test(entries_come_back_as_they_went),
        cmocka_unit_test(an_entry_of_an_unknown_kind_or_form_is_refused),
        cmocka_unit_test(counts_and_indexes_beyond_their_limits_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
