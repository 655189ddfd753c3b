/* The functions behind bitmap_commands[] (bitmap_table.c):
 *   bitmap.c      bits, counting, finding, combining
 *   bitfield.c    integers of any width */
#pragma once

#include "base/bytes.h"

struct call;

void bitmap_setbit(struct call *c);
void bitmap_getbit(struct call *c);
void bitmap_bitcount(struct call *c);
void bitmap_bitpos(struct call *c);
void bitmap_bitop(struct call *c);
void bitmap_bitfield(struct call *c);
void bitmap_bitfield_ro(struct call *c);

/* BITFIELD that only reads changes nothing. */
uint32_t bitmap_bitfield_key_flags(const struct bytes *argv, int argc);
