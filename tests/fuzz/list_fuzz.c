/* Lists from a disk: see type_fuzz.h. */
#include "type_fuzz.h"
#include "types/list.h"

static void fill(struct edit *edit, bool is_large)
{
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyz";
    for (uint32_t i = 0; i < 26; i++)
        list_push(edit, bytes_of(LETTERS, i % 9), i % 3 == 0);
    list_push(edit, BYTES_LITERAL("12345"), true);
    for (uint32_t i = 0; is_large && i < 40; i++)
        list_insert(edit, 1 + i % 5, bytes_of(LETTERS, 26));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct type_fuzz fuzz = {.type = TYPE_LIST, .fill = fill};
    fuzz.env = fuzz.other = type_env_default(1);
    fuzz.other.list_max_listpack_size = 3;
    return fuzz_input(&fuzz, bytes_of(data, size));
}
