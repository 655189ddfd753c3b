/* The directory of a shard: which LevelDB generation is the valid one.
 *
 *      DIR/CURRENT         "gen-00000001\n", replaced atomically: the commit point (L5)
 *      DIR/gen-00000001    a LevelDB directory
 *      DIR/CREATING        stands while the first generation is being made: without it, a missing
 *                          CURRENT beside generations means loss, not an interrupted creation
 *
 * All functions block. Error texts name the file. */
#pragma once

#include "store/store.h"

enum { GENERATION_NAME_SIZE = 13 }; /* "gen-", eight digits, a 0 byte */

struct generation_dir {
    const char *path;
    struct disk *disk;
    struct kv_env *env;
};

/* STORE_ABSENT: neither CURRENT nor generations, or only what an interrupted creation left.
 * STORE_LOST: generations without CURRENT, or a CURRENT that is no generation's name or names none
 * that is there. */
MUST_USE enum store_err generation_current(const struct generation_dir *dir,
                                           char name[GENERATION_NAME_SIZE], struct buf *error);

void generation_name(uint32_t number, char name[GENERATION_NAME_SIZE]); /* 1..99999999 */

/* Makes DIR and the empty directory of the first generation, removing what an interrupted creation
 * left; afterwards fill it and publish it. */
MUST_USE enum store_err generation_begin_first(const struct generation_dir *dir,
                                               char name[GENERATION_NAME_SIZE], struct buf *error);

/* Makes DIR, should it be absent, and the empty directory of the generation behind `current`,
 * removing every other one: an earlier attempt left it. With current "" (rows were lost) all stay,
 * for whoever wants to look at them, and the new one is behind the last of them. */
MUST_USE enum store_err generation_begin_next(const struct generation_dir *dir, const char *current,
                                              char name[GENERATION_NAME_SIZE], struct buf *error);

/* Makes `name`, whose content is durable, the current generation: durable when this returns. */
MUST_USE enum store_err generation_publish(const struct generation_dir *dir, const char *name,
                                           struct buf *error);

/* No generation is the current one any more: durable when this returns. */
MUST_USE enum store_err generation_unpublish(const struct generation_dir *dir, struct buf *error);

/* Removes one that is not current; what cannot be removed stays until the next start. */
void generation_remove(const struct generation_dir *dir, const char *name);

/* Removes every generation but `name`, the current one, and the mark of a creation that has ended.
 * What cannot be removed stays until the next start. */
void generation_remove_others(const struct generation_dir *dir, const char *name);

/* Appends DIR/name and a 0 byte. */
void generation_path(const struct generation_dir *dir, const char *name, struct buf *out);
