/* The functions behind string_commands[] (string_table.c), one file per kind:
 *   string.c         whole values: GET SET and their kin, MGET, MSET
 *   string_number.c  counters
 *   string_range.c   parts of a value
 *   string_lcs.c     LCS
 *   string_condition.c  commands that compare first: DELEX DELIFEQ DIGEST */
#pragma once

#include "types/object.h"

struct call;

void string_get(struct call *c);
void string_set(struct call *c);
void string_setnx(struct call *c);
void string_setex(struct call *c);
void string_psetex(struct call *c);
void string_getset(struct call *c);
void string_getdel(struct call *c);
void string_getex(struct call *c);
void string_mget(struct call *c);
void string_mset(struct call *c);
void string_msetnx(struct call *c);
void string_incr(struct call *c);
void string_decr(struct call *c);
void string_incrby(struct call *c);
void string_decrby(struct call *c);
void string_incrbyfloat(struct call *c);
void string_append(struct call *c);
void string_strlen(struct call *c);
void string_getrange(struct call *c);
void string_setrange(struct call *c);
void string_lcs(struct call *c);
void string_msetex(struct call *c);
void string_delex(struct call *c);
void string_delifeq(struct call *c);
void string_digest(struct call *c);

/* SET needs the old value, and reads the key at all, only with GET among its options. */
bool string_set_needs_value(const struct bytes *argv, int argc);
uint32_t string_set_key_flags(const struct bytes *argv, int argc);

/* DELEX without a condition deletes whatever there is. */
bool string_delex_needs_value(const struct bytes *argv, int argc);
uint32_t string_delex_key_flags(const struct bytes *argv, int argc);

/* The whole value as a bulk; nil for NULL. */
void string_reply_value(struct call *c, const struct object *object);

/* Bytes of a string, from its head alone; 0 for NULL. */
size_t string_size(const struct object *object);

/* Room in the entry for a change of a part of argv[1]'s value: `written` bytes of it, while it goes
 * from old_size to new_size. Replies on false. */
bool string_reserve_part(struct call *c, uint64_t old_size, uint64_t new_size, size_t written);
