#include "server/transaction.h"

#include "base/mem.h"

struct transaction *transaction_new(void)
{
    return mem_zero(sizeof(struct transaction));
}

static void free_queue(struct transaction *transaction)
{
    buf_free(&transaction->bytes);
    buf_free(&transaction->args);
    buf_free(&transaction->queue);
    transaction->count = 0;
    transaction->flags = 0;
}

void transaction_free(struct transaction *transaction)
{
    if (transaction == NULL)
        return;
    free_queue(transaction);
    mem_free(transaction);
}

void transaction_break(struct transaction *transaction)
{
    ASSERT(!transaction->is_sealed);
    transaction->is_broken = true;
    free_queue(transaction);
}

void transaction_queue(struct transaction *transaction, const struct command *command,
                       const struct bytes *argv, int argc)
{
    ASSERT(!transaction->is_sealed && argc > 0);
    if (transaction->is_broken)
        return;
    for (int i = 0; i < argc; i++) {
        /* An offset in place of the pointer: `bytes` still moves while it grows. */
        struct bytes arg = {.data = (const uint8_t *)(uintptr_t)transaction->bytes.size,
                            .size = argv[i].size};
        buf_append(&transaction->bytes, argv[i]);
        buf_append(&transaction->args, bytes_of(&arg, sizeof(arg)));
    }
    struct queued queued = {.command = command, .argc = argc};
    buf_append(&transaction->queue, bytes_of(&queued, sizeof(queued)));
    transaction->count++;
    transaction->flags |= command->flags;
}

const struct queued *transaction_seal(struct transaction *transaction)
{
    ASSERT(!transaction->is_sealed && !transaction->is_broken);
    transaction->is_sealed = true;
    (void)buf_reserve(&transaction->queue, 1);
    (void)buf_reserve(&transaction->bytes, 1); /* a pointer for empty arguments too */
    struct bytes *args = (struct bytes *)(void *)transaction->args.data;
    struct queued *queue = (struct queued *)(void *)transaction->queue.data;
    for (int i = 0; i < transaction->count; i++) {
        queue[i].argv = args;
        for (int j = 0; j < queue[i].argc; j++)
            args[j].data = transaction->bytes.data + (uintptr_t)args[j].data;
        args += queue[i].argc;
    }
    return queue;
}

size_t transaction_memory(const struct transaction *transaction)
{
    return transaction->bytes.capacity + transaction->args.capacity + transaction->queue.capacity;
}
