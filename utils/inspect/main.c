/* quoin-inspect [--json] DIR: reads the data directory of a stopped server, verifies everything in
 * it, and says what a start would do. Nothing in DIR is changed.
 *
 * Exit code 0: consistent, 1: inconsistent, 2: could not be looked at (in use, not there). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "frozen_disk.h"
#include "report.h"
#include "scratch.h"

enum { EXIT_CONSISTENT = 0, EXIT_INCONSISTENT = 1, EXIT_UNABLE = 2 };

/* Shared and without making the file: a server that starts meanwhile is refused, as this is while
 * one runs. *fd is -1 when the file is not there: no server ever ran. */
static bool take_lock(const char *dir, int *fd)
{
    struct buf path = {0};
    buf_printf(&path, "%s/LOCK", dir);
    buf_append_u8(&path, 0);
    *fd = open((const char *)path.data, O_RDONLY | O_CLOEXEC);
    bool is_free = *fd < 0 ? errno == ENOENT : flock(*fd, LOCK_SH | LOCK_NB) == 0;
    if (!is_free)
        (void)fprintf(stderr, "quoin-inspect: %s: %s\n", (const char *)path.data,
                      errno == EWOULDBLOCK ? "in use, stop the server first" : strerror(errno));
    buf_free(&path);
    return is_free;
}

static bool has_data(const struct report *report)
{
    struct buf names = {0};
    bool has = false;
    (void)report->disk->ops->list_dir(report->disk, report->dir, &names);
    for (size_t at = 0; at < names.size; at += strlen((const char *)names.data + at) + 1) {
        const char *name = (const char *)names.data + at;
        has |= strcmp(name, "wal") == 0 || strncmp(name, "shard-", strlen("shard-")) == 0;
    }
    buf_free(&names);
    return has;
}

static void read_identity(struct report *report)
{
    switch (identity_read(report->disk, report->dir, &report->identity, &report->identity_error)) {
    case IDENTITY_OK:
        break;
    case IDENTITY_ABSENT:
        report->is_empty = !has_data(report);
        if (!report->is_empty)
            buf_append_string(&report->identity_error, "quoin.id is missing beside data");
        return;
    case IDENTITY_NEWER_FORMAT:
    case IDENTITY_DAMAGED:
    case IDENTITY_DISK:
        return;
    }
    report->waits_for_cluster = report->identity.cluster_id == 0;
    if (report->waits_for_cluster)
        return;
    if (report->identity.shards >= 1 && report->identity.shards <= WAL_GROUPS_MAX)
        report->shard_count = (uint32_t)report->identity.shards;
    else
        buf_append_string(&report->identity_error, "quoin.id has no number of shards");
}

static int inspect(const char *dir, bool is_json)
{
    struct buf error = {0};
    struct report report = {.dir = dir, .disk = frozen_disk_new()};
    report.env = scratch_env_new(&error);
    int result = EXIT_UNABLE;
    if (report.env == NULL) {
        (void)fprintf(stderr, "quoin-inspect: %.*s\n", (int)error.size, (const char *)error.data);
    } else {
        read_identity(&report);
        report_log(&report);
        report_rows(&report);
        report_restart(&report);
        (is_json ? print_json : print_text)(&report, stdout);
        result = report_verdict(&report, &error) ? EXIT_CONSISTENT : EXIT_INCONSISTENT;
    }
    report_free(&report);
    scratch_env_free(report.env);
    frozen_disk_free(report.disk);
    buf_free(&error);
    return result;
}

int main(int argc, char **argv)
{
    bool is_json = argc == 3 && strcmp(argv[1], "--json") == 0;
    if ((argc != 2 && !is_json) || argv[argc - 1][0] == '-') {
        (void)fprintf(stderr, "usage: quoin-inspect [--json] DIR\n");
        return EXIT_UNABLE;
    }
    char *dir = realpath(argv[argc - 1], NULL);
    int lock = -1;
    int result = EXIT_UNABLE;
    if (dir == NULL)
        (void)fprintf(stderr, "quoin-inspect: %s: %s\n", argv[argc - 1], strerror(errno));
    else if (take_lock(dir, &lock))
        result = inspect(dir, is_json);
    if (lock >= 0)
        (void)close(lock);
    free(dir); /* realpath's own malloc */
    return result;
}
