/* The letters of notify-keyspace-events as a set of bits. */
#pragma once

#include "base/assert.h"
#include "base/buf.h"

/* Letters of "g$lshzxetdnKEm" and A for the ten classes before n. False on any other letter. */
MUST_USE bool config_events_parse(struct bytes letters, uint32_t *events);

/* The letters again, in the order in which Redis answers them; all ten classes are A. */
void config_events_append(struct buf *out, uint32_t events);
