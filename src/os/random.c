#include "os/random.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/types.h>

#include "base/assert.h"

enum { RANDOM_MAX = 256 };

void random_fill(void *out, size_t size)
{
    ASSERT(size > 0 && size <= RANDOM_MAX);
    ssize_t got;
    do
        got = getrandom(out, size, 0);
    while (got < 0 && errno == EINTR);
    ASSERT(got == (ssize_t)size); /* a nonce that is none would be worse than no process */
}
