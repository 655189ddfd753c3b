/* What a client's two databases must hold: string keys, computed by code that shares nothing with
 * the server's. It answers as the server must, byte for byte.
 *
 * Keys have fixed names "{tag}part" and more, so a key is a number: tag * MODEL_PARTS + part. Keys
 * of one tag lie in one slot. The last part of a tag is volatile: its expiry is near, and only
 * commands whose reply tells whether it had expired may name it. */
#pragma once

#include "base/buf.h"

enum {
    MODEL_DATABASES = 2,
    MODEL_PARTS = 4,
    MODEL_VOLATILE_PART = MODEL_PARTS - 1,
    MODEL_TAGS_MAX = 32,
    MODEL_KEYS_MAX = MODEL_TAGS_MAX * MODEL_PARTS,
    MODEL_KEY_NAME_MAX = 512,
    MODEL_NO_KEY = -1,
};

struct model_key {
    bool is_present;
    int64_t expire_ms; /* 0: none */
    struct buf value;
};

struct model {
    int first_database; /* of the server; the client owns this and the next */
    int database;       /* selected: 0 or 1 */
    int key_count;
    struct model_key keys[MODEL_DATABASES][MODEL_KEYS_MAX];
    int watched; /* key in the selected database, or MODEL_NO_KEY */
    bool is_dirty;
};

void model_init(struct model *model, int first_database, int tags);
void model_fini(struct model *model);
void model_copy(struct model *to, const struct model *from); /* to is initialised */

/* The name of a key, borrowed from name, of MODEL_KEY_NAME_MAX bytes. */
struct bytes model_key_name(int key, char *name);
int model_key_of(struct bytes name); /* MODEL_NO_KEY when it is no such name */

/* Runs a command at a time and appends its reply. */
void model_run(struct model *model, const struct bytes *argv, int argc, int64_t now_ms,
               struct buf *reply);

/* The number of keys that a command names; keys[] gets at most max of them, in the selected
 * database or, with *is_all set, the command may change all. */
int model_keys_named(const struct bytes *argv, int argc, int *keys, int max, bool *is_all);

bool model_keys_equal(const struct model_key *a, const struct model_key *b);
void model_key_copy(struct model_key *to, const struct model_key *from);

/* Keys of the selected database that are alive at a time. */
int64_t model_count_alive(const struct model *model, int64_t now_ms);
