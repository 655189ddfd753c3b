#include "os/clock.h"

#include <time.h>

#include "base/assert.h"

static uint64_t read_clock_us(clockid_t id)
{
    struct timespec now;
    int result = clock_gettime(id, &now);
    ASSERT(result == 0 && now.tv_sec >= 0);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_boot_us(void)
{
    return read_clock_us(CLOCK_BOOTTIME);
}

uint64_t clock_wall_us(void)
{
    return read_clock_us(CLOCK_REALTIME);
}
