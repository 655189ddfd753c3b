/* Shorthand for writing rows of command tables: key specs and argument lists that recur. */
#pragma once

#include "commands/command.h"

/* Keys at first, first + step … up to first + last; last -1: to the end. */
#define KEY_RANGE(first_, last_, step_, flags_)                                                    \
    {                                                                                              \
        .begin = KEY_BEGIN_INDEX, .begin_index = (first_), .last = (last_), .step = (step_),       \
        .flags = (flags_)                                                                          \
    }

#define KEY_AT(index_, flags_) KEY_RANGE(index_, 0, 1, flags_)

#define ARGUMENT(name_, type_)                                                                     \
    {                                                                                              \
        .name = (name_), .type = (type_)                                                           \
    }

/* A word that stands for itself. */
#define ARGUMENT_WORD(name_, token_, flags_)                                                       \
    {                                                                                              \
        .name = (name_), .type = ARG_PURE_TOKEN, .token = (token_), .flags = (flags_)              \
    }

/* A word and the value after it. */
#define ARGUMENT_AFTER(token_, name_, type_, flags_)                                               \
    {                                                                                              \
        .name = (name_), .type = (type_), .token = (token_), .flags = (flags_)                     \
    }

#define ARGUMENTS_END                                                                              \
    {                                                                                              \
        .name = NULL                                                                               \
    }
