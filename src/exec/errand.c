/* Errands: work on a helper thread from the middle of a run, while the run is suspended with its
 * shard.
 *
 * A lost leadership ends the run at once, the thread a little later. What the thread reads stays
 * until then: big values that hot memory drops are garbage, and no garbage of the shard is freed
 * while an errand is under way (exec.c: free_garbage). Whoever sends one therefore gives it nothing
 * of hot memory but values from HOT_GARBAGE_SIZE on. */
#include "base/mem.h"
#include "exec/internal.h"

struct errand {
    struct job job;
    struct list link; /* exec->errands */
    struct call_aside *aside;
    struct exec_shard *es;
    struct run *run; /* NULL: it was cancelled, nobody waits */
    bool is_done;
};

static void errand_run(struct job *job)
{
    struct errand *errand = CONTAINER_OF(job, struct errand, job);
    errand->aside->run(errand->aside);
}

static struct errand *errand_new(struct run *run, struct call_aside *aside)
{
    struct errand *errand = mem_zero(sizeof(*errand));
    errand->job = (struct job){.run = errand_run, .kind = EXEC_JOB_ERRAND};
    errand->aside = aside;
    errand->es = run->shard;
    errand->run = run;
    list_init(&errand->link);
    return errand;
}

static void errand_free(struct errand *errand)
{
    list_remove(&errand->link);
    mem_free(errand);
}

static void errand_discard(struct errand *errand)
{
    errand->aside->free(errand->aside);
    errand_free(errand);
}

/* False: cancelled while the queue of the helpers was full. */
static bool submit(struct run *run, struct worker *worker, struct errand *errand)
{
    while (!worker_submit(worker, &errand->job)) {
        exec_wait_a_turn(run);
        if (run->is_cancelled)
            return false;
    }
    list_push_back(&run->exec->errands, &errand->link);
    errand->es->errand_count++;
    return true;
}

bool exec_run_aside(struct run *run, struct worker *worker, struct call_aside *aside)
{
    struct exec_shard *es = run->shard;
    struct errand *errand = errand_new(run, aside);
    run->call.found_count = 0; /* tombstones leave memory when they are applied */
    es->awaits_key = true;
    bool is_submitted = submit(run, worker, errand);
    while (is_submitted && !errand->is_done && !run->is_cancelled)
        exec_yield(run);
    es->awaits_key = false;
    if (!run->is_cancelled) {
        errand_free(errand);
        return true;
    }
    run->call.is_broken = true;
    if (!is_submitted || errand->is_done) {
        errand_discard(errand);
    } else {
        errand->run = NULL;
        atomic_store(&aside->is_given_up, true);
    }
    return false;
}

bool exec_errand_job_done(struct exec *exec, struct job *job)
{
    if (job->kind != EXEC_JOB_ERRAND)
        return false;
    struct errand *errand = CONTAINER_OF(job, struct errand, job);
    errand->is_done = true;
    errand->es->errand_count--;
    if (errand->run == NULL)
        errand_discard(errand);
    else
        exec_make_ready(exec, errand->run->request);
    return true;
}

void exec_give_up_errands(struct exec *exec)
{
    struct list *at, *after;
    LIST_FOR_EACH(at, after, &exec->errands)
    {
        struct errand *errand = CONTAINER_OF(at, struct errand, link);
        atomic_store(&errand->aside->is_given_up, true);
    }
}

void exec_free_errands(struct exec *exec)
{
    while (!list_is_empty(&exec->errands))
        errand_discard(CONTAINER_OF(exec->errands.next, struct errand, link));
}
