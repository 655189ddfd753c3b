-------------------------------- MODULE Lease --------------------------------
(***************************************************************************)
(* Reads without a log entry (law L9, thesis 6.4): heartbeat rounds, the   *)
(* lease, stickiness and pre-votes, leadership transfer, restarts, with a  *)
(* clock that counts ticks.  Elections and commits are atomic quorum       *)
(* steps; logs are in the module Raft.  A pre-vote changes nothing but     *)
(* that an election that cannot be won does not happen, so the condition   *)
(* of an election is that of its pre-vote.  Begins with a leader.          *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets

CONSTANTS
    Server,
    Timeout,       \* ticks of the election timeout, by a voter's clock
    Lease,         \* ticks of the lease, by the leader's: less, by the drift of both
    MaxTerm, MaxWrites, MaxRestarts, Gap

VARIABLES
    term, role,
    since,     \* since[n]: ticks since n heard from a leader (capped)
    lease,     \* lease[n]: ticks left on n's lease
    age,       \* age[n]: ticks since n's open heartbeat round was sent
    acks,      \* acks[n]: acknowledgements of that round, {} when none is open
    ready,     \* ready[n]: n committed an entry of its own term
    commit,    \* writes committed by the cluster
    view,      \* view[n]: writes n has applied
    mute,      \* leaders that handed leadership over: no lease in this term
    restarts

vars == <<term, role, since, lease, age, acks, ready, commit, view, mute, restarts>>

Quorum(S) == (Cardinality(S) * 2) > Cardinality(Server)
Cap(a, b) == IF a < b THEN a ELSE b

First == CHOOSE n \in Server : TRUE

Init ==
    /\ term = [n \in Server |-> 1]
    /\ role = [n \in Server |-> IF n = First THEN "leader" ELSE "follower"]
    /\ since = [n \in Server |-> 0]
    /\ lease = [n \in Server |-> 0]
    /\ age = [n \in Server |-> 0]
    /\ acks = [n \in Server |-> {}]
    /\ ready = [n \in Server |-> n = First]
    /\ commit = 1
    /\ view = [n \in Server |-> IF n = First THEN 1 ELSE 0]
    /\ mute = {}
    /\ restarts = 0

\* A voter inside its own election timeout refuses (pre-)votes.
Willing(v, c, forced) ==
    \/ v = c
    \/ forced
    \/ Gap = "no_stickiness"
    \/ (role[v] # "leader") /\ (since[v] >= Timeout)

Elect(c, Q, forced) ==
    /\ c \in Q
    /\ Quorum(Q)
    /\ term[c] < MaxTerm
    /\ role[c] # "leader"
    /\ forced \/ (since[c] >= Timeout)
    /\ \A v \in Q : (Gap = "term_is_not_checked") \/ (term[v] <= term[c])
    /\ \A v \in Q : Willing(v, c, forced)
    /\ term' = [n \in Server |-> IF n \in Q THEN term[c] + 1 ELSE term[n]]
    /\ role' = [n \in Server |-> IF n = c THEN "leader" ELSE IF n \in Q THEN "follower" ELSE role[n]]
    /\ since' = [n \in Server |-> IF n \in Q THEN 0 ELSE since[n]]
    /\ lease' = [n \in Server |-> IF n \in Q THEN 0 ELSE lease[n]]
    /\ acks' = [n \in Server |-> IF n \in Q THEN {} ELSE acks[n]]
    /\ age' = [n \in Server |-> IF n \in Q THEN 0 ELSE age[n]]
    /\ ready' = [ready EXCEPT ![c] = (Gap = "lease_before_noop")]
    /\ mute' = mute \ Q
    /\ UNCHANGED <<commit, view, restarts>>

\* Leadership transfer lets the target campaign at once, past the stickiness of
\* its voters.  The leader first gives up its lease, the heartbeat round that
\* is open, and every further round of this term.
HandOver(n) ==
    /\ role[n] = "leader"
    /\ n \notin mute
    /\ mute' = mute \cup {n}
    /\ lease' = [lease EXCEPT ![n] = IF Gap = "transfer_keeps_lease" THEN @ ELSE 0]
    /\ acks' = [acks EXCEPT ![n] = IF Gap = "transfer_keeps_round" THEN @ ELSE {}]
    /\ age' = [age EXCEPT ![n] = IF Gap = "transfer_keeps_round" THEN @ ELSE 0]
    /\ UNCHANGED <<term, role, since, ready, commit, view, restarts>>

ForcedElect(n, m, Q) ==
    /\ n \in mute
    /\ n # m
    /\ n \notin Q
    /\ term[m] = term[n]
    /\ Elect(m, Q, TRUE)

OpenRound(n) ==
    /\ role[n] = "leader"
    /\ acks[n] = {}
    /\ (n \notin mute) \/ (Gap = "transfer_starts_rounds")
    /\ acks' = [acks EXCEPT ![n] = {n}]
    /\ age' = [age EXCEPT ![n] = 0]
    /\ UNCHANGED <<term, role, since, lease, ready, commit, view, mute, restarts>>

Ack(n, f) ==
    /\ role[n] = "leader"
    /\ acks[n] # {}
    /\ f \notin acks[n]
    /\ term[f] <= term[n]
    /\ acks' = [acks EXCEPT ![n] = @ \cup {f}, ![f] = {}]
    /\ term' = [term EXCEPT ![f] = term[n]]
    /\ role' = [role EXCEPT ![f] = "follower"]
    /\ since' = [since EXCEPT ![f] = 0]
    /\ lease' = [lease EXCEPT ![f] = 0]
    /\ age' = [age EXCEPT ![f] = 0]
    /\ UNCHANGED <<ready, commit, view, mute, restarts>>

\* The lease counts from the moment the round was sent, not acknowledged.
Renew(n) ==
    /\ role[n] = "leader"
    /\ Quorum(acks[n])
    /\ lease' = [lease EXCEPT ![n] =
           IF Gap = "lease_from_answer" THEN Lease
           ELSE IF age[n] < Lease THEN Lease - age[n] ELSE 0]
    /\ acks' = [acks EXCEPT ![n] = {}]
    /\ age' = [age EXCEPT ![n] = 0]
    /\ UNCHANGED <<term, role, since, ready, commit, view, mute, restarts>>

\* Check-quorum: a leader that lost its quorum steps down.
StepDown(n) ==
    /\ role[n] = "leader"
    /\ lease[n] = 0
    /\ role' = [role EXCEPT ![n] = "follower"]
    /\ acks' = [acks EXCEPT ![n] = {}]
    /\ age' = [age EXCEPT ![n] = 0]
    /\ UNCHANGED <<term, since, lease, ready, commit, view, mute, restarts>>

\* A committed write (the first one of a term is the leader's no-op).
Commit(n, Q) ==
    /\ role[n] = "leader"
    /\ n \in Q
    /\ Quorum(Q)
    /\ \A v \in Q : term[v] <= term[n]
    /\ commit < MaxWrites
    /\ commit' = commit + 1
    /\ view' = [view EXCEPT ![n] = commit + 1]
    /\ ready' = [ready EXCEPT ![n] = TRUE]
    /\ term' = [v \in Server |-> IF v \in Q THEN term[n] ELSE term[v]]
    /\ role' = [v \in Server |-> IF (v \in Q) /\ (v # n) THEN "follower" ELSE role[v]]
    /\ lease' = [v \in Server |-> IF (v \in Q) /\ (v # n) THEN 0 ELSE lease[v]]
    /\ acks' = [v \in Server |-> IF (v \in Q) /\ (v # n) THEN {} ELSE acks[v]]
    /\ age' = [v \in Server |-> IF (v \in Q) /\ (v # n) THEN 0 ELSE age[v]]
    /\ UNCHANGED <<since, mute, restarts>>

\* One tick.  A slow leader clock may not count it (drift).
Tick(slow) ==
    /\ since' = [n \in Server |-> Cap(since[n] + 1, Timeout)]
    /\ lease' = [n \in Server |->
           IF (lease[n] = 0) \/ ((Gap = "clock_drift") /\ (n = slow)) THEN lease[n] ELSE lease[n] - 1]
    /\ age' = [n \in Server |-> IF acks[n] = {} THEN 0 ELSE Cap(age[n] + 1, Lease)]
    /\ UNCHANGED <<term, role, acks, ready, commit, view, mute, restarts>>

\* A restarted node forgot when it last heard a leader: it waits a timeout.
Restart(n) ==
    /\ restarts < MaxRestarts
    /\ restarts' = restarts + 1
    /\ role' = [role EXCEPT ![n] = "follower"]
    /\ since' = [since EXCEPT ![n] = IF Gap = "restart_votes_at_once" THEN Timeout ELSE 0]
    /\ lease' = [lease EXCEPT ![n] = 0]
    /\ acks' = [acks EXCEPT ![n] = {}]
    /\ age' = [age EXCEPT ![n] = 0]
    /\ ready' = [ready EXCEPT ![n] = FALSE]
    /\ UNCHANGED <<term, commit, view, mute>>

Stand(c) ==
    /\ role[c] # "leader"
    /\ since[c] >= Timeout
    /\ term[c] < MaxTerm
    /\ \E Q \in SUBSET Server : Elect(c, Q, FALSE)

StandForced(n, m) ==
    /\ role[m] # "leader"
    /\ term[m] < MaxTerm
    /\ \E Q \in SUBSET Server : ForcedElect(n, m, Q)

Write(n) ==
    /\ role[n] = "leader"
    /\ commit < MaxWrites
    /\ \E Q \in SUBSET Server : Commit(n, Q)

Next ==
    \/ \E c \in Server : Stand(c)
    \/ \E n \in Server : HandOver(n)
    \/ \E n \in mute, m \in Server : StandForced(n, m)
    \/ \E n \in Server : OpenRound(n)
    \/ \E n \in Server, f \in Server : Ack(n, f)
    \/ \E n \in Server : Renew(n)
    \/ \E n \in Server : StepDown(n)
    \/ \E n \in Server : Write(n)
    \/ \E n \in Server : Tick(n)
    \/ \E n \in Server : Restart(n)

Spec == Init /\ [][Next]_vars

TypeOK ==
    /\ \A n \in Server : lease[n] <= Lease
    /\ \A n \in Server : (lease[n] > 0) => (role[n] = "leader")

OneLeaderPerTerm ==
    \A m \in Server : \A n \in Server :
        ((role[m] = "leader") /\ (role[n] = "leader") /\ (term[m] = term[n])) => (m = n)

\* A read served under a lease sees every committed write.
LeaseReadIsFresh ==
    \A n \in Server : ((lease[n] > 0) /\ ready[n]) => (view[n] = commit)
===============================================================================
