/* Encrypted links: who is let in, who is not, and that nothing else changes. */
#include <fcntl.h>

#include "base/mem.h"
#include "certificates.h"
#include "peers_box.h"
#include "proxy.h"

static struct box box;
static char dir[64];
static char paths[8][96];

enum { CA, CERT_1, KEY_1, CERT_2, KEY_2, OTHER_CA, OTHER_CERT, OTHER_KEY };

static int make_files(void **state)
{
    (void)state;
    static const char *const names[] = {"ca",   "cert1",    "key1",       "cert2",
                                        "key2", "other-ca", "other-cert", "other-key"};
    (void)snprintf(dir, sizeof(dir), "/tmp/quoin-tls-XXXXXX");
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < COUNT_OF(names); i++)
        (void)snprintf(paths[i], sizeof(paths[i]), "%s/%s.pem", dir, names[i]);
    struct authority ours = authority_make("ours"), other = authority_make("other");
    write_certificate(ours.certificate, paths[CA]);
    write_certificate(other.certificate, paths[OTHER_CA]);
    authority_sign(&ours, "node 1", paths[CERT_1], paths[KEY_1]);
    authority_sign(&ours, "node 2", paths[CERT_2], paths[KEY_2]);
    authority_sign(&other, "stranger", paths[OTHER_CERT], paths[OTHER_KEY]);
    authority_free(&ours);
    authority_free(&other);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        (void)unlink(paths[i]);
    return rmdir(dir);
}

static void use_tls(size_t at, int cert, int key, int ca)
{
    struct peers_options *options = &box.nodes[at].options;
    options->use_tls = true;
    options->tls_cert_file = paths[cert];
    options->tls_key_file = paths[key];
    options->tls_ca_cert_file = paths[ca];
}

static int begin(void **state)
{
    (void)state;
    box_begin(&box, 2);
    use_tls(0, CERT_1, KEY_1, CA);
    use_tls(1, CERT_2, KEY_2, CA);
    return 0;
}

static int end(void **state)
{
    (void)state;
    box_end(&box);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static void encrypted_links_carry_everything(void **state)
{
    (void)state;
    enum { SIZE = 20 << 20 };
    box_open_all(&box);
    BOX_UNTIL(&box, box_all_linked(&box));
    uint8_t *payload = mem_zero(SIZE);
    struct entry *entry = entry_new(ENTRY_MEMBERS, payload, SIZE);
    struct raft_message message = {.kind = RAFT_APPEND, .to = 2, .term = 1, .append.count = 1};
    assert_int_equal(peers_send_append(box.nodes[0].peers, 0, &message, &entry, 1), 1);
    message = (struct raft_message){.kind = RAFT_VOTE, .to = 1, .term = 1};
    peers_send(box.nodes[1].peers, 0, &message);
    BOX_UNTIL(&box, box_count(&box, 1, PEERS_IN_MESSAGE) == 1 &&
                        box_count(&box, 0, PEERS_IN_MESSAGE) == 1);
    assert_int_equal(box_find(&box, 1, PEERS_IN_MESSAGE, 0)->entries.size, SIZE);
    assert_int_equal(box_status(&box, 1, 0).refused, 0);
    entry_release(entry);
}

static void an_encrypted_link_comes_back(void **state)
{
    (void)state;
    box_open_all(&box);
    BOX_UNTIL(&box, box_all_linked(&box));
    box_forget(&box.nodes[0]);
    box_close(&box, 1);
    BOX_UNTIL(&box, box_count(&box, 0, PEERS_IN_LINK_DOWN) == PEERS_CHANNELS);
    box.nodes[1].options.run++;
    box_open(&box, 1);
    BOX_UNTIL(&box, box_all_linked(&box));
}

/* The thread writes where the loop reads: one session, under the lock. */
static void pulses_are_encrypted_too(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++)
        box.nodes[i].options.has_thread = true;
    box_open_all(&box);
    BOX_UNTIL(&box, box_all_linked(&box));
    peers_lead(box.nodes[0].peers, 1, 2);
    box_turns(&box);
    uint64_t begun_us = clock_boot_us();
    while (box_count(&box, 1, PEERS_IN_PULSE) < 3) {
        box_turn(&box, 1);
        assert_true(clock_boot_us() - begun_us < BOX_PATIENCE_US);
    }
    BOX_UNTIL(&box, box_count(&box, 0, PEERS_IN_PULSE_ANSWER) >= 3);
    assert_true(box_all_linked(&box));
}

/* Frames need many reads of a session: what it has decrypted ahead must not be forgotten. */
static void many_small_frames_are_not_left_inside_the_session(void **state)
{
    (void)state;
    box_open_all(&box);
    BOX_UNTIL(&box, box_all_linked(&box));
    box_forget(&box.nodes[1]);
    struct raft_message message = {.kind = RAFT_VOTE, .to = 2, .term = 1};
    for (int i = 0; i < 3000; i++)
        peers_send(box.nodes[0].peers, 0, &message);
    BOX_UNTIL(&box, box_count(&box, 1, PEERS_IN_MESSAGE) == 3000);
}

static void expect_no_link(const char *logged)
{
    box_open_all(&box);
    BOX_UNTIL(&box, box_logged(&box, logged));
    BOX_UNTIL(&box, box_status(&box, 0, 1).error[0] != 0);
    for (int i = 0; i < PEERS_CHANNELS; i++) {
        assert_false(box_status(&box, 0, 1).is_linked[i]);
        assert_false(box_status(&box, 1, 0).is_linked[i]);
    }
    assert_int_equal(box_count(&box, 1, PEERS_IN_LINK_UP), 0);
}

static void a_plain_caller_is_refused_by_an_encrypted_node(void **state)
{
    (void)state;
    box.nodes[0].options.use_tls = false;
    expect_no_link("TLS: wrong version number");
}

static void an_encrypted_caller_is_refused_by_a_plain_node(void **state)
{
    (void)state;
    box.nodes[1].options.use_tls = false;
    expect_no_link("it speaks TLS, and tls-cluster is no here");
}

static void a_caller_that_another_authority_signed_is_refused(void **state)
{
    (void)state;
    use_tls(0, OTHER_CERT, OTHER_KEY, CA);
    expect_no_link("Refused a connection to the peer port from 127.0.0.1:");
    assert_true(peers_counters(box.nodes[1].peers).strangers > 0);
}

static void a_called_node_that_another_authority_signed_is_refused(void **state)
{
    (void)state;
    use_tls(1, OTHER_CERT, OTHER_KEY, CA);
    expect_no_link("Node 2 at 127.0.0.1");
    BOX_UNTIL(&box, strstr(box_status(&box, 0, 1).error, "TLS: ") != NULL);
}

/* A certificate does not replace the secret. */
static void another_secret_is_refused_inside_tls(void **state)
{
    (void)state;
    box.nodes[0].options.secret = BYTES_LITERAL("another one");
    expect_no_link("refused: another cluster-secret");
}

static void files_that_cannot_be_read_are_named(void **state)
{
    (void)state;
    static const char *const blamed[] = {"tls-cert-file", "tls-key-file", "tls-ca-cert-file"};
    for (int bad = 0; bad < 4; bad++) {
        struct peers_options options = box.nodes[0].options;
        struct buf error = {0};
        struct peers *peers;
        options.loop = loop_new(8);
        const char **fields[] = {&options.tls_cert_file, &options.tls_key_file,
                                 &options.tls_ca_cert_file};
        if (bad < 3)
            *fields[bad] = "/nonexistent.pem";
        else
            options.tls_key_file = paths[KEY_2]; /* of another certificate */
        assert_false(peers_open(&peers, &options, 1, &error));
        buf_append_u8(&error, 0);
        assert_non_null(strstr((const char *)error.data, bad < 3 ? blamed[bad] : "tls-key-file"));
        buf_free(&error);
        loop_free(options.loop);
    }
}

static void garbage_and_silence_end_an_encrypted_handshake(void **state)
{
    (void)state;
    box_open(&box, 1);
    int fds[2];
    for (int i = 0; i < 2; i++) {
        struct sockaddr_in address = proxy_address(box.nodes[1].port);
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(fds[i], (struct sockaddr *)&address, sizeof(address)), 0);
    }
    assert_int_equal(send(fds[0], "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL), 18);
    BOX_UNTIL(&box, peers_counters(box.nodes[1].peers).strangers == 1);
    box.ahead_us += 3000000;
    BOX_UNTIL(&box, peers_counters(box.nodes[1].peers).strangers == 2);
    for (int i = 0; i < 2; i++)
        (void)close(fds[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(encrypted_links_carry_everything),
        TEST(an_encrypted_link_comes_back),
        TEST(pulses_are_encrypted_too),
        TEST(many_small_frames_are_not_left_inside_the_session),
        TEST(a_plain_caller_is_refused_by_an_encrypted_node),
        TEST(an_encrypted_caller_is_refused_by_a_plain_node),
        TEST(a_caller_that_another_authority_signed_is_refused),
        TEST(a_called_node_that_another_authority_signed_is_refused),
        TEST(another_secret_is_refused_inside_tls),
        TEST(files_that_cannot_be_read_are_named),
        TEST(garbage_and_silence_end_an_encrypted_handshake),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
