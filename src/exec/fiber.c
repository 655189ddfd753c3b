#include "exec/fiber.h"

#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif

#ifdef FIBER_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

enum {
    STACK_SIZE = 256 * 1024,
    POOL_MAX = 16,
};

struct fiber {
    ucontext_t inside;
    ucontext_t outside;
    struct fiber_pool *pool;
    struct fiber *next; /* in the pool */
    void *stack;        /* the guard page comes first */
    void (*main)(void *argument);
    void *argument;
    bool has_returned;
    void *fake_outside; /* the sanitizer's */
    void *fake_inside;
    const void *outside_bottom;
    size_t outside_size;
};

struct fiber_pool {
    struct fiber *idle;
    int idle_count;
    int count; /* idle and under way */
};

/* The sanitizer must know which stack is current; without it these are nothing. */
static void before_switch(void **save, const void *bottom, size_t size)
{
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(save, bottom, size);
#else
    (void)save;
    (void)bottom;
    (void)size;
#endif
}

static void after_switch(void *saved, const void **bottom, size_t *size)
{
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(saved, bottom, size);
#else
    (void)saved;
    (void)bottom;
    (void)size;
#endif
}

static size_t guard_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void fiber_free(struct fiber *fiber)
{
    (void)munmap(fiber->stack, STACK_SIZE + guard_size());
    mem_free(fiber);
}

struct fiber_pool *fiber_pool_new(void)
{
    return mem_zero(sizeof(struct fiber_pool));
}

void fiber_pool_free(struct fiber_pool *pool)
{
    if (pool == NULL)
        return;
    ASSERT(pool->count == pool->idle_count);
    while (pool->idle != NULL) {
        struct fiber *fiber = pool->idle;
        pool->idle = fiber->next;
        fiber_free(fiber);
    }
    mem_free(pool);
}

/* makecontext passes ints only: the address travels in two halves. */
static void enter(unsigned int high, unsigned int low)
{
    struct fiber *fiber = (struct fiber *)(uintptr_t)((uint64_t)high << 32 | low); // NOLINT
    after_switch(NULL, &fiber->outside_bottom, &fiber->outside_size);
    fiber->main(fiber->argument);
    fiber->has_returned = true;
    before_switch(NULL, fiber->outside_bottom, fiber->outside_size);
    (void)swapcontext(&fiber->inside, &fiber->outside);
    UNREACHABLE();
}

static struct fiber *fiber_make(struct fiber_pool *pool)
{
    struct fiber *fiber = mem_zero(sizeof(*fiber));
    fiber->pool = pool;
    fiber->stack = mmap(NULL, STACK_SIZE + guard_size(), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    ASSERT(fiber->stack != MAP_FAILED);
    int result = mprotect(fiber->stack, guard_size(), PROT_NONE);
    ASSERT(result == 0);
    pool->count++;
    return fiber;
}

static uint8_t *stack_bottom(const struct fiber *fiber)
{
    return (uint8_t *)fiber->stack + guard_size();
}

static void prepare(struct fiber *fiber)
{
    int result = getcontext(&fiber->inside);
    ASSERT(result == 0);
    fiber->inside.uc_stack.ss_sp = stack_bottom(fiber);
    fiber->inside.uc_stack.ss_size = STACK_SIZE;
    fiber->inside.uc_link = NULL;
    uint64_t address = (uint64_t)(uintptr_t)fiber;
    makecontext(&fiber->inside, (void (*)(void))enter, 2, (unsigned int)(address >> 32),
                (unsigned int)address);
}

struct fiber *fiber_new(struct fiber_pool *pool, void (*main)(void *argument), void *argument)
{
    struct fiber *fiber = pool->idle;
    if (fiber != NULL) {
        pool->idle = fiber->next;
        pool->idle_count--;
    } else {
        fiber = fiber_make(pool);
    }
    fiber->main = main;
    fiber->argument = argument;
    fiber->has_returned = false;
    fiber->fake_inside = NULL;
    prepare(fiber);
    return fiber;
}

static void fiber_retire(struct fiber *fiber)
{
    struct fiber_pool *pool = fiber->pool;
    if (pool->idle_count == POOL_MAX) {
        pool->count--;
        fiber_free(fiber);
        return;
    }
    fiber->next = pool->idle;
    pool->idle = fiber;
    pool->idle_count++;
}

void fiber_abandon(struct fiber *fiber)
{
    fiber->pool->count--;
    fiber_free(fiber);
}

bool fiber_resume(struct fiber *fiber)
{
    before_switch(&fiber->fake_outside, stack_bottom(fiber), STACK_SIZE);
    (void)swapcontext(&fiber->outside, &fiber->inside);
    after_switch(fiber->fake_outside, NULL, NULL);
    if (!fiber->has_returned)
        return true;
    fiber_retire(fiber);
    return false;
}

void fiber_yield(struct fiber *fiber)
{
    before_switch(&fiber->fake_inside, fiber->outside_bottom, fiber->outside_size);
    (void)swapcontext(&fiber->inside, &fiber->outside);
    after_switch(fiber->fake_inside, &fiber->outside_bottom, &fiber->outside_size);
}
