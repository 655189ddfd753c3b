#include "commands/string_condition.h"

#include <stdio.h>

#include "base/hash.h"
#include "commands/string_commands.h"

enum { DIGEST_SIZE = 16 };

static enum string_condition_kind kind_of(struct bytes word)
{
    static const struct {
        const char *word;
        enum string_condition_kind kind;
    } words[] = {{"IFEQ", CONDITION_EQUAL},
                 {"IFNE", CONDITION_UNEQUAL},
                 {"IFDEQ", CONDITION_DIGEST_EQUAL},
                 {"IFDNE", CONDITION_DIGEST_UNEQUAL}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (bytes_is_word(word, words[i].word))
            return words[i].kind;
    }
    return CONDITION_NONE;
}

bool string_condition_is_word(struct bytes word)
{
    return kind_of(word) != CONDITION_NONE;
}

bool string_condition_parse(const struct call *c, int at, struct string_condition *condition)
{
    if (at + 1 >= c->argc)
        return false;
    *condition = (struct string_condition){kind_of(c->argv[at]), c->argv[at + 1]};
    return condition->kind != CONDITION_NONE;
}

static bool is_of_digest(const struct string_condition *condition)
{
    return condition->kind == CONDITION_DIGEST_EQUAL || condition->kind == CONDITION_DIGEST_UNEQUAL;
}

bool string_condition_check(struct call *c, const struct string_condition *condition)
{
    if (!is_of_digest(condition) || condition->operand.size == DIGEST_SIZE)
        return true;
    call_error(c, "ERR must be exactly 16 hexadecimal characters");
    return false;
}

/* XXH3 of 64 bits with seed 0, as everywhere that computes it beside a server. */
static struct bytes digest_of(const struct object *object, char text[static DIGEST_SIZE + 1])
{
    char scratch[STRING_INT_TEXT_MAX];
    uint64_t digest = hash_bytes(string_value(object, scratch), 0);
    (void)snprintf(text, DIGEST_SIZE + 1, "%016llx", (unsigned long long)digest);
    return bytes_of(text, DIGEST_SIZE);
}

static bool is_equal(const struct string_condition *condition, const struct object *object)
{
    char scratch[STRING_INT_TEXT_MAX], digest[DIGEST_SIZE + 1];
    if (object == NULL)
        return false;
    if (is_of_digest(condition))
        return bytes_equal_nocase(digest_of(object, digest), condition->operand);
    return bytes_equal(string_value(object, scratch), condition->operand);
}

bool string_condition_holds(const struct string_condition *condition, const struct object *object)
{
    ASSERT(condition->kind != CONDITION_NONE);
    bool wants_equal =
        condition->kind == CONDITION_EQUAL || condition->kind == CONDITION_DIGEST_EQUAL;
    return is_equal(condition, object) == wants_equal;
}

void string_digest(struct call *c)
{
    struct object *object;
    char digest[DIGEST_SIZE + 1];
    if (!call_find_string(c, c->argv[1], &object))
        return;
    if (object == NULL)
        reply_null(&c->reply);
    else
        reply_bulk(&c->reply, digest_of(object, digest));
}

/* A key that does not exist is not deleted, whatever the condition. */
static void delete_if(struct call *c, const struct string_condition *condition)
{
    struct object *object;
    struct bytes key = c->argv[1];
    if (!call_find_string(c, key, &object))
        return;
    bool is_met = object != NULL && string_condition_holds(condition, object);
    if (is_met && !call_reserve(c, key.size))
        return;
    is_met = is_met && call_delete(c, key);
    if (is_met)
        call_notify(c, 'g', "del", key);
    reply_int(&c->reply, is_met);
}

static void delete_any(struct call *c)
{
    if (!call_reserve(c, c->argv[1].size))
        return;
    bool is_deleted = call_delete(c, c->argv[1]);
    if (is_deleted)
        call_notify(c, 'g', "del", c->argv[1]);
    reply_int(&c->reply, is_deleted);
}

/* Arguments before the key, since github.com/redis/redis/pull/14529. */
void string_delex(struct call *c)
{
    struct string_condition condition;
    if (c->argc == 2)
        delete_any(c);
    else if (c->argc != 4)
        call_error(c, "ERR wrong number of arguments for 'delex' command");
    else if (!string_condition_parse(c, 2, &condition))
        call_error(c, "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE");
    else if (string_condition_check(c, &condition))
        delete_if(c, &condition);
}

bool string_delex_needs_value(const struct bytes *argv, int argc)
{
    (void)argv;
    return argc > 2;
}

uint32_t string_delex_key_flags(const struct bytes *argv, int argc)
{
    return string_delex_needs_value(argv, argc) ? KEY_RW | KEY_ACCESS | KEY_DELETE
                                                : KEY_RM | KEY_DELETE;
}

/* Of Valkey 9.0: valkey.io/commands/delifeq. */
void string_delifeq(struct call *c)
{
    struct string_condition condition = {CONDITION_EQUAL, c->argv[2]};
    delete_if(c, &condition);
}
