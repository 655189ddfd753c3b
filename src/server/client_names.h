/* Names that clients give themselves. */
#pragma once

#include "commands/call.h"

/* The name of the connection; an empty one takes it away. False after an error reply: names have no
 * spaces, newlines or special characters, for CLIENT LIST is a text of words. */
bool client_names_set(struct call *c, struct bytes name);

/* True when every byte is a printable ASCII character other than space. */
bool client_names_is_word(struct bytes text);
