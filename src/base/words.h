/* Splits a line into words by the quoting rules that Redis uses for inline requests and for its
 * configuration file:
 *
 *   words separated by white space
 *   "..."  with \n \r \t \b \a \xHH, and \ before any other byte meaning that byte
 *   '...'  with \' only
 *
 * Quotes may open inside a word (a"b c" is one word: ab c), but a closing quote ends it: white
 * space or the end must follow. A 0 byte is a byte like any other. */
#pragma once

#include "base/assert.h"
#include "base/buf.h"

enum words_err {
    WORDS_OK = 0,
    WORDS_END,        /* no word is left */
    WORDS_UNBALANCED, /* a quote is not closed, or is closed inside a word */
};

/* Takes the next word off *rest and appends its unquoted bytes to out (maybe none: ""). On
 * WORDS_UNBALANCED rest and out are of no use. */
MUST_USE enum words_err words_next(struct bytes *rest, struct buf *out);

/* Appends word so that words_next reads it back: as it is when that is safe, else in "...". */
void words_append_quoted(struct buf *out, struct bytes word);
