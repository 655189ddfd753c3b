/* What the bitmap commands share. */
#pragma once

#include "commands/call.h"

/* argv[at] as the offset of a bit; with "#" before it, in units of `width` bits when width > 0.
 * Replies "bit offset is not an integer or out of range". The end of the field must fit a string.
 */
bool bitmap_offset(struct call *c, int at, uint8_t width, uint64_t *offset);

/* Writes bytes at an offset of the string at key, which is made or grown with zero bytes. Replies
 * on false, before anything changes. */
bool bitmap_write(struct call *c, struct bytes key, size_t offset, struct bytes bytes);

/* The string's bytes, none when there is no key; false after WRONGTYPE. scratch:
 * STRING_INT_TEXT_MAX. */
bool bitmap_find(struct call *c, struct bytes key, char *scratch, struct bytes *bytes);
