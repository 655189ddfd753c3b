/* What the server counts: commands, errors, bytes, connections. CONFIG RESETSTAT sets all of it to
 * 0. */
#pragma once

#include "base/list.h"
#include "commands/command.h"

/* Lives as long as its struct stats, so that clients may keep the pointer. */
struct command_stats {
    struct list link; /* in the order of first use */
    const struct command *command;
    const struct command *container; /* or NULL */
    uint64_t calls;
    uint64_t usec;
    uint64_t rejected; /* refused before it ran: arity, authentication, transaction */
    uint64_t failed;   /* ran and answered with an error */
};

enum {
    STATS_ERRORS_MAX = 128, /* distinct error codes; further ones count in error_replies only */
    STATS_ERROR_CODE_SIZE = 32,
    STATS_SAMPLES = 16,
};

struct error_stats {
    char code[STATS_ERROR_CODE_SIZE]; /* "ERR", "WRONGTYPE", …; 0-terminated */
    uint64_t count;
};

/* What happened in one stretch of time of about 100 ms. */
struct stats_sample {
    uint64_t us;
    uint64_t commands;
    uint64_t bytes_in;
    uint64_t bytes_out;
};

struct stats {
    uint64_t connections;
    uint64_t rejected_connections;
    uint64_t commands;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t error_replies;
    uint64_t protocol_errors;
    uint64_t output_limit_closes; /* clients closed by client-output-buffer-limit */
    uint64_t query_limit_closes;
    uint64_t timeout_closes;
    uint64_t turns, turns_us, turn_us_max; /* of the loop, without its sleep */

    struct error_stats errors[STATS_ERRORS_MAX];
    size_t error_count;

    struct stats_sample samples[STATS_SAMPLES]; /* a ring */
    size_t sample_next;
    struct stats_sample sampled; /* the counters as of the last sample; us: boot time */

    struct list commands_used;            /* struct command_stats */
    struct command_stats **command_slots; /* open addressing by pointer */
    size_t command_capacity;
    size_t command_count;
};

void stats_init(struct stats *stats);
void stats_fini(struct stats *stats);
void stats_reset(struct stats *stats); /* command_stats stay where they are */

/* O(1); made when it is not there yet. */
struct command_stats *stats_command(struct stats *stats, const struct command *command,
                                    const struct command *container);

/* text: an error reply, or its beginning, without the '-'. */
void stats_count_error(struct stats *stats, struct bytes text);

/* Ends a stretch; call about every 100 ms, later is harmless. */
void stats_take_sample(struct stats *stats, uint64_t boot_us);

/* Per second over the last STATS_SAMPLES stretches. */
struct stats_rates {
    uint64_t commands;
    double kilobytes_in;
    double kilobytes_out;
};
struct stats_rates stats_rates(const struct stats *stats);
