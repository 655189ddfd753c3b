--------------------------------- MODULE Raft ---------------------------------
(***************************************************************************)
(* Elections, replication, commit and membership of src/raft: one voter    *)
(* at a time (thesis 4.1), the newest configuration in the log counts.     *)
(* Quorum steps are atomic: a message that is late is a step taken later   *)
(* or never, since stale terms are refused.  What a member says is stored  *)
(* before it says it, so a restart only ends a leadership; gaps make it    *)
(* forget.  Time, leases and transfers are in the module Lease.            *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS
    Server,
    First,         \* the first configuration
    Changes,       \* configurations that may be proposed
    Candidates,    \* who may stand for election
    MaxTerm, MaxLog, Gap

VARIABLES
    term, role,
    log,       \* log[n]: entries [t, c]: term, configuration in force from here on
    commit,    \* commit[n]: of a leader; 0 when not leading
    own,       \* own[n]: index of the no-op of a leader; 0 when not leading
    chosen     \* ghost: index, entry and leader's term of everything committed

vars == <<term, role, log, commit, own, chosen>>

Init ==
    /\ term = [n \in Server |-> 1]
    /\ role = [n \in Server |-> "follower"]
    /\ log = [n \in Server |-> <<[t |-> 1, c |-> First]>>]
    /\ commit = [n \in Server |-> 0]
    /\ own = [n \in Server |-> 0]
    /\ chosen = {[i |-> 1, e |-> [t |-> 1, c |-> First], ct |-> 1]}

Last(n) == log[n][Len(log[n])]
Config(n) == Last(n).c
\* The configuration before the newest one, when that is in sight.
Before(n) == IF Len(log[n]) > 1 THEN log[n][Len(log[n]) - 1].c ELSE Config(n)

IsQuorum(Q, C) ==
    IF Gap = "quorum_is_half"
    THEN (Cardinality(Q \cap C) * 2) >= Cardinality(C)
    ELSE (Cardinality(Q \cap C) * 2) > Cardinality(C)

\* The election restriction (3.6.1).
YieldsTo(v, c) ==
    \/ Gap = "vote_for_shorter_log"
    \/ Last(c).t > Last(v).t
    \/ (Last(c).t = Last(v).t) /\ (Len(log[c]) >= Len(log[v]))

\* c wins with the votes of Q, in a term that is new to all of them, and
\* begins with a no-op.  A candidate that was refused has learnt the term.
NewTerm(c, Q) ==
    1 + (CHOOSE t \in {term[n] : n \in (Q \cup {c})} : \A n \in (Q \cup {c}) : term[n] <= t)

Elect(c, Q) ==
    /\ IsQuorum(Q, Config(c))
    /\ \A v \in Q : YieldsTo(v, c)
    /\ NewTerm(c, Q) <= MaxTerm
    /\ term' = [n \in Server |-> IF n \in (Q \cup {c}) THEN NewTerm(c, Q) ELSE term[n]]
    /\ role' = [n \in Server |-> IF n = c THEN "leader" ELSE IF n \in Q THEN "follower" ELSE role[n]]
    /\ log' = [log EXCEPT ![c] = Append(@, [t |-> NewTerm(c, Q), c |-> Config(c)])]
    /\ commit' = [n \in Server |-> IF n \in (Q \cup {c}) THEN 0 ELSE commit[n]]
    /\ own' = [n \in Server |-> IF n = c THEN Len(log[c]) + 1 ELSE IF n \in Q THEN 0 ELSE own[n]]
    /\ UNCHANGED chosen

\* A restart, or a leader that finds itself without a quorum.
StepDown(n) ==
    /\ role[n] = "leader"
    /\ role' = [role EXCEPT ![n] = "follower"]
    /\ commit' = [commit EXCEPT ![n] = 0]
    /\ own' = [own EXCEPT ![n] = 0]
    /\ UNCHANGED <<term, log, chosen>>

\* A restart that forgot what was said before it was stored.
ForgetTerm(n) ==
    /\ Gap = "vote_before_stored"
    /\ role[n] = "follower"
    /\ term[n] > 1
    /\ term' = [term EXCEPT ![n] = @ - 1]
    /\ UNCHANGED <<role, log, commit, own, chosen>>

ForgetEntry(n) ==
    /\ Gap = "acknowledge_before_stored"
    /\ role[n] = "follower"
    /\ Len(log[n]) > 1
    /\ log' = [log EXCEPT ![n] = SubSeq(@, 1, Len(@) - 1)]
    /\ UNCHANGED <<term, role, commit, own, chosen>>

\* One voter more or less, and only when the own no-op and the change before
\* are committed.
Neighbours(C) == {C \cup {s} : s \in (Server \ C)} \cup {C \ {s} : s \in C}
NoOpenChange(n) == \A i \in (commit[n] + 1)..Len(log[n]) : log[n][i].c = log[n][commit[n]].c
MayChange(n) ==
    IF Gap = "change_before_noop" THEN TRUE
    ELSE IF commit[n] < own[n] THEN FALSE
    ELSE (Gap = "two_open_changes") \/ NoOpenChange(n)

Change(n, C) ==
    /\ role[n] = "leader"
    /\ Len(log[n]) < MaxLog
    /\ C # {}
    /\ MayChange(n)
    /\ log' = [log EXCEPT ![n] = Append(@, [t |-> term[n], c |-> C])]
    /\ UNCHANGED <<term, role, commit, own, chosen>>

\* f takes the leader's entry after their common beginning.
CommonSet(n, f) ==
    {k \in 0..Len(log[n]) :
        IF k > Len(log[f]) THEN FALSE ELSE \A i \in 1..k : log[n][i] = log[f][i]}
Common(n, f) == CHOOSE k \in CommonSet(n, f) : \A j \in CommonSet(n, f) : j <= k

Replicate(n, f) ==
    /\ role[n] = "leader"
    /\ n # f
    /\ term[f] <= term[n]
    /\ Common(n, f) < Len(log[n])
    /\ log' = [log EXCEPT ![f] = SubSeq(log[n], 1, Common(n, f) + 1)]
    /\ term' = [term EXCEPT ![f] = term[n]]
    /\ role' = [role EXCEPT ![f] = "follower"]
    /\ commit' = [commit EXCEPT ![f] = 0]
    /\ own' = [own EXCEPT ![f] = 0]
    /\ UNCHANGED chosen

Holders(n, k) == {f \in Server : (term[f] = term[n]) /\ (Common(n, f) >= k)}

\* Only an entry of the own term is committed by counting (3.6.2).
Commit(n, k) ==
    /\ role[n] = "leader"
    /\ k > commit[n]
    /\ k <= Len(log[n])
    /\ (log[n][k].t = term[n]) \/ (Gap = "commit_old_term_by_counting")
    /\ IsQuorum(Holders(n, k), Config(n))
    /\ commit' = [commit EXCEPT ![n] = k]
    /\ chosen' = chosen \cup {[i |-> j, e |-> log[n][j], ct |-> term[n]] : j \in (commit[n] + 1)..k}
    /\ UNCHANGED <<term, role, log, own>>

\* Who a newer configuration leaves out still stands: it may be needed (4.2.2).
MayStand(c) ==
    /\ c \in Candidates
    /\ role[c] = "follower"
    /\ term[c] < MaxTerm
    /\ Len(log[c]) < MaxLog
    /\ c \in (Config(c) \cup Before(c))

Stand(c) ==
    /\ MayStand(c)
    /\ \E Q \in SUBSET Config(c) : Elect(c, Q)

Next ==
    \/ \E c \in Server : Stand(c)
    \/ \E n \in Server : StepDown(n)
    \/ \E n \in Server : ForgetTerm(n)
    \/ \E n \in Server : ForgetEntry(n)
    \/ \E n \in Server : \E C \in (Neighbours(Config(n)) \cap Changes) : Change(n, C)
    \/ \E n \in Server, f \in Server : Replicate(n, f)
    \/ \E n \in Server, k \in 1..MaxLog : Commit(n, k)

Spec == Init /\ [][Next]_vars

TypeOK ==
    \A n \in Server :
        /\ term[n] \in 1..MaxTerm
        /\ Len(log[n]) \in 1..MaxLog
        /\ commit[n] <= Len(log[n])

OneLeaderPerTerm ==
    \A m \in Server : \A n \in Server :
        ((role[m] = "leader") /\ (role[n] = "leader") /\ (term[m] = term[n])) => (m = n)

\* No index is committed with two different entries.
CommitsNeverChange == \A a \in chosen : \A b \in chosen : (a.i = b.i) => (a.e = b.e)

\* A leader holds everything that was committed in terms before its own.
LeaderCompleteness ==
    \A n \in Server : \A a \in chosen :
        ((role[n] = "leader") /\ (a.ct < term[n])) =>
            (IF Len(log[n]) < a.i THEN FALSE ELSE log[n][a.i] = a.e)
===============================================================================
