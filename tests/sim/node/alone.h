/* One node, whose clients know exactly what it must hold: owner.h, world.h, shared.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A phase in which anything may fail, then one without faults, in which all must be answered in a
 * bounded number of turns and garbage must be gone. */
void alone_run(uint64_t seed, bool is_traced);
