#include "store/generation.h"

#include <stdio.h>

#include "base/steps.h"

#define PREFIX "gen-"

enum { DIGITS = 8, NUMBER_MAX = 99999999 };

static struct buf path_of(const struct generation_dir *dir, const char *name)
{
    struct buf path = {0};
    generation_path(dir, name, &path);
    return path;
}

static const char *text_of(const struct buf *path)
{
    return (const char *)path->data;
}

static enum store_err disk_failed(enum disk_err err, const struct buf *path, const char *doing,
                                  struct buf *error)
{
    buf_printf(error, "%s: %s: %s", text_of(path), doing, disk_err_text(err));
    return err == DISK_FULL ? STORE_FULL : STORE_IO;
}

void generation_path(const struct generation_dir *dir, const char *name, struct buf *out)
{
    buf_printf(out, "%s/%s", dir->path, name);
    buf_append_u8(out, 0);
}

void generation_name(uint32_t number, char name[GENERATION_NAME_SIZE])
{
    ASSERT(number > 0 && number <= NUMBER_MAX);
    int size = snprintf(name, GENERATION_NAME_SIZE, PREFIX "%08u", number);
    ASSERT(size == GENERATION_NAME_SIZE - 1);
}

static bool is_generation_name(struct bytes text)
{
    if (text.size != GENERATION_NAME_SIZE - 1 || !bytes_start_with(text, BYTES_LITERAL(PREFIX)))
        return false;
    for (size_t i = text.size - DIGITS; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    }
    return true;
}

/* Names of the generations that are there, each with its 0 byte. */
static enum store_err list_generations(const struct generation_dir *dir, struct buf *out,
                                       struct buf *error)
{
    struct buf all = {0};
    enum disk_err err = dir->disk->ops->list_dir(dir->disk, dir->path, &all);
    if (err != DISK_OK && err != DISK_ABSENT)
        buf_printf(error, "%s: reading the directory: %s", dir->path, disk_err_text(err));
    for (size_t at = 0; err == DISK_OK && at < all.size;) {
        struct bytes name = bytes_of_string((const char *)all.data + at);
        if (is_generation_name(name))
            buf_append(out, bytes_of(name.data, name.size + 1));
        at += name.size + 1;
    }
    buf_free(&all);
    return err == DISK_OK || err == DISK_ABSENT ? STORE_OK : STORE_IO;
}

static bool list_has(const struct buf *list, const char *name)
{
    for (size_t at = 0; at < list->size; at += GENERATION_NAME_SIZE) {
        if (memcmp(list->data + at, name, GENERATION_NAME_SIZE) == 0)
            return true;
    }
    return false;
}

static enum disk_err read_file(const struct generation_dir *dir, const char *name,
                               struct buf *content)
{
    struct buf path = path_of(dir, name);
    enum disk_err err = disk_read_file(dir->disk, text_of(&path), content);
    buf_free(&path);
    return err;
}

static enum store_err judge_missing_current(const struct generation_dir *dir,
                                            const struct buf *found, struct buf *error)
{
    struct buf content = {0};
    enum disk_err creating = read_file(dir, "CREATING", &content);
    buf_free(&content);
    if (found->size == 0 || creating == DISK_OK) {
        buf_printf(error, "%s: holds no rows: CURRENT is absent", dir->path);
        return STORE_ABSENT;
    }
    buf_printf(error, "%s/CURRENT is missing although %s exists", dir->path,
               (const char *)found->data);
    return STORE_LOST;
}

static enum store_err judge_current(const struct generation_dir *dir, struct bytes content,
                                    const struct buf *found, char *name, struct buf *error)
{
    struct bytes line = content;
    if (line.size > 0 && line.data[line.size - 1] == '\n')
        line.size--;
    if (line.size == content.size || !is_generation_name(line)) {
        buf_printf(error, "%s/CURRENT does not hold the name of a generation", dir->path);
        return STORE_LOST;
    }
    memcpy(name, line.data, line.size);
    name[line.size] = 0;
    if (list_has(found, name))
        return STORE_OK;
    buf_printf(error, "%s/CURRENT names %s, which does not exist", dir->path, name);
    return STORE_LOST;
}

enum store_err generation_current(const struct generation_dir *dir, char name[GENERATION_NAME_SIZE],
                                  struct buf *error)
{
    struct buf found = {0};
    struct buf content = {0};
    enum store_err err = list_generations(dir, &found, error);
    if (err == STORE_OK) {
        enum disk_err read = read_file(dir, "CURRENT", &content);
        if (read == DISK_OK) {
            err = judge_current(dir, buf_bytes(&content), &found, name, error);
        } else if (read == DISK_ABSENT) {
            err = judge_missing_current(dir, &found, error);
        } else {
            buf_printf(error, "%s/CURRENT: %s", dir->path, disk_err_text(read));
            err = STORE_IO;
        }
    }
    buf_free(&content);
    buf_free(&found);
    return err;
}

static enum store_err make_dir(const struct generation_dir *dir, const struct buf *path,
                               struct buf *error)
{
    enum disk_err err = disk_make_dir(dir->disk, text_of(path));
    if (err == DISK_OK)
        return STORE_OK;
    return disk_failed(err, path, "making the directory", error);
}

static enum store_err write_file(const struct generation_dir *dir, const char *file,
                                 const char *name, struct buf *error)
{
    struct buf content = {0};
    struct buf path = path_of(dir, file);
    buf_printf(&content, "%s\n", name);
    enum disk_err err =
        disk_replace_file(dir->disk, dir->path, text_of(&path), buf_bytes(&content));
    enum store_err result =
        err == DISK_OK ? STORE_OK : disk_failed(err, &path, "replacing the file", error);
    buf_free(&path);
    buf_free(&content);
    return result;
}

static enum store_err destroy(const struct generation_dir *dir, const char *name, struct buf *error)
{
    struct buf path = path_of(dir, name);
    enum kv_err err =
        DURABLE_STEP(generation_gone, dir->env->ops->destroy(dir->env, text_of(&path), error));
    buf_free(&path);
    switch (err) {
    case KV_OK:
    case KV_ABSENT:
        return STORE_OK;
    case KV_LOCKED:
        return STORE_LOCKED;
    case KV_FULL:
        return STORE_FULL;
    case KV_DAMAGED:
    case KV_IO:
        return STORE_IO;
    }
    UNREACHABLE();
}

enum store_err generation_begin_first(const struct generation_dir *dir,
                                      char name[GENERATION_NAME_SIZE], struct buf *error)
{
    generation_name(1, name);
    struct buf own = {0};
    buf_printf(&own, "%s", dir->path);
    buf_append_u8(&own, 0);
    struct buf path = path_of(dir, name);
    enum store_err err = make_dir(dir, &own, error);
    if (err == STORE_OK)
        err = DURABLE_STEP(generation_planned, write_file(dir, "CREATING", name, error));
    if (err == STORE_OK)
        err = destroy(dir, name, error);
    if (err == STORE_OK)
        err = DURABLE_STEP(generation_made, make_dir(dir, &path, error));
    buf_free(&path);
    buf_free(&own);
    return err;
}

static uint32_t number_of(const char *name)
{
    uint32_t number = 0;
    for (const char *digit = name + strlen(PREFIX); *digit != 0; digit++)
        number = number * 10 + (uint32_t)(*digit - '0');
    return number;
}

static enum store_err last_number(const struct generation_dir *dir, uint32_t *last,
                                  struct buf *error)
{
    struct buf found = {0};
    enum store_err err = list_generations(dir, &found, error);
    for (size_t at = 0; at < found.size; at += GENERATION_NAME_SIZE) {
        uint32_t number = number_of((const char *)found.data + at);
        *last = number > *last ? number : *last;
    }
    buf_free(&found);
    return err;
}

static enum store_err make_next(const struct generation_dir *dir, uint32_t last, char *name,
                                struct buf *error)
{
    if (last >= NUMBER_MAX) {
        buf_printf(error, "%s: no number is left for another generation", dir->path);
        return STORE_IO;
    }
    generation_name(last + 1, name);
    struct buf path = path_of(dir, name);
    enum store_err err = destroy(dir, name, error);
    if (err == STORE_OK)
        err = DURABLE_STEP(generation_made, make_dir(dir, &path, error));
    buf_free(&path);
    return err;
}

enum store_err generation_begin_next(const struct generation_dir *dir, const char *current,
                                     char name[GENERATION_NAME_SIZE], struct buf *error)
{
    uint32_t last = 0;
    enum store_err err = STORE_OK;
    if (current[0] != 0) {
        generation_remove_others(dir, current);
        last = number_of(current);
    } else {
        struct buf own = {0};
        buf_printf(&own, "%s", dir->path);
        buf_append_u8(&own, 0);
        err = make_dir(dir, &own, error);
        buf_free(&own);
        if (err == STORE_OK)
            err = last_number(dir, &last, error);
    }
    return err == STORE_OK ? make_next(dir, last, name, error) : err;
}

enum store_err generation_unpublish(const struct generation_dir *dir, struct buf *error)
{
    struct buf path = path_of(dir, "CURRENT");
    enum disk_err err =
        DURABLE_STEP(current_removed, dir->disk->ops->remove(dir->disk, text_of(&path)));
    if (err == DISK_OK || err == DISK_ABSENT)
        err = DURABLE_STEP(current_gone, dir->disk->ops->sync_dir(dir->disk, dir->path));
    enum store_err result =
        err == DISK_OK ? STORE_OK : disk_failed(err, &path, "removing the file", error);
    buf_free(&path);
    return result;
}

void generation_remove(const struct generation_dir *dir, const char *name)
{
    struct buf ignored = {0};
    (void)destroy(dir, name, &ignored);
    buf_free(&ignored);
}

enum store_err generation_publish(const struct generation_dir *dir, const char *name,
                                  struct buf *error)
{
    /* First the generation's own directory entry: CURRENT must never name what a crash took. */
    enum disk_err err =
        DURABLE_STEP(generation_named, dir->disk->ops->sync_dir(dir->disk, dir->path));
    if (err == DISK_OK)
        return DURABLE_STEP(current_replaced, write_file(dir, "CURRENT", name, error));
    buf_printf(error, "%s: syncing the directory: %s", dir->path, disk_err_text(err));
    return err == DISK_FULL ? STORE_FULL : STORE_IO;
}

void generation_remove_others(const struct generation_dir *dir, const char *name)
{
    struct buf found = {0};
    struct buf ignored = {0};
    /* A process that was killed may have left a CURRENT that is not durable yet: were its
     * predecessor's generation removed first, a power cut could bring back the name of nothing. */
    if (list_generations(dir, &found, &ignored) == STORE_OK && found.size > GENERATION_NAME_SIZE &&
        DURABLE_STEP(others_kept_apart, dir->disk->ops->sync_dir(dir->disk, dir->path)) ==
            DISK_OK) {
        for (size_t at = 0; at < found.size; at += GENERATION_NAME_SIZE) {
            const char *other = (const char *)found.data + at;
            if (strcmp(other, name) != 0)
                (void)destroy(dir, other, &ignored);
        }
    }
    struct buf path = path_of(dir, "CREATING");
    /* Synced: an old CREATING beside a lost CURRENT would pass the loss off as a fresh start. */
    if (DURABLE_STEP(plan_removed, dir->disk->ops->remove(dir->disk, text_of(&path))) == DISK_OK)
        (void)DURABLE_STEP(plan_gone, dir->disk->ops->sync_dir(dir->disk, dir->path));
    buf_free(&path);
    buf_free(&ignored);
    buf_free(&found);
}
