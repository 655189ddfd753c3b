/* Hashes from a disk, some of their fields with a time to die: see type_fuzz.h. */
#include "type_fuzz.h"
#include "types/hash.h"

static void fill(struct edit *edit, bool is_large)
{
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyz";
    for (uint32_t i = 0; i < (is_large ? 26u : 8u); i++)
        (void)hash_put(edit, bytes_of(LETTERS, i), bytes_of(LETTERS + i, 26 - i), 0);
    (void)hash_put(edit, BYTES_LITERAL("12"), BYTES_LITERAL("12345"), 0);
}

static void fill_with_due(struct edit *edit, bool is_large)
{
    fill(edit, is_large);
    (void)hash_put(edit, BYTES_LITERAL("abc"), BYTES_LITERAL("x"), 1000);
    (void)hash_put(edit, BYTES_LITERAL("12"), BYTES_LITERAL("7"), 1700000000000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct type_fuzz fuzz = {.type = TYPE_HASH, .fill = fill};
    if (size > 0 && data[0] >= 128)
        fuzz.fill = fill_with_due;
    fuzz.env = fuzz.other = type_env_default(1);
    fuzz.other.hash_max_listpack_entries = 2;
    return fuzz_input(&fuzz, bytes_of(data, size));
}
