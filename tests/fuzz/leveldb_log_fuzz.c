/* Any bytes as a LevelDB log: nothing is read outside, and the end lies inside. */
#include "store/leveldb_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t end = SIZE_MAX;
    enum leveldb_log_end judged = leveldb_log_judge(bytes_of(data, size), &end);
    ASSERT(end <= size);
    /* What stands before the end is whole, whatever follows it. */
    size_t again = SIZE_MAX;
    ASSERT(leveldb_log_judge(bytes_of(data, end), &again) == LEVELDB_LOG_WHOLE && again == end);
    ASSERT(judged <= LEVELDB_LOG_DAMAGED);
    return 0;
}
