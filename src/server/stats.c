#include "server/stats.h"

#include "base/assert.h"
#include "base/mem.h"

enum { SLOTS_MIN = 256 };

void stats_init(struct stats *stats)
{
    *stats = (struct stats){.command_capacity = SLOTS_MIN};
    list_init(&stats->commands_used);
    stats->command_slots = mem_zero(SLOTS_MIN * sizeof(struct command_stats *));
}

void stats_fini(struct stats *stats)
{
    struct list *node, *after;
    LIST_FOR_EACH(node, after, &stats->commands_used)
    mem_free(CONTAINER_OF(node, struct command_stats, link));
    mem_free(stats->command_slots);
    *stats = (struct stats){0};
}

void stats_reset(struct stats *stats)
{
    struct list *node, *after;
    LIST_FOR_EACH(node, after, &stats->commands_used)
    {
        struct command_stats *of = CONTAINER_OF(node, struct command_stats, link);
        of->calls = of->usec = of->rejected = of->failed = 0;
    }
    struct stats fresh = {.commands_used = stats->commands_used,
                          .command_slots = stats->command_slots,
                          .command_capacity = stats->command_capacity,
                          .command_count = stats->command_count,
                          .sampled = {.us = stats->sampled.us}};
    /* The list's head is a node of the list: its neighbours point at it where it stands. */
    *stats = fresh;
}

static size_t slot_of(const struct stats *stats, const struct command *command)
{
    uint64_t mixed = (uint64_t)(uintptr_t)command * 0x9e3779b97f4a7c15ULL;
    size_t slot = (size_t)(mixed >> 32) & (stats->command_capacity - 1);
    while (stats->command_slots[slot] != NULL && stats->command_slots[slot]->command != command)
        slot = (slot + 1) & (stats->command_capacity - 1);
    return slot;
}

static void grow(struct stats *stats)
{
    mem_free(stats->command_slots);
    stats->command_capacity *= 2;
    stats->command_slots = mem_zero(stats->command_capacity * sizeof(struct command_stats *));
    struct list *node, *after;
    LIST_FOR_EACH(node, after, &stats->commands_used)
    {
        struct command_stats *of = CONTAINER_OF(node, struct command_stats, link);
        stats->command_slots[slot_of(stats, of->command)] = of;
    }
}

struct command_stats *stats_command(struct stats *stats, const struct command *command,
                                    const struct command *container)
{
    size_t slot = slot_of(stats, command);
    if (stats->command_slots[slot] != NULL)
        return stats->command_slots[slot];
    if ((stats->command_count + 1) * 2 > stats->command_capacity) {
        grow(stats);
        slot = slot_of(stats, command);
    }
    struct command_stats *of = mem_zero(sizeof(*of));
    of->command = command;
    of->container = container;
    list_push_back(&stats->commands_used, &of->link);
    stats->command_slots[slot] = of;
    stats->command_count++;
    return of;
}

/* The code is the first word: "WRONGTYPE Operation against…". */
static struct bytes code_of(struct bytes text)
{
    size_t size = 0;
    while (size < text.size && size < STATS_ERROR_CODE_SIZE - 1 && text.data[size] > ' ')
        size++;
    return bytes_of(text.data, size);
}

void stats_count_error(struct stats *stats, struct bytes text)
{
    stats->error_replies++;
    struct bytes code = code_of(text);
    size_t i = 0;
    while (i < stats->error_count && !bytes_equal(bytes_of_string(stats->errors[i].code), code))
        i++;
    if (i == STATS_ERRORS_MAX)
        return;
    struct error_stats *error = &stats->errors[i];
    if (i == stats->error_count) {
        stats->error_count++;
        *error = (struct error_stats){0};
        memcpy(error->code, code.data, code.size);
    }
    error->count++;
}

void stats_take_sample(struct stats *stats, uint64_t boot_us)
{
    struct stats_sample now = {.us = boot_us,
                               .commands = stats->commands,
                               .bytes_in = stats->bytes_in,
                               .bytes_out = stats->bytes_out};
    const struct stats_sample *then = &stats->sampled;
    stats->samples[stats->sample_next] =
        (struct stats_sample){.us = then->us == 0 ? 0 : now.us - then->us,
                              .commands = now.commands - then->commands,
                              .bytes_in = now.bytes_in - then->bytes_in,
                              .bytes_out = now.bytes_out - then->bytes_out};
    stats->sample_next = (stats->sample_next + 1) % STATS_SAMPLES;
    stats->sampled = now;
}

struct stats_rates stats_rates(const struct stats *stats)
{
    struct stats_sample sum = {0};
    for (size_t i = 0; i < STATS_SAMPLES; i++) {
        sum.us += stats->samples[i].us;
        sum.commands += stats->samples[i].commands;
        sum.bytes_in += stats->samples[i].bytes_in;
        sum.bytes_out += stats->samples[i].bytes_out;
    }
    if (sum.us == 0)
        return (struct stats_rates){0};
    double seconds = (double)sum.us / 1e6;
    return (struct stats_rates){.commands = (uint64_t)((double)sum.commands / seconds),
                                .kilobytes_in = (double)sum.bytes_in / 1024 / seconds,
                                .kilobytes_out = (double)sum.bytes_out / 1024 / seconds};
}
