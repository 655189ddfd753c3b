#!/usr/bin/env python3
"""Three nodes as clients and operators meet them: MOVED, CLUSTER, RAFT, INFO, handing over.

test-timeout: 180
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from nodes import Nodes, Writer, fields, info_of, shard_line  # noqa: E402
from quoin import E, Server, ask, asks, is_error, main, same, test, wait_for  # noqa: E402
from resp import Client, Map, Verbatim  # noqa: E402

DISABLED = E("ERR This instance has cluster support disabled")
SHARDS = 2


def slot_of(client, key):
    return client("CLUSTER", "KEYSLOT", key)


def cluster_lines(client):
    """Node number within the list -> words of its line of CLUSTER NODES."""
    return [line.split() for line in client("CLUSTER", "NODES").decode().splitlines()]


# --- Without the cluster protocol ---

@test(only="quoin")
def a_plain_server_refuses_cluster_but_answers_raft(r):
    asks(r, ("CLUSTER SLOTS", DISABLED), ("CLUSTER HELP", DISABLED), ("CLUSTER INFO", DISABLED),
         ("CLUSTER COUNTKEYSINSLOT 1", DISABLED), ("READONLY", DISABLED), ("READWRITE", DISABLED),
         ("ASKING", DISABLED))
    same(info_of(r, "server")["redis_mode"], "standalone")
    same(info_of(r, "cluster")["cluster_enabled"], "0")
    member = dict(zip(*[iter(r("RAFT", "MEMBERS")[0])] * 2))
    same((member[b"node"], member[b"role"], member[b"leads"]), (1, b"voter", 1))
    ask(r, "RAFT ADD 2 127.0.0.1:1",
        E("ERR this node has no cluster-secret, so others cannot reach it"))


@test(only="quoin")
def raft_refuses_what_makes_no_sense(r):
    asks(r,
         ("RAFT ADD 0 a:1", E("ERR a node is a number from 1 on")),
         ("RAFT ADD x a:1", E("ERR a node is a number from 1 on")),
         ("RAFT ADD 2147483648 a:1", E("ERR a node is a number from 1 on")),
         ("RAFT ADD 2 a", E("ERR an address is host:port or host:port@peer-port")),
         ("RAFT ADD 2 a:1@70000", E("ERR an address is host:port or host:port@peer-port")),
         ("RAFT ADD 2", E("ERR wrong number of arguments for 'raft|add' command")),
         ("RAFT PROMOTE 1", E("ERR node 1 is a voter already")),
         ("RAFT PROMOTE 2", E("ERR node 2 is no member")),
         ("RAFT REMOVE 2", E("ERR node 2 is no member")),
         ("RAFT REMOVE 1", E("ERR node 1 leads shard 0: RAFT TRANSFER 0 first, and ask the new "
                             "leader")),
         ("RAFT TRANSFER 2", E("ERR shard 0: node 2 is no member")),
         ("RAFT TRANSFER 0 1", E("ERR shard 0: node 1 leads it already")),
         ("RAFT TRANSFER 1 2", E("ERR no such shard, there are 1, counted from 0")),
         ("RAFT TRANSFER -1 2", E("ERR no such shard, there are 1, counted from 0")),
         ("RAFT TRANSFER 0 2 3", E("ERR wrong number of arguments for 'raft|transfer' command")),
         ("RAFT SNAPSHOT 1", E("ERR no such shard, there are 1, counted from 0")),
         ("RAFT SNAPSHOT x", E("ERR value is not an integer or out of range")),
         ("RAFT INFO 0 0", E("ERR wrong number of arguments for 'raft|info' command")),
         ("RAFT NONSENSE", E("ERR unknown subcommand 'NONSENSE'. Try RAFT HELP.")))


@test(only="quoin")
def raft_snapshot_moves_the_mark_to_what_was_applied(_):
    with Server(flush_bytes="1gb", flush_age_ms=3600000) as server, server.client() as client:
        for i in range(100):
            ask(client, f"SET k{i} v", "OK")
        before = shard_line(server.info("raft"))
        assert int(before["mark"]) < int(before["applied"]), before
        ask(client, "RAFT SNAPSHOT", "OK")
        wait_for(lambda: int(shard_line(server.info("raft"))["base"]) >= int(before["applied"]),
                 what="the mark")
        ask(client, "SET k v", "OK")
        ask(client, "RAFT SNAPSHOT 0", "OK")
        wait_for(lambda: int(shard_line(server.info("raft"))["mark"]) > int(before["applied"]),
                 what="the next mark")


# --- Three nodes, two shards ---

NODES = None


def nodes():
    """Shared by the tests that follow; the last of them ends it."""
    global NODES
    if NODES is None:
        NODES = Nodes(3, shards=SHARDS)
        wait_for(lambda: NODES.leader(0) != NODES.leader(1), what="leads that have spread")
        NODES.wait_for_leaders()
    return NODES


@test(only="quoin")
def requests_for_a_shard_led_elsewhere_are_moved_there(_):
    for number in nodes().running():
        with nodes()[number].client() as client:
            for key in (b"a", b"b", b"{x}c", b"foo"):
                slot = slot_of(client, key)
                leader = nodes().leader(slot * SHARDS // 16384)
                reply = client("SET", key, "1")
                if leader == number:
                    same(reply, b"OK")
                else:
                    is_error(reply, f"MOVED {slot} {nodes().address(leader)}")


def slots_as_led():
    """What every node should tell now: for each shard its leader's port, then who leads nothing."""
    leaders = [nodes().leader(shard) for shard in range(SHARDS)]
    idle = sorted(nodes().port(number) for number in {1, 2, 3} - set(leaders))
    return [(nodes().port(leader), idle) for leader in leaders]


def slots_as_told(reply):
    return [(entry[2][1], sorted(node[1] for node in entry[3:])) for entry in reply]


@test(only="quoin")
def slots_name_the_leader_first_and_then_who_leads_nothing(_):
    for number in nodes().running():
        with nodes()[number].client() as client, nodes()[number].client(protocol=3) as client3:
            # A lead may move at any moment, so the two are compared until they are of one moment.
            wait_for(lambda ask=client: slots_as_told(ask("CLUSTER", "SLOTS")) == slots_as_led(),
                     what="slots as they are led")
            found, found3 = client("CLUSTER", "SLOTS"), client3("CLUSTER", "SLOTS")
            same([entry[:2] for entry in found], [[0, 8191], [8192, 16383]])
            for entry in found:
                same(entry[2][0], b"127.0.0.1")
                for node in entry[2:]:
                    same((len(node), len(node[2]), node[3]), (4, 40, []))
            for entry in found3:
                assert all(isinstance(node[3], Map) and not node[3] for node in entry[2:]), entry


@test(only="quoin")
def shards_have_redis_fields_in_redis_order(_):
    order = [b"id", b"port", b"ip", b"endpoint", b"role", b"replication-offset", b"health"]
    with nodes()[1].client() as client, nodes()[1].client(protocol=3) as client3:
        flat, maps = client("CLUSTER", "SHARDS"), client3("CLUSTER", "SHARDS")
        same(len(flat), SHARDS)
        for shard, (entry, entry3) in enumerate(zip(flat, maps)):
            same((entry[0], entry[2]), (b"slots", b"nodes"))
            same([key for key, _ in entry3], [b"slots", b"nodes"])
            same(entry[1], [shard * 8192, shard * 8192 + 8191])
            same(len(entry[3]), 3)
            for node, node3 in zip(entry[3], entry3.dict()[b"nodes"]):
                same(node[::2], order)
                same([key for key, _ in node3], order)
                same(node3.dict()[b"health"], b"online")
            roles = [node.dict()[b"role"] for node in entry3.dict()[b"nodes"]]
            same(roles, [b"master", b"replica", b"replica"])
            same(entry3.dict()[b"nodes"][0].dict()[b"port"], nodes().port(nodes().leader(shard)))


@test(only="quoin")
def nodes_have_a_line_each_that_all_of_them_agree_about(_):
    seen = {}
    for number in (1, 2, 3):
        with nodes()[number].client() as client:
            myid = client("CLUSTER", "MYID")
            lines = cluster_lines(client)
            same(len(lines), 3)
            mine = [line for line in lines if "myself" in line[2].split(",")]
            same([line[0].encode() for line in mine], [myid])
            same(mine[0][1], f"{nodes().address(number)}@{nodes().peer_port(number)}")
            same([line[7] for line in lines], ["connected"] * 3)
            seen[number] = sorted((line[0], line[1], line[2].replace("myself,", ""), line[3],
                                   *line[8:]) for line in lines)
            same(sorted(slot for line in lines for slot in line[8:]), ["0-8191", "8192-16383"])
    same(seen[2], seen[1])
    same(seen[3], seen[1])
    for line in seen[1]:
        assert (line[2] == "master") == (len(line) > 4), line
        assert (line[3] == "-") == (line[2] == "master"), line


@test(only="quoin")
def replicas_follow_the_leader_of_the_first_shard(_):
    with nodes()[1].client() as client:
        lines = cluster_lines(client)
        masters = [line for line in lines if "master" in line[2]]
        slaves = [line for line in lines if "slave" in line[2]]
        first = next(line for line in masters if "0-8191" in line)
        found = client("CLUSTER", "REPLICAS", first[0])
        same(sorted(text.decode().split()[0] for text in found), sorted(s[0] for s in slaves))
        same(client("CLUSTER", "SLAVES", first[0]), found)
        same({line[3] for line in slaves} | {first[0]}, {first[0]})
        for line in slaves:
            ask(client, f"CLUSTER REPLICAS {line[0]}", E("ERR The specified node is not a master"))
        asks(client, ("CLUSTER REPLICAS x", E("ERR Unknown node x")),
             (f"CLUSTER COUNT-FAILURE-REPORTS {first[0]}", 0),
             ("CLUSTER COUNT-FAILURE-REPORTS x", E("ERR Unknown node x")))


@test(only="quoin")
def info_and_links_tell_the_state(_):
    with nodes()[1].client() as client, nodes()[1].client(protocol=3) as client3:
        text = client3("CLUSTER", "INFO")
        assert isinstance(text, Verbatim), text
        found = dict(line.split(":") for line in client("CLUSTER", "INFO").decode().split())
        same((found["cluster_state"], found["cluster_slots_assigned"], found["cluster_slots_ok"],
              found["cluster_known_nodes"]), ("ok", "16384", "16384", "3"))
        assert found["cluster_size"] in ("1", "2"), found
        links = client3("CLUSTER", "LINKS")
        same(len(links), 8)
        for link in links:
            same([key for key, _ in link],
                 [b"direction", b"node", b"create-time", b"events", b"send-buffer-allocated",
                  b"send-buffer-used"])
        same(len(client("CLUSTER", "MYSHARDID")), 40)
        ids = {client("CLUSTER", "MYSHARDID"), client("CLUSTER", "MYID")}
        same(len(ids), 2)


@test(only="quoin")
def keys_of_a_slot_are_counted_and_listed_by_its_leader(_):
    with nodes()[1].client() as client:
        slot = slot_of(client, "t")
    shard = slot * SHARDS // 16384
    leader, other = nodes().leader(shard), nodes().leader(1 - shard)
    with nodes()[leader].client() as client, nodes()[other].client() as away:
        ask(client, f"CLUSTER COUNTKEYSINSLOT {slot}", 0)
        for i in range(20):
            ask(client, ["SET", f"{{t}}{i}", "v"], "OK")
        ask(client, "PEXPIRE {t}19 1", 1)
        ask(client, "DEL {t}0", 1)
        wait_for(lambda: client("EXISTS", "{t}19") == 0, what="the end of a key")
        ask(client, f"CLUSTER COUNTKEYSINSLOT {slot}", 18)
        same(sorted(client("CLUSTER", "GETKEYSINSLOT", slot, 100)),
             sorted(b"{t}%d" % i for i in range(1, 19)))
        same(len(set(client("CLUSTER", "GETKEYSINSLOT", slot, 5))), 5)
        ask(client, f"CLUSTER GETKEYSINSLOT {slot} 0", [])
        moved = E(f"MOVED {slot} {nodes().address(leader)}")
        asks(away, (f"CLUSTER COUNTKEYSINSLOT {slot}", moved),
             (f"CLUSTER GETKEYSINSLOT {slot} 1", moved))
        asks(client, ("CLUSTER COUNTKEYSINSLOT 16384", E("ERR Invalid slot")),
             ("CLUSTER COUNTKEYSINSLOT -1", E("ERR Invalid slot")),
             ("CLUSTER COUNTKEYSINSLOT x", E("ERR value is not an integer or out of range")),
             (f"CLUSTER GETKEYSINSLOT {slot} -1", E("ERR Invalid slot or number of keys")))


@test(only="quoin")
def hello_and_info_say_cluster(_):
    with nodes()[2].client() as client:
        hello = client("HELLO", "2")
        same(hello[hello.index(b"mode") + 1], b"cluster")
        same(info_of(client, "server")["redis_mode"], "cluster")
        same(info_of(client, "cluster")["cluster_enabled"], "1")


@test(only="quoin")
def redis_cli_finds_its_way(_):
    command = ["redis-cli", "-c", "-p", str(nodes().port(3))]
    script = "".join(f"SET key{i} value{i}\nGET key{i}\n" for i in range(20))
    done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=20)
    found = [line for line in done.stdout.splitlines() if line.strip() and "->" not in line]
    same(found, [word for i in range(20) for word in ("OK", f"value{i}")])


@test(only="quoin")
def info_raft_tells_about_shards_peers_and_links(_):
    roles = []
    for number in (1, 2, 3):
        info = nodes().raft(number)
        roles.append(info["raft_role"])
        same((info["node"], info["members"], info["shards"]), (str(number), "3", str(SHARDS)))
        for field in ("campaigns", "elections_won", "step_downs", "refused_entries",
                      "installs_sending", "installs_received", "cluster_id", "store_id"):
            assert field in info, field
        for other in {1, 2, 3} - {number}:
            link = fields(info[f"link{other}"])
            same((link["linked"], link["error"]), ("4", ""))
            for shard in range(SHARDS):
                leads = shard_line(info, shard)["role"] == "leader"
                assert (f"shard{shard}_peer{other}" in info) == leads, (number, shard)
                if leads:
                    peer = fields(info[f"shard{shard}_peer{other}"])
                    same((peer["state"], peer["role"]), ("replicate", "voter"))
    assert sum(role != "follower" for role in roles) in (1, 2), roles
    with nodes()[1].client(protocol=3) as client:
        one = client("RAFT", "INFO", 1)
        assert isinstance(one, Verbatim) and b"shard1:" in one and b"shard0:" not in one, one
        for part in (b"raft_role:", b"shard0:", b"shard1:", b"link2:"):
            assert part in client("RAFT", "INFO"), part
        same(len(client("RAFT", "HELP")) > 10, True)


@test(only="quoin")
def members_are_told_alike_by_all(_):
    for number in (1, 2, 3):
        found = nodes().members(number)
        same(list(found), [1, 2, 3])
        same([found[n]["address"].decode() for n in found], list(map(nodes().address, found)))
        same([found[n]["peer-port"] for n in found], list(map(nodes().peer_port, found)))
        same([(found[n]["role"], found[n]["linked"]) for n in found], [(b"voter", 1)] * 3)
        same(sum(found[n]["leads"] for n in found), SHARDS)
        same(len({found[n]["store-id"] for n in found}), 3)
        same(found[number]["heard-ms-ago"], 0)


@test(only="quoin")
def only_the_leader_of_the_first_shard_takes_changes(_):
    leader = nodes().leader()
    other = 1 + leader % 3
    text = f"ERR this node does not lead shard 0, ask {nodes().address(leader)}"
    with nodes()[other].client() as client, nodes()[leader].client() as leads:
        asks(client, ("RAFT ADD 4 127.0.0.1:1", E(text)), ("RAFT REMOVE 1", E(text)),
             ("RAFT PROMOTE 1", E(text)), (f"RAFT TRANSFER 0 {other}", E(text)))
        asks(leads,
             (f"RAFT ADD {other} 127.0.0.1:1", E(f"ERR node {other} is a member already")),
             (f"RAFT PROMOTE {other}", E(f"ERR node {other} is a voter already")),
             (f"RAFT REMOVE {leader}", E(f"ERR node {leader} leads shard 0: RAFT TRANSFER 0 first, "
                                         "and ask the new leader")),
             ("RAFT TRANSFER 0 9", E("ERR shard 0: node 9 is no member")))


@test(only="quoin")
def the_last_of_the_shared_nodes_is_stopped(_):
    global NODES
    NODES.delete()
    NODES = None


# --- One shard: changes of leaders ---

@test(only="quoin")
def a_transfer_moves_the_lead_where_it_is_told(_):
    with Nodes(3) as nodes:
        nodes.on_leader("SET", "a", "1")
        for count in range(4):
            leader = nodes.leader()
            to = 1 + leader % 3
            same(nodes.ask_leader("RAFT", "TRANSFER", 0, to), b"OK")
            wait_for(lambda: nodes.leader() == to, what=f"the lead of node {to}")
            same(nodes.on_leader("INCR", "n"), count + 1)
        leader = nodes.leader()
        to = 1 + leader % 3
        same(nodes.ask_leader("RAFT", "TRANSFER", to), b"OK")
        wait_for(lambda: nodes.leader() == to, what=f"the lead of node {to}")
        with nodes[leader].client() as client:
            ask(client, f"RAFT TRANSFER {to}", E("ERR this node leads no shard"))
        nodes[leader].kill()
        with nodes[to].client() as client:
            wait_for(lambda: nodes.members(to)[leader]["linked"] == 0, what="a lost link")
            ask(client, f"RAFT TRANSFER {leader}",
                E(f"ERR shard 0: node {leader} is not there now"))
            third = 6 - leader - to
            ask(client, f"RAFT REMOVE {third}",
                E(f"ERR without node {third} there is no majority now"))
            same(client("INCR", "n"), 5)
            line = next(line for line in cluster_lines(client) if "fail?" in line[2])
            same((line[1].split("@")[0], line[7]), (nodes.address(leader), "disconnected"))


@test(only="quoin")
def leads_that_wander_under_writes_lose_nothing(_):
    big = [["MSET", *[word for i in range(at, at + 500) for word in (f"k{i}", "v")]]
           for at in range(0, 20000, 500)]
    transaction = (("MULTI",), ("SET", "t", "1"), ("KEYS", "nothing*"), ("INCR", "twice"),
                   ("INCR", "twice"), ("EXEC",))
    with Nodes(3) as nodes:
        for request in big:
            same(nodes.on_leader(*request), b"OK")
        writers = [Writer(nodes, counter="a"), Writer(nodes, *transaction, counter="b"),
                   Writer(nodes, ("SET", "x", "y" * 10000), counter="c"),
                   Writer(nodes, ("WATCH", "t"), *transaction, counter="d")]
        for writer in writers:
            writer.__enter__()
        for _ in range(12):
            before = [writer.acknowledged for writer in writers]
            to = 1 + nodes.leader() % 3
            nodes.ask_leader("RAFT", "TRANSFER", to)
            wait_for(lambda: all(writer.acknowledged > count + 3
                                 for writer, count in zip(writers, before)), seconds=30,
                     what="writes of all")
        for writer in writers:
            writer.__exit__()
            writer.check()
        same(int(nodes.on_leader("GET", "twice")) % 2, 0)
        nodes.wait_until_alike()
        for number in (1, 2, 3):
            assert not nodes[number].has_died(), nodes[number].last_words()


@test(only="quoin")
def a_leader_that_is_shut_down_hands_over_first(_):
    with Nodes(3) as nodes:
        nodes.on_leader("SET", "a", "1")
        leader = nodes.leader()
        with nodes[leader].client() as client:
            client.send("SHUTDOWN")
            same(nodes[leader].wait_until_ended(), 0)
        assert "hands its lead to node" in nodes[leader].log(), nodes[leader].log()
        follower = nodes.leader()
        log = nodes[follower].log()
        assert "hears no leader" not in log[log.rindex("follows node"):], \
            "who is told to lead does not wait for an election timeout"
        same(nodes.on_leader("GET", "a"), b"1")


@test(only="quoin")
def a_restart_in_any_order_keeps_everything(_):
    with Nodes(3) as nodes:
        written = {}
        for round_, order in enumerate(([1, 2, 3], [3, 1, 2], [2, 3, 1])):
            for i in range(50):
                key = f"k{round_}-{i}"
                same(nodes.on_leader("SET", key, f"{round_}/{i}"), b"OK")
                written[key] = f"{round_}/{i}".encode()
            for number in order:
                if round_ == 1:
                    nodes[number].kill()
                else:
                    same(nodes[number].stop(), 0)
            nodes.start(*order)
            nodes.wait_for_leaders()
            with Client(nodes.port(nodes.leader())) as client:
                same(client("MGET", *written), list(written.values()))
        ids = {nodes.members(number)[1]["store-id"] for number in (1, 2, 3)}
        same(len(ids), 1)


@test(only="quoin")
def without_a_majority_nothing_is_answered_and_nothing_is_lost(_):
    with Nodes(3) as nodes:
        same(nodes.on_leader("SET", "a", "1"), b"OK")
        leader = nodes.leader()
        for number in {1, 2, 3} - {leader}:
            nodes[number].kill()
        with nodes[leader].client(timeout=30) as client:
            wait_for(lambda: b"cluster_state:fail" in client("CLUSTER", "INFO"),
                     what="a leader that steps down")
            assert b"cluster_slots_ok:0" in client("CLUSTER", "INFO")
            ask(client, "CLUSTER SLOTS", [])
            for request in ("GET a", "SET a 2"):
                ask(client, request, E("CLUSTERDOWN…"))
        nodes.start(*({1, 2, 3} - {leader}))
        same(nodes.on_leader("GET", "a"), b"1")


main()
