/* A file system whose changes go nowhere: files are opened for reading only, writes, renames and
 * removals succeed and are forgotten. What is made can be opened again and reads as empty. So the
 * code of a start can run as it is over a directory that must not be touched. */
#pragma once

#include "os/disk.h"

struct disk *frozen_disk_new(void);
void frozen_disk_free(struct disk *disk); /* all handles are closed */
