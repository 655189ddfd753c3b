#include "config/events.h"

#include "config/config.h"

/* Bit i of a set stands for letter i. */
static const char letters[] = "g$lshzxetdnKEm";

enum { ALL_CLASSES = (1 << 10) - 1 }; /* g to d */

bool config_events_parse(struct bytes text, uint32_t *events)
{
    uint32_t set = 0;
    for (size_t i = 0; i < text.size; i++) {
        const char *at = memchr(letters, text.data[i], sizeof(letters) - 1);
        if (text.data[i] == 'A')
            set |= ALL_CLASSES;
        else if (at != NULL)
            set |= 1U << (at - letters);
        else
            return false;
    }
    *events = set;
    return true;
}

void config_events_append(struct buf *out, uint32_t events)
{
    bool has_all = (events & ALL_CLASSES) == ALL_CLASSES;
    if (has_all)
        buf_append_u8(out, 'A');
    for (uint32_t i = 0; i < sizeof(letters) - 1; i++) {
        bool is_said = has_all && (ALL_CLASSES >> i & 1) != 0;
        if ((events >> i & 1) != 0 && !is_said)
            buf_append_u8(out, (uint8_t)letters[i]);
    }
}

bool config_notifies(const struct config *config, char event_class)
{
    const char *at = memchr(letters, event_class, sizeof(letters) - 1);
    return at != NULL && (config->notify_keyspace_events >> (at - letters) & 1) != 0;
}
