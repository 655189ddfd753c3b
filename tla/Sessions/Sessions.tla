------------------------------- MODULE Sessions -------------------------------
(***************************************************************************)
(* One identity per request (law L8): a home sends writes for its clients  *)
(* to whoever leads the shard; leaders change, links break, copies are     *)
(* late.  Every acknowledged write took effect exactly once, and an answer *)
(* that changed nothing is never followed by its execution.                *)
(*                                                                         *)
(* Raft is abstract.  `log' is what is committed; the leader of term t has *)
(* `tail[t]' on top of it.  Only the newest leader can commit, but an      *)
(* older one may not know yet that it is deposed, and goes on.  A new      *)
(* leader inherits a part of a tail: of any term not older than the last   *)
(* that committed its no-op, which buries all others.                      *)
(*                                                                         *)
(* The table of a leader is not a variable: it is what the rows in its log *)
(* say, the unapplied ones included, since the row seat -> sequence is in  *)
(* the entry itself.                                                       *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS
    Seat,          \* seats of the home in this shard
    MaxSeq,        \* writes per seat
    MaxTerm,
    MaxLink,
    Gap

VARIABLES
    log,       \* committed entries [s, q]: seat, sequence
    tail,      \* tail[t]: entries [s, q, l] of the leader of term t; l: asked on this link
    term,      \* newest term
    noop,      \* newest term whose no-op is committed
    known,     \* newest link that the leader of term t has heard of
    link,      \* newest link of the home
    home,      \* the newest term that the home has heard of
    seq,       \* seq[s]: sequence of the seat's last write
    open,      \* open[s]: it is not answered yet
    asked,     \* asked[s]: [t, l] it was sent to last
    flight,    \* requests under way [s, q, t, l]
    answers,   \* answers under way [s, q, t, l, r]
    result     \* result[s][q]: "none yet", "done", "nothing" (left no entry)

vars == <<log, tail, term, noop, known, link, home, seq, open, asked, flight, answers, result>>
raft == <<log, tail, term, noop>>
client == <<link, home, seq, open, asked, result>>

Terms == 1..MaxTerm
Seqs == 1..MaxSeq

Init ==
    /\ log = <<>>
    /\ tail = [t \in Terms |-> <<>>]
    /\ term = 1
    /\ noop = 0
    /\ known = [t \in Terms |-> 0]
    /\ link = 1
    /\ home = 1
    /\ seq = [s \in Seat |-> 0]
    /\ open = [s \in Seat |-> FALSE]
    /\ asked = [s \in Seat |-> [t |-> 0, l |-> 0]]
    /\ flight = {}
    /\ answers = {}
    /\ result = [s \in Seat |-> [q \in Seqs |-> "none yet"]]

\* ------------------------------------------------------------------ the home
Ask(s, q) ==
    /\ flight' = flight \cup {[s |-> s, q |-> q, t |-> home, l |-> link]}
    /\ asked' = [asked EXCEPT ![s] = [t |-> home, l |-> link]]

\* A seat carries one write at a time.
Send(s) ==
    /\ ~open[s]
    /\ seq[s] < MaxSeq
    /\ seq' = [seq EXCEPT ![s] = @ + 1]
    /\ open' = [open EXCEPT ![s] = TRUE]
    /\ Ask(s, seq[s] + 1)
    /\ UNCHANGED <<raft, known, link, home, answers, result>>

\* Again only to a higher term, or on a newer link.
MayResend(s) ==
    \/ home > asked[s].t
    \/ (home = asked[s].t) /\ (link > asked[s].l)

Resend(s) ==
    /\ open[s]
    /\ MayResend(s)
    /\ Ask(s, seq[s])
    /\ UNCHANGED <<raft, known, link, home, seq, open, answers, result>>

\* With the rule broken: a copy beside the one that is under way.
ResendAnyhow(s) ==
    /\ Gap = "resend_on_the_same_link"
    /\ open[s]
    /\ [s |-> s, q |-> seq[s], t |-> home, l |-> link] \notin flight
    /\ Ask(s, seq[s])
    /\ UNCHANGED <<raft, known, link, home, seq, open, answers, result>>

NewLink ==
    /\ link < MaxLink
    /\ link' = link + 1
    /\ UNCHANGED <<raft, known, home, seq, open, asked, flight, answers, result>>

HearOfLeader ==
    /\ home < term
    /\ home' = term
    /\ UNCHANGED <<raft, known, link, seq, open, asked, flight, answers, result>>

\* Only from the term and on the link that was asked last.
IsExpected(a) ==
    \/ Gap = "answer_of_an_earlier_asking"
    \/ (a.t = asked[a.s].t) /\ (a.l = asked[a.s].l)

TakeAnswer(a) ==
    /\ answers' = answers \ {a}
    /\ IF open[a.s] /\ (a.q = seq[a.s]) /\ IsExpected(a)
       THEN /\ open' = [open EXCEPT ![a.s] = FALSE]
            /\ result' = [result EXCEPT ![a.s][a.q] = a.r]
       ELSE UNCHANGED <<open, result>>
    /\ UNCHANGED <<raft, known, link, home, seq, asked, flight>>

\* The client is told that the outcome is unknown; the seat is free again.
GiveUp(s) ==
    /\ open[s]
    /\ seq[s] < MaxSeq
    /\ open' = [open EXCEPT ![s] = FALSE]
    /\ UNCHANGED <<raft, known, link, home, seq, asked, flight, answers, result>>

\* ---------------------------------------------------------------- the leaders
\* What the leader of term t knows of a seat.
Held(t) ==
    CASE Gap = "table_of_applied_entries" -> log
      [] Gap = "session_row_not_in_entry" -> tail[t]
      [] OTHER -> log \o tail[t]
Sequences(s, t) == {Held(t)[i].q : i \in {j \in 1..Len(Held(t)) : Held(t)[j].s = s}}
Newest(s, t) ==
    IF Sequences(s, t) = {} THEN 0
    ELSE CHOOSE m \in Sequences(s, t) : \A n \in Sequences(s, t) : n <= m

\* L9: a leader serves after its own no-op; an answer without an entry leaves
\* only while it is the leader indeed.
Serves(t) == (noop = t) \/ (Gap = "serves_before_noop")

Execute(m, t) ==
    /\ Serves(t)
    /\ \/ /\ tail' = [tail EXCEPT ![t] = Append(@, [s |-> m.s, q |-> m.q, l |-> m.l])]
          /\ answers' = IF Gap = "answer_before_commit"
                        THEN answers \cup {[s |-> m.s, q |-> m.q, t |-> t, l |-> m.l, r |-> "done"]}
                        ELSE answers
       \/ /\ t = term
          /\ answers' = answers \cup {[s |-> m.s, q |-> m.q, t |-> m.t, l |-> m.l, r |-> "nothing"]}
          /\ UNCHANGED tail

IsCommitted(m) == \E i \in 1..Len(log) : (log[i].s = m.s) /\ (log[i].q = m.q)

\* A repeat is answered from the table: at once, or when its entry is committed.
Repeat(m, t) ==
    /\ IF IsCommitted(m)
       THEN /\ answers' = answers \cup {[s |-> m.s, q |-> m.q, t |-> m.t, l |-> m.l, r |-> "done"]}
            /\ UNCHANGED tail
       ELSE /\ UNCHANGED answers
            /\ tail' = [tail EXCEPT ![t] =
                   [i \in 1..Len(@) |-> IF (@[i].s = m.s) /\ (@[i].q = m.q)
                                        THEN [@[i] EXCEPT !.l = m.l] ELSE @[i]]]

Known(m, t) == (Gap # "no_table") /\ (m.q = Newest(m.s, t))
TooOld(m, t) ==
    IF Gap \in {"no_table", "lower_sequence_executes"} THEN FALSE ELSE m.q < Newest(m.s, t)
Superseded(m, t) == (m.l < known[t]) /\ (Gap # "superseded_link_is_read")

Read(m, t) ==
    /\ t <= term
    /\ (t = m.t) \/ (Gap = "request_for_another_term")
    /\ Serves(t)
    /\ flight' = flight \ {m}
    /\ known' = [known EXCEPT ![t] = IF m.l > @ THEN m.l ELSE @]
    /\ IF Superseded(m, t) \/ TooOld(m, t) THEN UNCHANGED <<tail, answers>>
       ELSE IF Known(m, t) THEN Repeat(m, t)
       ELSE Execute(m, t)
    /\ UNCHANGED <<log, term, noop, client>>

Lose(m) ==
    /\ flight' = flight \ {m}
    /\ UNCHANGED <<raft, known, client, answers>>

\* The oldest entry of the newest leader's tail is on a quorum.
Commit ==
    /\ (noop = term) \/ (Gap = "serves_before_noop")
    /\ tail[term] # <<>>
    /\ log' = Append(log, [s |-> tail[term][1].s, q |-> tail[term][1].q])
    /\ answers' = answers \cup
           {[s |-> tail[term][1].s, q |-> tail[term][1].q, t |-> term,
             l |-> tail[term][1].l, r |-> "done"]}
    /\ tail' = [tail EXCEPT ![term] = SubSeq(@, 2, Len(@))]
    /\ UNCHANGED <<term, noop, known, client, flight>>

\* The no-op of a new term commits what was inherited, before anything is served.
CommitNoop ==
    /\ noop < term
    /\ noop' = term
    /\ log' = log \o [i \in 1..Len(tail[term]) |-> [s |-> tail[term][i].s, q |-> tail[term][i].q]]
    /\ tail' = [tail EXCEPT ![term] = <<>>]
    /\ UNCHANGED <<term, known, client, flight, answers>>

\* Inherited from t, the first k entries; only what a later no-op did not bury.
Elect(t, k) ==
    /\ term < MaxTerm
    /\ t >= noop
    /\ t <= term
    /\ k <= Len(tail[t])
    /\ term' = term + 1
    /\ tail' = [tail EXCEPT ![term + 1] = SubSeq(tail[t], 1, k)]
    /\ UNCHANGED <<log, noop, known, client, flight, answers>>

Next ==
    \/ \E s \in Seat : Send(s)
    \/ \E s \in Seat : Resend(s)
    \/ \E s \in Seat : ResendAnyhow(s)
    \/ NewLink
    \/ HearOfLeader
    \/ \E a \in answers : TakeAnswer(a)
    \/ \E s \in Seat : GiveUp(s)
    \/ \E m \in flight, t \in Terms : Read(m, t)
    \/ \E m \in flight : Lose(m)
    \/ Commit
    \/ CommitNoop
    \/ \E t \in Terms, k \in 0..2 : Elect(t, k)

Spec == Init /\ [][Next]_vars

\* ---------------------------------------------------------------- invariants
TypeOK ==
    /\ term \in Terms
    /\ noop <= term
    /\ home <= term
    /\ \A s \in Seat : seq[s] \in 0..MaxSeq
    /\ Cardinality(flight) <= MaxTerm * MaxLink * MaxSeq * Cardinality(Seat)

Times(s, q) == Cardinality({i \in 1..Len(log) : (log[i].s = s) /\ (log[i].q = q)})

AtMostOnce == \A s \in Seat : \A q \in Seqs : Times(s, q) <= 1

\* "done" is said only of what is committed, and stays so.
AcknowledgedTookEffect ==
    \A s \in Seat : \A q \in Seqs : (result[s][q] = "done") => (Times(s, q) = 1)

\* What was answered as having changed nothing is never executed later.
NothingStaysNothing ==
    \A s \in Seat : \A q \in Seqs : (result[s][q] = "nothing") => (Times(s, q) = 0)
===============================================================================
