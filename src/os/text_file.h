/* Text files that people edit (the configuration): read whole, found by pattern, replaced in one
 * step. Only at start and for CONFIG REWRITE, for all of it may block. On false errno tells why. */
#pragma once

#include "base/assert.h"
#include "base/buf.h"

enum { TEXT_FILE_MAX = 1 << 20 }; /* a larger file is refused with EFBIG */

/* Appends the whole of a regular file or of a pipe; anything else (a directory, a device) is
 * EINVAL. On false out holds an unspecified part more. */
MUST_USE bool text_file_read(const char *path, struct buf *out);
MUST_USE bool text_file_read_stdin(struct buf *out);

/* After a crash the file is the old or the new one, whole. Its permissions are kept, and a symbolic
 * link stays one: the file it names is replaced. The file must exist. */
MUST_USE bool text_file_replace(const char *path, struct bytes content);

/* The absolute path, without symbolic links, from mem_alloc; NULL with errno when there is none. */
MUST_USE char *text_file_real_path(const char *path);

/* Appends the paths that match a shell pattern, sorted, each with a 0 byte. No match: none. */
void text_file_find(const char *pattern, struct buf *paths);
