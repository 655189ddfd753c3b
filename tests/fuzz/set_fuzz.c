/* Sets from a disk: see type_fuzz.h. */
#include "type_fuzz.h"
#include "types/set.h"

static void fill(struct edit *edit, bool is_large)
{
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyz";
    char scratch[4];
    for (uint32_t i = 0; i < (is_large ? 26u : 8u); i++)
        (void)set_add(edit, bytes_of(LETTERS, i));
    for (int i = 0; i < 5; i++) {
        scratch[0] = (char)('1' + i);
        (void)set_add(edit, bytes_of(scratch, 1));
    }
}

static void fill_with_numbers(struct edit *edit, bool is_large)
{
    for (int i = 0; i < (is_large ? 40 : 9); i++) {
        char text[2] = {(char)('1' + i % 9), (char)('0' + i / 9)};
        (void)set_add(edit, bytes_of(text, 2));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct type_fuzz fuzz = {.type = TYPE_SET, .fill = fill};
    if (size > 0 && data[0] >= 128)
        fuzz.fill = fill_with_numbers;
    fuzz.env = fuzz.other = type_env_default(1);
    fuzz.other.set_max_listpack_entries = fuzz.other.set_max_intset_entries = 2;
    return fuzz_input(&fuzz, bytes_of(data, size));
}
