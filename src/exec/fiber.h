/* A call stack of its own for a run that may have to wait in the middle: a transaction that meets a
 * cold key, a walk over the keyspace. One thread; a fiber runs only inside fiber_resume and gives
 * back control by fiber_yield or by returning. */
#pragma once

#include <stdbool.h>

struct fiber;
struct fiber_pool; /* keeps a few stacks for reuse */

struct fiber_pool *fiber_pool_new(void);
void fiber_pool_free(struct fiber_pool *pool); /* no fiber is under way; NULL is legal */

/* Frees the stack of one that has yielded and will not be resumed. What its frames own is lost. */
void fiber_abandon(struct fiber *fiber);

/* Not started: the first fiber_resume calls main(argument). */
struct fiber *fiber_new(struct fiber_pool *pool, void (*main)(void *argument), void *argument);

/* Runs it until it yields (true) or returns (false: the fiber is gone). */
bool fiber_resume(struct fiber *fiber);

void fiber_yield(struct fiber *fiber); /* from inside */
