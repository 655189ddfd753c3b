#include "server/info.h"

#include <ctype.h>

#include "server/info_server.h"

/* Redis's order, for people who know where to look. */
static const struct info_section known_sections[] = {
    {"server", false},      {"clients", false},     {"memory", false},      {"persistence", false},
    {"stats", false},       {"replication", false}, {"cpu", false},         {"modules", false},
    {"commandstats", true}, {"errorstats", false},  {"latencystats", true}, {"cluster", false},
    {"keyspace", false},
};

static size_t find_section(const struct info *info, const char *name)
{
    size_t i = 0;
    while (i < info->section_count && strcmp(info->sections[i].name, name) != 0)
        i++;
    return i;
}

void info_add(struct info *info, const char *section, info_fn *fn, void *ctx)
{
    size_t position = find_section(info, section);
    ASSERT(position < INFO_SECTIONS_MAX && info->fill_count < INFO_FILLS_MAX);
    if (position == info->section_count)
        info->sections[info->section_count++] = (struct info_section){.name = section};
    info->fills[info->fill_count++] = (struct info_fill){.section = position, .fn = fn, .ctx = ctx};
}

void info_init(struct info *info, struct server *server)
{
    *info = (struct info){.section_count = COUNT_OF(known_sections)};
    memcpy(info->sections, known_sections, sizeof(known_sections));
    info_server_register(info, server);
}

static bool names_set(struct bytes word, bool *with_on_request)
{
    *with_on_request = bytes_is_word(word, "all") || bytes_is_word(word, "everything");
    return *with_on_request || bytes_is_word(word, "default");
}

static bool is_asked_for(const struct info_section *section, const struct bytes *words, int count)
{
    if (count == 0)
        return !section->is_on_request;
    for (int i = 0; i < count; i++) {
        bool with_on_request;
        if (names_set(words[i], &with_on_request)) {
            if (with_on_request || !section->is_on_request)
                return true;
        } else if (bytes_is_word(words[i], section->name)) {
            return true;
        }
    }
    return false;
}

/* "# Commandstats"; CPU is an abbreviation. */
static void append_heading(struct buf *out, const char *name)
{
    buf_append_string(out, "# ");
    if (strcmp(name, "cpu") == 0) {
        buf_append_string(out, "CPU");
    } else {
        buf_append_u8(out, (uint8_t)toupper((unsigned char)name[0]));
        buf_append_string(out, name + 1);
    }
    buf_append_string(out, "\r\n");
}

static void append_section(const struct info *info, size_t position, struct buf *out)
{
    if (out->size > 0)
        buf_append_string(out, "\r\n");
    append_heading(out, info->sections[position].name);
    for (size_t i = 0; i < info->fill_count; i++) {
        if (info->fills[i].section == position)
            info->fills[i].fn(out, info->fills[i].ctx);
    }
}

void info_write(const struct info *info, const struct bytes *words, int count, struct buf *out)
{
    for (size_t i = 0; i < info->section_count; i++) {
        if (is_asked_for(&info->sections[i], words, count))
            append_section(info, i, out);
    }
}
