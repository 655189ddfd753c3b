/* Values of directives: words to field, field to text, comparison, ownership. */
#pragma once

#include "config/directive.h"

/* What is wrong with a value. Rendered in two ways: for a file (plain, names the word) and for
 * CONFIG SET (the words of Redis). */
struct config_fault {
    enum config_fault_kind {
        CONFIG_FAULT_NONE = 0,
        CONFIG_FAULT_COUNT, /* one word was expected */
        CONFIG_FAULT_BOOL,
        CONFIG_FAULT_INT,
        CONFIG_FAULT_OCTAL,
        CONFIG_FAULT_MEMORY,
        CONFIG_FAULT_AMOUNT,
        CONFIG_FAULT_PERCENT, /* above 100 */
        CONFIG_FAULT_RANGE,
        CONFIG_FAULT_CHOICE,
        CONFIG_FAULT_REFUSED, /* known, but not supported; reason says why */
        CONFIG_FAULT_ZERO,    /* a 0 byte in a string */
        CONFIG_FAULT_LONG,    /* too many items in a list */
        CONFIG_FAULT_LIMITS_COUNT,
        CONFIG_FAULT_LIMITS_CLASS,
        CONFIG_FAULT_LIMITS_VALUE,
        CONFIG_FAULT_EVENTS,
    } kind;
    struct bytes word;  /* the word at fault; borrowed from the words */
    const char *reason; /* of REFUSED; static */
};

/* Reads the words into the directive's field of config. A LIST or LIMITS given as a single word is
 * split first, as CONFIG SET gives it. False with *fault set, and config unchanged, when refused.
 */
MUST_USE bool config_value_parse(const struct config_directive *directive, struct config *config,
                                 const struct bytes *words, size_t word_count,
                                 struct config_fault *fault);

/* "'abc' is not a size" and "argument must be a memory value". */
void config_fault_append_plain(struct buf *out, const struct config_directive *directive,
                               const struct config_fault *fault);
void config_fault_append_reply(struct buf *out, const struct config_directive *directive,
                               const struct config_fault *fault);

/* What CONFIG GET answers. */
void config_value_append(struct buf *out, const struct config_directive *directive,
                         const struct config *config);

/* The line of a file that says it, without end: name and words, quoted where they must be. */
void config_value_append_line(struct buf *out, const struct config_directive *directive,
                              const struct config *config);

MUST_USE bool config_value_is_equal(const struct config_directive *directive,
                                    const struct config *a, const struct config *b);

/* Makes to's field a copy of from's, freeing what it had. */
void config_value_copy(const struct config_directive *directive, struct config *to,
                       const struct config *from);

void config_value_free(const struct config_directive *directive, struct config *config);
