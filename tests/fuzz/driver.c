/* Runs a fuzz target without libFuzzer: over files, or over inputs drawn from one seed.
 *
 *   x_fuzz [--seed S] [--inputs N] [--size-max BYTES] [FILE...]
 *
 * The files (a corpus, or one input that failed) run first and are then mutated with everything
 * else. A child does the work and copies each input to memory shared with its parent, which
 * writes it to ./fuzz-failed-NAME when the child dies, to be given as FILE. Blind where libFuzzer
 * looks at coverage, but it needs gcc only and takes a second: it belongs to `make test`, libFuzzer
 * to `make fuzz`. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/prng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    POOL_MAX = 64,      /* inputs kept to be mutated further */
    STEPS_MAX = 8,      /* mutations between two inputs */
    RUN_MAX = 64,       /* bytes inserted, copied or removed at once */
    FILE_MAX = 1 << 24, /* of one corpus file */
};

/* Survives the child that runs the target. */
struct under_way {
    size_t size;
    uint8_t data[FILE_MAX];
};

struct driver {
    const char *name;
    struct prng prng;
    uint64_t seed, inputs;
    size_t size_max;
    struct buf pool[POOL_MAX];
    size_t pool_count;
    struct under_way *under_way;
};

/* The target gets a block of exactly its size, so that sanitizers see a read beyond the end. */
static void run_input(struct driver *driver, struct bytes input)
{
    ASSERT(input.size <= FILE_MAX);
    driver->under_way->size = input.size;
    if (input.size > 0)
        memcpy(driver->under_way->data, input.data, input.size);
    uint8_t *copy = malloc(input.size == 0 ? 1 : input.size);
    ASSERT(copy != NULL);
    if (input.size > 0)
        memcpy(copy, input.data, input.size);
    LLVMFuzzerTestOneInput(copy, input.size);
    free(copy);
}

/* A full pool forgets one at random. */
static void keep_input(struct driver *driver, struct bytes input)
{
    size_t at = driver->pool_count;
    if (at == POOL_MAX)
        at = prng_below(&driver->prng, POOL_MAX);
    else
        driver->pool_count++;
    buf_clear(&driver->pool[at]);
    buf_append(&driver->pool[at], input);
}

static void insert_bytes(struct buf *buf, size_t at, struct bytes bytes)
{
    ASSERT(at <= buf->size);
    size_t rest = buf->size - at;
    buf_extend(buf, bytes.size);
    memmove(buf->data + at + bytes.size, buf->data + at, rest);
    memcpy(buf->data + at, bytes.data, bytes.size);
}

static void remove_bytes(struct buf *buf, size_t at, size_t count)
{
    ASSERT(at + count <= buf->size);
    memmove(buf->data + at, buf->data + at + count, buf->size - at - count);
    buf->size -= count;
}

static void insert_random(struct driver *driver, struct buf *buf, size_t at)
{
    uint8_t run[RUN_MAX];
    size_t count = prng_between(&driver->prng, 1, RUN_MAX);
    bool is_text = prng_chance(&driver->prng, 500000);
    for (size_t i = 0; i < count; i++)
        run[i] =
            (uint8_t)(is_text ? prng_between(&driver->prng, ' ', '~') : prng_next(&driver->prng));
    insert_bytes(buf, at, bytes_of(run, count));
}

/* What formats are made of: ends of lines, counts, the edges of integers. */
static void insert_token(struct driver *driver, struct buf *buf, size_t at)
{
    static const struct {
        char text[24];
        size_t size;
    } tokens[] = {
        {"\r\n", 2},
        {"*3\r\n", 4},
        {"$5\r\n", 4},
        {"$-1\r\n", 5},
        {"*-1\r\n", 5},
        {"$0\r\n\r\n", 6},
        {"2147483648", 10},
        {"9223372036854775807", 19},
        {"-9223372036854775808", 20},
        {"18446744073709551616", 20},
        {"\0\0\0\0", 4},
        {"\xff\xff\xff\xff", 4},
        {"\0\0\0\x80", 4},
        {"\x01\0\0\0\0\0\0\0", 8},
        {"\"", 1},
        {"\\x", 2},
        {"'", 1},
        {"1gb", 3},
        {"--", 2},
        {"nan", 3},
        {"-inf", 4},
        {"*", 1},
        {"[^a-", 4},
        {"{}", 2},
    };
    size_t token = prng_below(&driver->prng, COUNT_OF(tokens));
    insert_bytes(buf, at, bytes_of(tokens[token].text, tokens[token].size));
}

static void insert_from_pool(struct driver *driver, struct buf *buf, size_t at)
{
    const struct buf *from = &driver->pool[prng_below(&driver->prng, driver->pool_count)];
    if (from->size == 0)
        return;
    size_t begin = prng_below(&driver->prng, from->size);
    size_t count = prng_between(&driver->prng, 1, from->size - begin);
    insert_bytes(buf, at, bytes_of(from->data + begin, count));
}

static void change_byte(struct driver *driver, struct buf *buf, size_t at)
{
    switch (prng_below(&driver->prng, 3)) {
    case 0:
        buf->data[at] ^= (uint8_t)(1 << prng_below(&driver->prng, 8));
        break;
    case 1:
        buf->data[at] = (uint8_t)prng_next(&driver->prng);
        break;
    default:
        buf->data[at] = (uint8_t)(buf->data[at] + prng_between(&driver->prng, 0, 8) - 4);
        break;
    }
}

static void mutate(struct driver *driver, struct buf *buf)
{
    size_t at = prng_below(&driver->prng, buf->size + 1);
    uint64_t how = prng_below(&driver->prng, 6);
    if (how == 0)
        insert_random(driver, buf, at);
    else if (how == 1)
        insert_token(driver, buf, at);
    else if (how == 2)
        insert_from_pool(driver, buf, at);
    else if (at == buf->size)
        buf->size = at / 2;
    else if (how == 3)
        remove_bytes(
            buf, at,
            prng_between(&driver->prng, 1, buf->size - at < RUN_MAX ? buf->size - at : RUN_MAX));
    else
        change_byte(driver, buf, at);
}

static void run_drawn_inputs(struct driver *driver)
{
    struct buf input = {0};
    for (uint64_t i = 0; i < driver->inputs; i++) {
        buf_clear(&input);
        buf_append(&input, buf_bytes(&driver->pool[prng_below(&driver->prng, driver->pool_count)]));
        for (uint64_t steps = prng_between(&driver->prng, 1, STEPS_MAX); steps > 0; steps--)
            mutate(driver, &input);
        if (input.size > driver->size_max)
            input.size = driver->size_max;
        run_input(driver, buf_bytes(&input));
        if (prng_chance(&driver->prng, 100000))
            keep_input(driver, buf_bytes(&input));
    }
    buf_free(&input);
}

static void run_file(struct driver *driver, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s: %s: %s\n", driver->name, path, strerror(errno));
        exit(2);
    }
    struct buf input = {0};
    size_t count = fread(buf_reserve(&input, FILE_MAX), 1, FILE_MAX, file);
    buf_extend(&input, count);
    fclose(file);
    run_input(driver, buf_bytes(&input));
    keep_input(driver, buf_bytes(&input));
    buf_free(&input);
}

static uint64_t number_or_exit(const char *text)
{
    char *end;
    errno = 0;
    unsigned long long value = text == NULL ? 0 : strtoull(text, &end, 10);
    if (text == NULL || errno != 0 || *text == '\0' || *end != '\0') {
        fprintf(stderr, "a number is missing after an option\n");
        exit(2);
    }
    return value;
}

_Noreturn static void unknown_option(const char *word)
{
    fprintf(stderr, "unknown option %s\n", word);
    exit(2);
}

/* Returns how many words the options take; the rest are files. */
static int read_options(struct driver *driver, int argc, char **argv)
{
    int i = 1;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        uint64_t value = number_or_exit(i + 1 < argc ? argv[i + 1] : NULL);
        if (strcmp(argv[i], "--seed") == 0)
            driver->seed = value;
        else if (strcmp(argv[i], "--inputs") == 0)
            driver->inputs = value;
        else if (strcmp(argv[i], "--size-max") == 0)
            driver->size_max = value;
        else
            unknown_option(argv[i]);
    }
    return i;
}

static void run_all(struct driver *driver, char **files, int file_count)
{
    keep_input(driver, bytes_of(NULL, 0));
    run_input(driver, bytes_of(NULL, 0));
    for (int i = 0; i < file_count; i++)
        run_file(driver, files[i]);
    run_drawn_inputs(driver);
    for (size_t i = 0; i < POOL_MAX; i++)
        buf_free(&driver->pool[i]);
}

static void save_input(const struct driver *driver)
{
    char path[256];
    snprintf(path, sizeof(path), "fuzz-failed-%s", driver->name);
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return;
    size_t written = fwrite(driver->under_way->data, 1, driver->under_way->size, file);
    printf("# the failing input, %zu bytes, is in %s\n", written, path);
    fclose(file);
}

/* True when the child came to its end in peace. */
static bool run_in_child(struct driver *driver, char **files, int file_count)
{
    fflush(NULL);
    pid_t child = fork();
    ASSERT(child >= 0);
    if (child == 0) {
        run_all(driver, files, file_count);
        exit(0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        ASSERT(errno == EINTR);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    struct driver driver = {
        .name = slash == NULL ? argv[0] : slash + 1, .seed = 1, .inputs = 20000, .size_max = 4096};
    int first = read_options(&driver, argc, argv);
    driver.prng = prng_init(driver.seed);
    driver.under_way = mmap(NULL, sizeof(*driver.under_way), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(driver.under_way != MAP_FAILED);

    bool survived = run_in_child(&driver, argv + first, argc - first);
    if (!survived)
        save_input(&driver);
    printf("1..1\n%s 1 - %s survives %llu inputs of seed %llu and %d files\n",
           survived ? "ok" : "not ok", driver.name, (unsigned long long)driver.inputs,
           (unsigned long long)driver.seed, argc - first);
    return survived ? 0 : 1;
}
