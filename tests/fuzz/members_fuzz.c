/* Any bytes as the members of a group: what decodes must encode to the same bytes; nothing may
 * assert. No bytes at all are the only voter. */
#include "codec/members.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(struct bytes input)
{
    struct members members;
    if (!members_decode(input, &members))
        return;
    ASSERT(members.count <= MEMBERS_MAX);
    for (uint32_t i = 0; i < members.count; i++)
        ASSERT(members_find(&members, members.at[i].node) == &members.at[i]);
    struct buf out = {0};
    members_append(&out, &members);
    ASSERT(input.size == 0 || bytes_equal(buf_bytes(&out), input));
    buf_free(&out);
}

/* Few bytes are members by chance: the input stands for a count and two members, too. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    take(bytes_of(data, size));
    struct buf bytes = {0};
    buf_append_u8(&bytes, 1);
    buf_append_u8(&bytes, size == 0 ? 0 : data[0] % 4);
    buf_append(&bytes, bytes_of(data, size));
    take(buf_bytes(&bytes));
    buf_free(&bytes);
    return 0;
}
