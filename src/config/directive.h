/* One row of the table of directives: everything the module knows about a directive stands here, so
 * that reading, CONFIG GET, SET, REWRITE, help and tests need no knowledge of single ones. */
#pragma once

#include "config/config.h"

enum config_kind {
    CONFIG_KIND_BOOL,   /* bool: yes | no */
    CONFIG_KIND_INT,    /* int64_t, min to max */
    CONFIG_KIND_OCTAL,  /* int64_t, min to max, written with base 8 */
    CONFIG_KIND_MEMORY, /* uint64_t, min to max: 100, 100k, 100kb, 1mb, 1gb */
    CONFIG_KIND_AMOUNT, /* struct config_amount: a memory value, 0% to 100%, or auto */
    CONFIG_KIND_CHOICE, /* int: one word of a list */
    CONFIG_KIND_STRING, /* char * */
    CONFIG_KIND_LIST,   /* struct config_list: any number of words */
    CONFIG_KIND_LIMITS, /* struct config_output_limit[]: (class hard soft seconds)+ */
    CONFIG_KIND_EVENTS, /* uint32_t: letters of notify-keyspace-events */
};

struct config_choice {
    const char *word; /* NULL ends the list */
    int value;
    const char *refusal; /* NULL: the word is accepted; else why not */
};

struct config_directive {
    const char *name;
    const char *alias; /* a second name that Redis gives it, or NULL */
    enum config_kind kind;
    bool is_mutable; /* by CONFIG SET */
    size_t offset;   /* of the field in struct config */
    int64_t min;
    int64_t max;
    const struct config_choice *choices; /* of a CHOICE */
    const char *initial;                 /* the default, as in a file */
    const char *help;                    /* one line */
};

const struct config_directive *config_directives(size_t *count);

/* By name or alias, without case. NULL when there is none. */
const struct config_directive *config_find_directive(struct bytes name);
