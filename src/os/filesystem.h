/* How big the file system under a path is; disk.h tells how much of it is free. */
#pragma once

#include <stdint.h>

uint64_t filesystem_size_bytes(const char *path); /* 0 when it cannot be told */
