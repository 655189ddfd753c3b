/* The clocks, read once per turn after its input (L9), then passed. */
#pragma once

#include <stdint.h>

uint64_t clock_boot_us(void); /* CLOCK_BOOTTIME: goes on during suspend, never steps back */
uint64_t clock_wall_us(void); /* CLOCK_REALTIME since 1970 */
