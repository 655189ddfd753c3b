/* The two renderings of config_fault, kept apart from the values they speak of. */
#include "config/value.h"

/* "between 0 and 65535" */
static void append_range(struct buf *out, const struct config_directive *directive)
{
    if (directive->kind == CONFIG_KIND_OCTAL)
        buf_printf(out, "between %llo and %llo", (unsigned long long)directive->min,
                   (unsigned long long)directive->max);
    else
        buf_printf(out, "between %lld and %lld", (long long)directive->min,
                   (long long)directive->max);
}

/* "always, everysec, no"; a file's reader is not offered what is refused. */
static void append_choices(struct buf *out, const struct config_choice *choices, bool with_refused)
{
    bool is_first = true;
    for (const struct config_choice *choice = choices; choice->word != NULL; choice++) {
        if (choice->refusal != NULL && !with_refused)
            continue;
        buf_append_string(out, is_first ? "" : ", ");
        buf_append_string(out, choice->word);
        is_first = false;
    }
}

#define LIMITS_FORM "class hard soft seconds, such as: normal 0 0 0"
#define EVENTS_FORM "letters of Ag$lshzxeKEtmdn"

static const char *plain_text(enum config_fault_kind kind)
{
    switch (kind) {
    case CONFIG_FAULT_COUNT:
        return "one value is expected";
    case CONFIG_FAULT_BOOL:
        return " is neither yes nor no";
    case CONFIG_FAULT_INT:
        return " is not a whole number";
    case CONFIG_FAULT_OCTAL:
        return " is not an octal number, such as 700";
    case CONFIG_FAULT_MEMORY:
        return " is not a size";
    case CONFIG_FAULT_AMOUNT:
        return " is not a size, a share such as 5%, or auto";
    case CONFIG_FAULT_PERCENT:
        return " is above 100%";
    case CONFIG_FAULT_RANGE:
        return " is not ";
    case CONFIG_FAULT_CHOICE:
        return " is not one of: ";
    case CONFIG_FAULT_REFUSED:
        return " is refused: ";
    case CONFIG_FAULT_ZERO:
        return " holds a 0 byte";
    case CONFIG_FAULT_LONG:
        return " is one too many";
    case CONFIG_FAULT_LIMITS_COUNT:
        return "four words are expected for each class: " LIMITS_FORM;
    case CONFIG_FAULT_LIMITS_CLASS:
        return " is not normal, replica or pubsub";
    case CONFIG_FAULT_LIMITS_VALUE:
        return " cannot be read in: " LIMITS_FORM;
    case CONFIG_FAULT_EVENTS:
        return " is not made of " EVENTS_FORM;
    case CONFIG_FAULT_NONE:
        break;
    }
    UNREACHABLE();
}

void config_fault_append_plain(struct buf *out, const struct config_directive *directive,
                               const struct config_fault *fault)
{
    if (fault->kind != CONFIG_FAULT_COUNT && fault->kind != CONFIG_FAULT_LIMITS_COUNT) {
        buf_append_u8(out, '\'');
        buf_append(out, fault->word);
        buf_append_u8(out, '\'');
    }
    buf_append_string(out, plain_text(fault->kind));
    if (fault->kind == CONFIG_FAULT_RANGE && directive->min == directive->max)
        buf_printf(out, "%lld, the only value", (long long)directive->min);
    else if (fault->kind == CONFIG_FAULT_RANGE)
        append_range(out, directive);
    if (fault->kind == CONFIG_FAULT_CHOICE)
        append_choices(out, directive->choices, false);
    if (fault->kind == CONFIG_FAULT_REFUSED)
        buf_append_string(out, fault->reason);
}

static const char *reply_text(enum config_fault_kind kind)
{
    switch (kind) {
    case CONFIG_FAULT_COUNT:
        return "wrong number of arguments";
    case CONFIG_FAULT_BOOL:
        return "argument must be 'yes' or 'no'";
    case CONFIG_FAULT_INT:
        return "argument couldn't be parsed into an integer";
    case CONFIG_FAULT_OCTAL:
        return "argument couldn't be parsed as an octal number";
    case CONFIG_FAULT_MEMORY:
        return "argument must be a memory value";
    case CONFIG_FAULT_AMOUNT:
        return "argument must be a memory or percent value";
    case CONFIG_FAULT_PERCENT:
        return "percentage argument must be less or equal to 100";
    case CONFIG_FAULT_RANGE:
        return "argument must be ";
    case CONFIG_FAULT_CHOICE:
        return "argument(s) must be one of the following: ";
    case CONFIG_FAULT_REFUSED:
        return "";
    case CONFIG_FAULT_ZERO:
        return "argument must not hold a 0 byte";
    case CONFIG_FAULT_LONG:
        return "Too many bind addresses specified.";
    case CONFIG_FAULT_LIMITS_COUNT:
        return "Wrong number of arguments in buffer limit configuration.";
    case CONFIG_FAULT_LIMITS_CLASS:
        return "Invalid client class specified in buffer limit configuration.";
    case CONFIG_FAULT_LIMITS_VALUE:
        return "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
    case CONFIG_FAULT_EVENTS:
        return "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
    case CONFIG_FAULT_NONE:
        break;
    }
    UNREACHABLE();
}

void config_fault_append_reply(struct buf *out, const struct config_directive *directive,
                               const struct config_fault *fault)
{
    buf_append_string(out, reply_text(fault->kind));
    if (fault->kind == CONFIG_FAULT_RANGE) {
        append_range(out, directive);
        buf_append_string(out, " inclusive");
    }
    if (fault->kind == CONFIG_FAULT_CHOICE)
        append_choices(out, directive->choices, true);
    if (fault->kind == CONFIG_FAULT_REFUSED)
        buf_append_string(out, fault->reason);
}
