/* Random commands on values of all types, for tests that hold what is done against something. They
 * meet on few keys and few names, so that most of them find something to change; names and values
 * come in all lengths at which forms in memory and in rows differ. */
#pragma once

#include "base/buf.h"
#include "base/prng.h"

enum {
    RANDOM_WORDS_MAX = 400,
    RANDOM_KEYS = 17,
    RANDOM_KEYS_IN_ONE_MAX = 16,
};

/* Zeroed is valid. */
struct random_command {
    struct bytes argv[RANDOM_WORDS_MAX]; /* borrows from text */
    int argc;
    int keys[RANDOM_KEYS_IN_ONE_MAX]; /* numbers of the keys among its arguments */
    int key_count;
    struct buf text;
};

struct bytes random_key(int number); /* below RANDOM_KEYS */

/* Draws another one. now_ms: ids, expiries and idle times lie around it. */
void random_command_draw(struct random_command *command, struct prng *prng, int64_t now_ms);
void random_command_free(struct random_command *command);
