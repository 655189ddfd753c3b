#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/disk.h"
#include "store/kv_leveldb.h"

enum { CACHE_SIZE = 8 << 20, ROOT_SIZE = 512, COPY_SIZE = 1 << 20 };

struct scratch_env {
    struct kv_env env;
    struct kv_env *library;
    char root[ROOT_SIZE];
};

static struct scratch_env *self_of(struct kv_env *env)
{
    return CONTAINER_OF(env, struct scratch_env, env);
}

static const char *set_path(struct buf *path, const char *a, const char *b, const char *c)
{
    buf_clear(path);
    buf_printf(path, "%s%s%s", a, b, c);
    buf_append_u8(path, 0);
    return (const char *)path->data;
}

/* Every folder of an absolute path. */
static bool make_dirs(const char *path)
{
    struct buf part = {0};
    bool is_made = true;
    for (const char *end = path; is_made && end != NULL;) {
        end = strchr(end + 1, '/');
        buf_clear(&part);
        buf_append(&part, bytes_of(path, end == NULL ? strlen(path) : (size_t)(end - path)));
        buf_append_u8(&part, 0);
        is_made = mkdir((const char *)part.data, 0700) == 0 || errno == EEXIST;
    }
    buf_free(&part);
    return is_made;
}

static bool copy_bytes(int from, int to)
{
    uint8_t *piece = mem_alloc(COPY_SIZE);
    ssize_t count;
    while ((count = read(from, piece, COPY_SIZE)) > 0) {
        if (write(to, piece, (size_t)count) != count)
            break;
    }
    mem_free(piece);
    return count == 0;
}

static bool copy_file(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool is_copied = out >= 0 && copy_bytes(in, out);
    if (in >= 0)
        (void)close(in);
    if (out >= 0)
        (void)close(out);
    return is_copied;
}

static bool ends_with(const char *name, const char *ending)
{
    size_t size = strlen(name);
    return size >= strlen(ending) && strcmp(name + size - strlen(ending), ending) == 0;
}

static bool take_file(const char *from, const char *to, const char *name)
{
    if (ends_with(name, ".ldb") || ends_with(name, ".sst"))
        return symlink(from, to) == 0 || errno == EEXIST;
    return copy_file(from, to);
}

/* Everything of one LevelDB directory; nothing of one that does not exist. */
static bool fill(const char *from, const char *to, struct buf *error)
{
    struct buf names = {0};
    struct buf source = {0};
    struct buf target = {0};
    struct disk *real = disk_real();
    enum disk_err err = real->ops->list_dir(real, from, &names);
    bool is_filled = make_dirs(to) && (err == DISK_OK || err == DISK_ABSENT);
    for (size_t at = 0; is_filled && at < names.size;) {
        const char *name = (const char *)names.data + at;
        at += strlen(name) + 1;
        if (strcmp(name, "LOCK") != 0)
            is_filled = take_file(set_path(&source, from, "/", name),
                                  set_path(&target, to, "/", name), name);
    }
    if (!is_filled)
        buf_printf(error, "%s: cannot be copied to %s: %s", from, to, strerror(errno));
    buf_free(&names);
    buf_free(&source);
    buf_free(&target);
    return is_filled;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    (void)remove(path);
    return 0;
}

static void remove_tree(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static enum kv_err scratch_open(struct kv_env *env, const char *path,
                                const struct kv_options *options, struct kv **out,
                                struct buf *error)
{
    struct scratch_env *self = self_of(env);
    struct buf target = {0};
    set_path(&target, self->root, path, "");
    const char *to = (const char *)target.data;
    if (access(path, F_OK) == 0) /* else it is new, and this may be its second opening */
        remove_tree(to);
    enum kv_err err = KV_IO;
    if (fill(path, to, error))
        err = self->library->ops->open(self->library, to, options, out, error);
    scratch_correct(env, error);
    buf_free(&target);
    return err;
}

static enum kv_err scratch_destroy(struct kv_env *env, const char *path, struct buf *error)
{
    (void)env;
    (void)path;
    (void)error;
    return KV_OK;
}

static const struct kv_env_ops scratch_ops = {
    .open = scratch_open,
    .destroy = scratch_destroy,
};

struct kv_env *scratch_env_new(struct buf *error)
{
    const char *folder = getenv("TMPDIR");
    struct scratch_env *self = mem_zero(sizeof(*self));
    self->env.ops = &scratch_ops;
    int size = snprintf(self->root, sizeof(self->root), "%s/quoin-inspect-XXXXXX",
                        folder == NULL || folder[0] != '/' ? "/tmp" : folder);
    if (size < 0 || (size_t)size >= sizeof(self->root) || mkdtemp(self->root) == NULL) {
        buf_printf(error, "%s: no scratch folder: %s", self->root, strerror(errno));
        mem_free(self);
        return NULL;
    }
    self->library = kv_leveldb_new(disk_real(), CACHE_SIZE);
    return &self->env;
}

void scratch_env_free(struct kv_env *env)
{
    if (env == NULL)
        return;
    remove_tree(self_of(env)->root);
    kv_leveldb_free(self_of(env)->library);
    mem_free(self_of(env));
}

void scratch_correct(const struct kv_env *env, struct buf *text)
{
    const char *root = CONTAINER_OF((struct kv_env *)(size_t)env, struct scratch_env, env)->root;
    size_t size = strlen(root);
    for (size_t at = 0; at + size <= text->size;) {
        if (memcmp(text->data + at, root, size) != 0) {
            at++;
            continue;
        }
        memmove(text->data + at, text->data + at + size, text->size - at - size);
        text->size -= size;
    }
}
