/* Glob patterns with Redis's rules, for KEYS, SCAN, PSUBSCRIBE, CONFIG GET and ACL rules.
 *
 *   *      any run of bytes, also none        ?      any one byte
 *   [abc]  one of these, [a-z] ranges (either order), [^a] none of these; \ escapes inside
 *   \x     the byte x                         else   itself
 *
 * A '[' without ']' runs to the end of the pattern; a lone '\' at the end is itself. */
#pragma once

#include "base/bytes.h"

/* Longer patterns match nothing: a match costs at most size of pattern times size of text. */
enum { GLOB_PATTERN_MAX = 65536 };

/* Without case only ASCII letters are folded. Never exponential: only the last star is retried. */
bool glob_match(struct bytes pattern, struct bytes text, bool without_case);

/* True when the pattern has none of * ? [ \ and so matches itself only. */
bool glob_is_literal(struct bytes pattern);
