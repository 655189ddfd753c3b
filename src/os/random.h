/* Random bytes of the kernel, good for secrets and nonces. */
#pragma once

#include <stddef.h>

/* At most 256 bytes, which the kernel gives whole. May wait for entropy in the first second of a
 * machine's life only. */
void random_fill(void *out, size_t size);
