#include "server/client_names.h"

#include "server/client.h"

bool client_names_is_word(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '!' || text.data[i] > '~')
            return false;
    }
    return true;
}

bool client_names_set(struct call *c, struct bytes name)
{
    if (!client_names_is_word(name)) {
        call_error(c, "ERR Client names cannot contain spaces, newlines or special characters.");
        return false;
    }
    client_set_text(&c->client->name, name);
    return true;
}
