/* The functions behind bitmap_commands[] (bitmap_table.c):
 *   bitmap.c    single bits, counting, searching, BITOP
 *   bitfield.c  BITFIELD and BITFIELD_RO */
#pragma once

#include "base/assert.h"
#include "base/bytes.h"

struct call;

void bitmap_setbit(struct call *c);
void bitmap_getbit(struct call *c);
void bitmap_bitcount(struct call *c);
void bitmap_bitpos(struct call *c);
void bitmap_bitop(struct call *c);
void bitmap_bitfield(struct call *c);
void bitmap_bitfield_ro(struct call *c);

/* BITFIELD with GET alone only reads. */
uint32_t bitmap_bitfield_key_flags(const struct bytes *argv, int argc);

/* An offset in bits, below the largest string there may be. With a step, "#n" means n steps; 0: not
 * allowed. Replies on false. */
MUST_USE bool bitmap_offset(struct call *c, int position, unsigned step, uint64_t *offset);
