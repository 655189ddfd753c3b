#include "os/filesystem.h"

#include <sys/statvfs.h>

uint64_t filesystem_size_bytes(const char *path)
{
    struct statvfs info;
    if (statvfs(path, &info) != 0)
        return 0;
    return (uint64_t)info.f_blocks * info.f_frsize;
}
