#include "server/output.h"

#include "base/mem.h"

enum { MARKS_MIN = 16 };

void output_free(struct output *output)
{
    buf_pool_give(output->pool, &output->buf);
    mem_free(output->marks);
    *output = (struct output){0};
}

/* Moves what is left to the front once most of the buffer has left, so that a buffer which is never
 * empty does not grow for ever; each byte is moved at most once per time it doubles. */
static void compact(struct output *output)
{
    ASSERT(!output->is_reply_open);
    if (output->head < OUTPUT_STEP || output->head < output->buf.size / 2)
        return;
    buf_consume(&output->buf, output->head);
    output->start += output->head;
    output->head = 0;
}

struct buf *output_begin(struct output *output)
{
    if (output->is_reply_open)
        return &output->buf;
    compact(output);
    output->is_reply_open = true;
    if (output->buf.capacity == 0)
        buf_pool_take(output->pool, &output->buf);
    return &output->buf;
}

static struct output_mark *mark_at(const struct output *output, uint32_t position)
{
    ASSERT(position < output->mark_count);
    return &output->marks[(output->mark_first + position) & (output->mark_capacity - 1)];
}

static void grow_marks(struct output *output)
{
    uint32_t capacity = output->mark_capacity == 0 ? MARKS_MIN : output->mark_capacity * 2;
    struct output_mark *marks = mem_alloc(capacity * sizeof(*marks));
    for (uint32_t i = 0; i < output->mark_count; i++)
        marks[i] = *mark_at(output, i);
    mem_free(output->marks);
    output->marks = marks;
    output->mark_capacity = capacity;
    output->mark_first = 0;
}

static bool is_same_gate(struct exec_gate a, struct exec_gate b)
{
    return a.shard == b.shard && a.term == b.term && a.index == b.index;
}

static struct output_mark *last_mark(const struct output *output)
{
    return output->mark_count == 0 ? NULL : mark_at(output, output->mark_count - 1);
}

static void add_mark(struct output *output, struct output_mark mark)
{
    ASSERT(output->mark_count == 0 || last_mark(output)->begin <= mark.begin);
    if (output->mark_count == output->mark_capacity)
        grow_marks(output);
    output->mark_count++;
    *last_mark(output) = mark;
}

static void add_marks(struct output *output, const struct exec_gate *gates, int gate_count)
{
    const struct output_mark *last = last_mark(output);
    bool is_part = gate_count > 1;
    if (gate_count == 0 && last != NULL && !last->is_free)
        add_mark(output, (struct output_mark){.begin = output->finished, .is_free = true});
    if (gate_count == 1 && last != NULL && !last->is_free && !last->is_part &&
        is_same_gate(last->gate, gates[0]))
        return;
    for (int i = 0; i < gate_count; i++)
        add_mark(output, (struct output_mark){
                             .begin = output->finished, .gate = gates[i], .is_part = is_part});
}

/* Starts again at the front when everything has left. */
static void rewind_when_empty(struct output *output)
{
    if (output->head < output->buf.size || output->is_reply_open)
        return;
    output->start += output->head;
    output->head = 0;
    buf_clear(&output->buf);
    if (output->buf.capacity <= OUTPUT_STEP || output->buf.capacity > OUTPUT_KEPT_MAX)
        buf_pool_give(output->pool, &output->buf);
}

void output_finish(struct output *output, const struct exec_gate *gates, int gate_count)
{
    ASSERT(gate_count >= 0);
    uint64_t end = output->start + output->buf.size;
    output->is_reply_open = false;
    if (end == output->finished) { /* no reply, nothing to hold back */
        rewind_when_empty(output);
        return;
    }
    add_marks(output, gates, gate_count);
    if (output->mark_count > 0)
        last_mark(output)->replies++;
    output->finished = end;
}

void output_drop_unfinished(struct output *output)
{
    ASSERT(output->finished >= output->start);
    output->buf.size = (size_t)(output->finished - output->start);
    ASSERT(output->head <= output->buf.size);
}

static struct bytes slice(const struct output *output, size_t begin, size_t end)
{
    ASSERT(begin <= end && end <= output->buf.size);
    if (begin == end)
        return (struct bytes){0};
    return bytes_of(output->buf.data + begin, end - begin);
}

struct bytes output_unfinished(const struct output *output)
{
    return slice(output, (size_t)(output->finished - output->start), output->buf.size);
}

static const char *const REPLACED =
    "-TRYAGAIN The leader was replaced before this was committed; nothing was changed\r\n";
static const char *const UNKNOWN =
    "-INDETERMINATE The leader was lost; whether this took effect is not known\r\n";

static void drop_mark(struct output *output)
{
    output->mark_first = (output->mark_first + 1) & (output->mark_capacity - 1);
    output->mark_count--;
}

/* The replies of the first mark, up to the next one, become errors; what is behind them moves. */
static void replace_replies(struct output *output, const char *error)
{
    const struct output_mark *mark = mark_at(output, 0);
    uint64_t end = output->mark_count > 1 ? mark_at(output, 1)->begin : output->finished;
    size_t from = (size_t)(mark->begin - output->start), to = (size_t)(end - output->start);
    struct buf rest = {0};
    buf_append(&rest, slice(output, to, output->buf.size));
    output->buf.size = from;
    for (uint32_t i = 0; i < mark->replies; i++)
        buf_append_string(&output->buf, error);
    uint64_t shift = output->buf.size - to; /* wraps when it became shorter, and back again */
    buf_append(&output->buf, buf_bytes(&rest));
    buf_free(&rest);
    for (uint32_t i = 1; i < output->mark_count; i++)
        mark_at(output, i)->begin += shift;
    output->finished += shift;
}

/* What a reply with several gates is told at one of them that is not the last. */
static void settle_part(struct output *output, bool is_lost)
{
    ASSERT(output->mark_count > 1 && mark_at(output, 0)->is_part);
    mark_at(output, 1)->is_unknown |= mark_at(output, 0)->is_unknown || is_lost;
    mark_at(output, 1)->is_half_opened |= mark_at(output, 0)->is_half_opened || !is_lost;
}

static enum exec_gate_state state_of(const struct output_mark *mark, const struct exec *exec)
{
    if (mark->is_free)
        return EXEC_GATE_OPEN;
    if (mark->is_unknown)
        return EXEC_GATE_UNKNOWN;
    enum exec_gate_state state = exec_gate_state(exec, mark->gate);
    bool is_half = state == EXEC_GATE_REPLACED && mark->is_half_opened;
    return is_half ? EXEC_GATE_UNKNOWN : state;
}

/* False: nothing of the first mark may leave yet. */
static bool settle_first(struct output *output, const struct exec *exec)
{
    const struct output_mark *mark = mark_at(output, 0);
    enum exec_gate_state state = state_of(mark, exec);
    bool is_lost = state != EXEC_GATE_OPEN;
    if (state == EXEC_GATE_CLOSED)
        return false;
    if (mark->replies == 0)
        settle_part(output, is_lost);
    else if (is_lost && output->is_reply_open)
        return false; /* its writer remembers where it began */
    else if (is_lost)
        replace_replies(output, state == EXEC_GATE_REPLACED ? REPLACED : UNKNOWN);
    drop_mark(output);
    return true;
}

bool output_open_gates(struct output *output, const struct exec *exec)
{
    size_t before = output_sendable(output).size;
    while (output->mark_count > 0 && settle_first(output, exec))
        continue;
    return output_sendable(output).size > before;
}

struct bytes output_sendable(const struct output *output)
{
    uint64_t end = output->finished;
    if (output->mark_count > 0)
        end = mark_at(output, 0)->begin;
    return slice(output, output->head, (size_t)(end - output->start));
}

void output_sent(struct output *output, size_t size)
{
    ASSERT(size <= output_sendable(output).size);
    output->head += size;
    rewind_when_empty(output);
}

size_t output_memory(const struct output *output)
{
    return output->buf.capacity + output->mark_capacity * sizeof(*output->marks);
}

void output_trim(struct output *output)
{
    if (output->buf.size == 0 && output->mark_count == 0 && !output->is_reply_open) {
        buf_free(&output->buf);
        mem_free(output->marks);
        output->marks = NULL;
        output->mark_first = output->mark_capacity = 0;
    }
}
