/* Where a key belongs: one of 16384 slots, as Redis Cluster computes it. */
#pragma once

#include "base/bytes.h"

enum { SLOT_COUNT = 16384 };

/* CRC16 of the key, or of what stands between its first '{' and the next '}' when that is not
 * empty. */
uint16_t slot_of_key(struct bytes key);
