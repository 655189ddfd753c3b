/* The time of a turn: both clocks, read once after the turn's input (L9), then passed down. */
#pragma once

#include <stdint.h>

struct turn_time {
    uint64_t boot_us; /* CLOCK_BOOTTIME: for durations; never steps back */
    uint64_t wall_us; /* CLOCK_REALTIME since 1970: for what people read */
};
