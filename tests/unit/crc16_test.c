#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/crc16.h"

static void the_check_value_of_xmodem_is_met(void **state)
{
    (void)state;
    assert_int_equal(crc16(BYTES_LITERAL("123456789")), 0x31c3);
    assert_int_equal(crc16(bytes_of(NULL, 0)), 0);
    assert_int_equal(crc16(BYTES_LITERAL("foo")) % 16384, 12182); /* CLUSTER KEYSLOT foo */
}

/* Division by the polynomial, one bit at a time. */
static uint16_t slow_crc16(const uint8_t *data, size_t size)
{
    uint32_t crc = 0;
    for (size_t i = 0; i < size; i++) {
        crc ^= (uint32_t)data[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1;
        crc &= 0xffff;
    }
    return (uint16_t)crc;
}

static void every_pair_of_bytes_agrees_with_the_division(void **state)
{
    (void)state;
    for (uint32_t pair = 0; pair < 65536; pair++) {
        uint8_t data[2] = {(uint8_t)pair, (uint8_t)(pair >> 8)};
        assert_int_equal(crc16(bytes_of(data, 2)), slow_crc16(data, 2));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_check_value_of_xmodem_is_met),
        cmocka_unit_test(every_pair_of_bytes_agrees_with_the_division),
    };
    return cmocka_run_group_tests_name("crc16", tests, NULL, NULL);
}
