/* The sections of INFO and who fills them. */
#pragma once

#include "base/buf.h"
#include "commands/command.h"
#include "server/frontend.h"

enum { INFO_SECTIONS_MAX = 32, INFO_FILLS_MAX = 64 };

struct info_section {
    const char *name;   /* lower case */
    bool is_on_request; /* not part of the default answer */
};

struct info_fill {
    size_t section; /* index */
    info_fn *fn;
    void *ctx;
};

struct info {
    struct info_section sections[INFO_SECTIONS_MAX];
    size_t section_count;
    struct info_fill fills[INFO_FILLS_MAX]; /* in the order they were added */
    size_t fill_count;
};

/* The known sections in their order, and what the server itself has to say. */
void info_init(struct info *info, struct server *server);

void info_add(struct info *info, const char *section, info_fn *fn, void *ctx);

/* Appends the sections that the words ask for; none is the default. */
void info_write(const struct info *info, const struct bytes *words, int count, struct buf *out);
