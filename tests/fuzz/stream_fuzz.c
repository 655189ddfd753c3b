/* Streams from a disk, with groups, consumers, what is pending, producers and their messages: see
 * type_fuzz.h. A stream has no inline form. */
#include "type_fuzz.h"
#include "types/stream.h"

static void add(struct edit *edit, uint64_t ms, uint64_t seq)
{
    struct bytes pairs[4] = {BYTES_LITERAL("name"), bytes_of("abcdefghij", (size_t)(ms % 10)),
                             BYTES_LITERAL("age"), BYTES_LITERAL("33")};
    stream_append(edit, (struct stream_id){ms, seq}, pairs, seq % 3 == 0 ? 1 : 2);
}

static void fill(struct edit *edit, bool is_large)
{
    for (uint64_t i = 1; i < (is_large ? 20u : 4u); i++)
        add(edit, i / 3 + 1, i % 3 + 1);
    struct stream_group *group =
        stream_group_add(edit, BYTES_LITERAL("group"), (struct stream_id){3, 0}, 4);
    (void)stream_group_add(edit, BYTES_LITERAL("other"), (struct stream_id){0}, STREAM_READ_NONE);
    struct stream_consumer *a = stream_consumer_add(edit, group, BYTES_LITERAL("a"), 7);
    struct stream_consumer *b = stream_consumer_add(edit, group, BYTES_LITERAL("b"), 8);
    for (uint64_t i = 0; i < 6; i++)
        stream_pending_put(edit, group, i % 2 == 0 ? a : b, (struct stream_id){1, i}, 9, i);
    for (uint64_t i = 0; i < 5; i++)
        stream_production_add(edit, i % 2 == 0 ? BYTES_LITERAL("p") : BYTES_LITERAL("q"),
                              bytes_of("message", (size_t)i + 1), (struct stream_id){2, i}, 10);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct type_fuzz fuzz = {.type = TYPE_STREAM, .fill = fill};
    fuzz.env = fuzz.other = type_env_default(1);
    fuzz.other.stream_node_max_entries = 3;
    return fuzz_input(&fuzz, bytes_of(data, size));
}
