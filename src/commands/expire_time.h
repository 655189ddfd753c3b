/* Times to live as arguments give them: seconds or milliseconds, from now or as Unix time. Overflow
 * is refused exactly where Redis refuses it, so that nothing that was accepted there fails here. */
#pragma once

#include "commands/call.h"

enum expire_unit { EXPIRE_SECONDS, EXPIRE_MILLISECONDS };
enum expire_base { EXPIRE_FROM_NOW, EXPIRE_FROM_EPOCH };

/* argv[position] as Unix time in ms. On a bad value: replies "value is not an integer …" or
 * "invalid expire time in '<command>' command" and returns false. Negative and past times are good
 * ones. */
MUST_USE bool expire_time(struct call *c, int position, enum expire_unit unit,
                          enum expire_base base, int64_t *expire_ms);

/* The same for commands that give a life to a value (SET, GETEX, SETEX …): zero and negative
 * arguments are refused as well. */
MUST_USE bool expire_time_positive(struct call *c, int position, enum expire_unit unit,
                                   enum expire_base base, int64_t *expire_ms);
