/* LevelDB over copies. Opening a LevelDB directory writes to it: a new manifest, a new log, tables
 * of what the old log held, a torn tail cut off. So each one is opened in a scratch folder that
 * stands for it: tables, which never change, are links to the real ones, the rest is copied.
 *
 * The path in the scratch is ROOT + the real absolute path, so that texts can be made right by
 * leaving ROOT out. */
#pragma once

#include "store/kv.h"

/* NULL when no scratch folder can be made in $TMPDIR or /tmp; error says why. */
struct kv_env *scratch_env_new(struct buf *error);
void scratch_env_free(struct kv_env *env); /* removes the folder; no database of it is open */

/* Leaves the scratch's root out of a text. */
void scratch_correct(const struct kv_env *env, struct buf *text);
