/* What a client is answered: names, arity, order, connection commands. */
#include "server_box.h"

static void ping_and_echo_answer(void **state)
{
    (void)state;
    struct box box;
    box_open(&box);
    struct client *client = server_client_new(box.server);
    BOX_EXPECT(&box, client, "PING\r\n", "+PONG\r\n");
    BOX_EXPECT(&box, client, "*2\r\n$4\r\nping\r\n$2\r\nhi\r\n", "$2\r\nhi\r\n");
    BOX_EXPECT(&box, client, "ECHO \"a b\"\r\n", "$3\r\na b\r\n");
    BOX_EXPECT(&box, client, "set a 1\r\nget a\r\nincr a\r\n", "+OK\r\n$1\r\n1\r\n:2\r\n");
    server_client_free(client);
    box_close(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ping_and_echo_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
