--------------------------- MODULE SnapshotOrdering ---------------------------
(***************************************************************************)
(* One member of a shard and what it makes durable, in which order (laws   *)
(* L2 to L5): write-ahead log, row buffer, LevelDB, snapshot mark,         *)
(* compaction, restart, installs.  A crash may come between any two steps. *)
(*                                                                         *)
(* The rest of the cluster is an environment: `log' is what is committed,  *)
(* `pend' what the present leader has proposed on top of it, and a         *)
(* proposal may die with its leader.  So the member may hold an entry that *)
(* is never committed, and learn of commits that its own disk does not     *)
(* know yet.  With Alone the member is the only voter: then its own synced *)
(* log is what commits.                                                    *)
(*                                                                         *)
(* A disk is the list of states that a crash may leave: the first is       *)
(* synced, the last is what a reader sees now.  Rows are not idempotent    *)
(* here: a state of LevelDB lists the entries whose rows it took, in the   *)
(* order it took them.                                                     *)
(*                                                                         *)
(* Entry kinds: "rows"; "sweep", which also names rows to be swept; "noop" *)
(* of a new leader; "members", which makes a snapshot mark due at once.    *)
(*                                                                         *)
(* Gap = "none" is the design.  Every other value removes one rule and     *)
(* must be found (the *_gap_*.cfg files).                                  *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS
    MaxIndex,      \* length of the log
    Kinds,         \* kinds of entries that are proposed
    MaxTerm,       \* terms: how often a leader's proposal is lost
    MaxCrash,      \* crashes
    MaxLoss,       \* losses: of all rows, or of the whole write-ahead log
    MaxFail,       \* writes that LevelDB answers with an error
    Installs,      \* whether rows may be received from a leader
    Alone,         \* the member is the only voter
    Gap

VARIABLES
    log,       \* committed entries [t, k]
    pend,      \* at most one entry that the present leader proposed
    term,      \* of the present leader
    mode,      \* "run", "rows_lost", "silent" (promises lost), "down"
    wal,       \* states of the log [base, bt, mark, ents]; ents from base + 1
    gone,      \* records up to this index are physically gone
    fresh,     \* a start finds no log at all
    cur,       \* states of the file CURRENT: generation 1 or 2
    dbs,       \* the two generations of LevelDB
    app,       \* applied index (volatile)
    appt,      \* and its term
    com,       \* index that the member knows committed (volatile)
    buf,       \* entries whose rows are in the active row buffer
    frz,       \* frozen buffers under way to LevelDB: at most one
    dead,      \* LevelDB answered with an error and is not open again
    job,       \* snapshot mark under way
    inst,      \* install under way
    prom,      \* ghost: what the member acknowledged, as far as it counts
    crashes, losses, fails

vars == <<log, pend, term, mode, wal, gone, fresh, cur, dbs, app, appt, com,
          buf, frz, dead, job, inst, prom, crashes, losses, fails>>
cluster == <<log, pend, term>>
disk == <<wal, gone, fresh, cur, dbs>>
memory == <<app, appt, com, buf, frz, dead, job, inst>>
budget == <<crashes, losses, fails>>

\* ---------------------------------------------------------------- helpers
Min(a, b) == IF a < b THEN a ELSE b
Max(a, b) == IF a > b THEN a ELSE b

\* An entry in a list of rows: its index and its term.
Id(i, t) == (i * 10) + t
IndexOf(id) == id \div 10

HasRows(k) == k \in {"rows", "sweep"}

\* What the entries 1..n leave in LevelDB.
Fold(n) ==
    SelectSeq([i \in 1..n |-> Id(i, log[i].t)], LAMBDA e : HasRows(log[e \div 10].k))

Last(w) == w.base + Len(w.ents)
Now == wal[Len(wal)]
TermAt(w, i) == IF i = w.base THEN w.bt ELSE w.ents[i - w.base].t
Holds(w, i, t) ==
    IF (i < w.base) \/ (i > Last(w)) THEN FALSE ELSE TermAt(w, i) = t

\* The present leader's log, and how far a log w equals it.
Whole == log \o pend
MatchSet(w) ==
    {k \in w.base..Min(Last(w), Len(Whole)) :
        \A j \in (w.base + 1)..k : w.ents[j - w.base] = Whole[j]}
Matched(w) == CHOOSE k \in MatchSet(w) : \A j \in MatchSet(w) : j <= k

EmptyWal == [base |-> 0, bt |-> 0, mark |-> 0, ents |-> <<>>]
Absent == [there |-> FALSE, full |-> FALSE, rows |-> <<>>, idx |-> 0, t |-> 0,
           installed |-> FALSE, swept |-> {}, soft |-> <<>>, hidx |-> 0, ht |-> 0]
FirstGeneration == [Absent EXCEPT !.there = TRUE, !.full = TRUE]
NoJob == [pc |-> "none", idx |-> 0, t |-> 0]
NoInstall == [pc |-> "none", idx |-> 0, t |-> 0]

\* The generation that CURRENT names now.
G == cur[Len(cur)]
D == dbs[G]

Init ==
    /\ log = <<>>
    /\ pend = <<>>
    /\ term = 1
    /\ mode = "run"
    /\ wal = <<EmptyWal>>
    /\ gone = 0
    /\ fresh = FALSE
    /\ cur = <<1>>
    /\ dbs = <<FirstGeneration, Absent>>
    /\ app = 0
    /\ appt = 0
    /\ com = 0
    /\ buf = <<>>
    /\ frz = <<>>
    /\ dead = FALSE
    /\ job = NoJob
    /\ inst = NoInstall
    /\ prom = 0
    /\ crashes = 0
    /\ losses = 0
    /\ fails = 0

\* ------------------------------------------------------- the rest of the cluster
Propose(k) ==
    /\ ~Alone
    /\ pend = <<>>
    /\ Len(log) < MaxIndex
    /\ pend' = <<[t |-> term, k |-> k]>>
    /\ UNCHANGED <<log, term, mode, disk, memory, prom, budget>>

\* A quorum holds it, with this member or without.
Choose ==
    /\ pend # <<>>
    /\ log' = log \o pend
    /\ pend' = <<>>
    /\ UNCHANGED <<term, mode, disk, memory, prom, budget>>

\* The leader is gone and its proposal with it: the next one never had it.
NewLeader ==
    /\ pend # <<>>
    /\ term < MaxTerm
    /\ term' = term + 1
    /\ pend' = <<>>
    /\ prom' = Min(prom, Len(log))
    /\ UNCHANGED <<log, mode, disk, memory, budget>>

\* --------------------------------------------------------- the write-ahead log
Member == mode \in {"run", "rows_lost"}
Write1(w) == wal' = Append(wal, w)
Room == Len(wal) < 2

\* The next entry of the leader's log; what does not fit it is cut off.
Receive ==
    /\ Member
    /\ inst.pc = "none"
    /\ Room
    /\ Matched(Now) < Len(Whole)
    /\ Write1([Now EXCEPT !.ents =
           Append(SubSeq(@, 1, Matched(Now) - Now.base), Whole[Matched(Now) + 1])])
    /\ prom' = IF Gap = "ack_before_sync" THEN Max(prom, Matched(Now) + 1) ELSE prom
    /\ UNCHANGED <<cluster, mode, gone, fresh, cur, dbs, memory, budget>>

\* fdatasync, and then the acknowledgement.
SyncWal ==
    /\ Member
    /\ Len(wal) > 1
    /\ wal' = <<Now>>
    /\ prom' = IF Alone THEN prom ELSE Max(prom, Matched(Now))
    /\ UNCHANGED <<cluster, mode, gone, fresh, cur, dbs, memory, budget>>

Learn ==
    /\ Member
    /\ ~Alone
    /\ com < Min(Len(log), Matched(Now))
    /\ com' = Min(Len(log), Matched(Now))
    /\ UNCHANGED <<cluster, mode, disk, app, appt, buf, frz, dead, job, inst, prom, budget>>

\* A lone voter's new term begins with a no-op, which commits what came before.
HasOwnEntry == (Now.bt = term) \/ (\E i \in 1..Len(Now.ents) : Now.ents[i].t = term)
ProposeAlone(k) ==
    /\ Alone
    /\ mode = "run"
    /\ Room
    /\ Last(Now) < MaxIndex
    /\ HasOwnEntry \/ (k = "noop")
    /\ Write1([Now EXCEPT !.ents = Append(@, [t |-> term, k |-> k])])
    /\ UNCHANGED <<cluster, mode, gone, fresh, cur, dbs, memory, prom, budget>>

CommitAlone ==
    /\ Alone
    /\ mode = "run"
    /\ com < Last(wal[1])
    /\ TermAt(wal[1], Last(wal[1])) = term
    /\ com' = Last(wal[1])
    /\ log' = log \o [i \in 1..(Last(wal[1]) - Len(log)) |-> wal[1].ents[(Len(log) - wal[1].base) + i]]
    /\ prom' = Last(wal[1])
    /\ UNCHANGED <<pend, term, mode, disk, app, appt, buf, frz, dead, job, inst, budget>>

\* ------------------------------------------------------------ apply and flush
EntryAt(i) == Now.ents[i - Now.base]

\* A change of members makes a mark due (site 2 of L3): flush, then mark.
MarkOfMembers(i) ==
    IF (EntryAt(i).k = "members") /\ (job.pc = "none")
    THEN [pc |-> IF Gap = "mark_before_flush_members" THEN "mark" ELSE "flush",
          idx |-> i, t |-> EntryAt(i).t]
    ELSE job

Apply ==
    /\ mode = "run"
    /\ inst.pc = "none"
    /\ app < com
    /\ app + 1 > Now.base
    /\ app + 1 <= Last(Now)
    /\ app' = app + 1
    /\ appt' = EntryAt(app + 1).t
    /\ buf' = IF HasRows(EntryAt(app + 1).k) THEN Append(buf, Id(app + 1, EntryAt(app + 1).t)) ELSE buf
    /\ job' = MarkOfMembers(app + 1)
    /\ UNCHANGED <<cluster, mode, disk, com, frz, dead, inst, prom, budget>>

FlushedTo == IF frz = <<>> THEN D.idx ELSE frz[Len(frz)].idx

Freeze ==
    /\ mode = "run"
    /\ inst.pc = "none"
    /\ Len(frz) < (IF Gap = "flushes_out_of_order" THEN 2 ELSE 1)
    /\ app > FlushedTo
    /\ frz' = Append(frz, [rows |-> buf, idx |-> app, t |-> appt, half |-> FALSE])
    /\ buf' = <<>>
    /\ UNCHANGED <<cluster, mode, disk, app, appt, com, dead, job, inst, prom, budget>>

\* LevelDB never knows more than this node's own log holds synced (L2): the
\* entry itself, not another one that once stood at its index.
MayWrite(b) ==
    CASE Gap = "flush_ahead_of_wal" -> TRUE
      [] Gap = "flush_counts_replaced_entries" -> b.idx <= Last(wal[1])
      [] OTHER -> Holds(wal[1], b.idx, b.t)

\* Without sync, or behind a torn record: OK is answered, but it is not durable.
Lost(d) ==
    \/ Gap = "flush_unsynced"
    \/ (Gap = "flush_into_rotated_log") /\ (d.soft = <<>>)
    \/ (Gap = "flush_goes_on_after_error") /\ (fails > 0)

Put(d, rows, idx, t) ==
    IF Lost(d)
    THEN [d EXCEPT !.rows = @ \o rows, !.idx = idx, !.t = t, !.installed = FALSE,
                   !.soft = Append(@, [rows |-> rows, idx |-> idx, t |-> t])]
    ELSE [d EXCEPT !.rows = @ \o rows, !.idx = idx, !.t = t, !.installed = FALSE,
                   !.hidx = idx, !.ht = t]

Split == Gap \in {"index_before_rows", "index_after_rows"}

\* One synced batch: rows and applied index.  The same batch again (after an
\* error that was none) changes nothing.
Batch(d, b) ==
    CASE ((Gap = "index_before_rows") /\ ~b.half) -> Put(d, <<>>, b.idx, b.t)
      [] ((Gap = "index_before_rows") /\ b.half) -> Put(d, b.rows, b.idx, b.t)
      [] ((Gap = "index_after_rows") /\ ~b.half) -> Put(d, b.rows, d.idx, d.t)
      [] ((Gap = "index_after_rows") /\ b.half) -> Put(d, <<>>, b.idx, b.t)
      [] OTHER -> IF d.idx = b.idx THEN d ELSE Put(d, b.rows, b.idx, b.t)

Without(k) == SubSeq(frz, 1, k - 1) \o SubSeq(frz, k + 1, Len(frz))

Flush(k) ==
    /\ mode = "run"
    /\ k <= Len(frz)
    /\ (k = 1) \/ (Gap = "flushes_out_of_order")
    /\ ~dead
    /\ MayWrite(frz[k])
    /\ dbs' = [dbs EXCEPT ![G] = Batch(@, frz[k])]
    /\ frz' = IF Split /\ ~frz[k].half THEN [frz EXCEPT ![k].half = TRUE] ELSE Without(k)
    /\ UNCHANGED <<cluster, mode, wal, gone, fresh, cur, app, appt, com, buf, dead, job, inst,
                   prom, budget>>

\* An error says nothing about the batch: it may be there.
FlushFails ==
    /\ mode = "run"
    /\ fails < MaxFail
    /\ frz # <<>>
    /\ ~dead
    /\ MayWrite(frz[1])
    /\ fails' = fails + 1
    /\ IF Gap = "flush_goes_on_after_error"
       THEN UNCHANGED <<dead, dbs>>
       ELSE /\ dead' = TRUE
            /\ \/ UNCHANGED dbs
               \/ dbs' = [dbs EXCEPT ![G] = Batch(@, frz[1])]
    /\ UNCHANGED <<cluster, mode, wal, gone, fresh, cur, app, appt, com, buf, frz, job, inst,
                   prom, crashes, losses>>

\* Close, open, read the applied index back: nothing of the batch, or all of it.
Reopen ==
    /\ mode = "run"
    /\ dead
    /\ dead' = FALSE
    /\ UNCHANGED <<cluster, mode, disk, app, appt, com, buf, frz, job, inst, prom, budget>>

\* Rows that a durable sweep row names are deleted, with a flush of their own.
SweepTo == IF Gap = "sweep_before_flush" THEN app ELSE D.idx
Sweep(i) ==
    /\ mode = "run"
    /\ inst.pc = "none"
    /\ ~dead
    /\ i <= SweepTo
    /\ log[i].k = "sweep"
    /\ i \notin D.swept
    /\ dbs' = [dbs EXCEPT ![G].swept = @ \cup {i}]
    /\ UNCHANGED <<cluster, mode, wal, gone, fresh, cur, memory, prom, budget>>

\* ------------------------------------------- flush, then mark, then compaction
MarkAt ==
    IF Gap = "mark_before_flush_steady"
    THEN [pc |-> "mark", idx |-> app, t |-> appt]
    ELSE [pc |-> "mark", idx |-> D.idx, t |-> D.t]

MarkDue ==
    /\ mode = "run"
    /\ inst.pc = "none"
    /\ job.pc = "none"
    /\ MarkAt.idx > Now.mark
    /\ job' = MarkAt
    /\ UNCHANGED <<cluster, mode, disk, app, appt, com, buf, frz, dead, inst, prom, budget>>

\* The flush that a change of members waits for; the mark is what is flushed.
MarkFlushed ==
    /\ mode = "run"
    /\ job.pc = "flush"
    /\ D.idx >= job.idx
    /\ job' = [pc |-> "mark", idx |-> D.idx, t |-> D.t]
    /\ UNCHANGED <<cluster, mode, disk, app, appt, com, buf, frz, dead, inst, prom, budget>>

AfterMark == IF Gap = "compact_before_mark" THEN "gone" ELSE "base"
AfterBase == IF Gap = "compact_before_mark" THEN "mark2" ELSE "gone"

MarkWrite ==
    /\ mode = "run"
    /\ Room
    /\ IF Gap = "compact_before_mark" THEN job.pc = "mark2" ELSE job.pc = "mark"
    /\ Write1([Now EXCEPT !.mark = Max(@, job.idx)])
    /\ job' = [job EXCEPT !.pc = AfterMark]
    /\ UNCHANGED <<cluster, mode, gone, fresh, cur, dbs, app, appt, com, buf, frz, dead, inst,
                   prom, budget>>

Compacted(w, i, t) ==
    IF i <= w.base THEN w
    ELSE [w EXCEPT !.base = i, !.bt = t, !.ents = SubSeq(@, (i - w.base) + 1, Len(@))]

BaseWrite ==
    /\ mode = "run"
    /\ Room
    /\ IF Gap = "compact_before_mark" THEN job.pc = "mark" ELSE job.pc = "base"
    /\ (wal[1].mark >= job.idx) \/ (Gap = "compact_before_mark")
    /\ Write1(Compacted(Now, job.idx, job.t))
    /\ job' = [job EXCEPT !.pc = AfterBase]
    /\ UNCHANGED <<cluster, mode, gone, fresh, cur, dbs, app, appt, com, buf, frz, dead, inst,
                   prom, budget>>

\* Segments go when what made them void is synced.
SegmentsGo ==
    /\ mode = "run"
    /\ job.pc = "gone"
    /\ (wal[1].base >= job.idx) \/ (Gap = "segments_go_before_base")
    /\ gone' = Max(gone, job.idx)
    /\ job' = NoJob
    /\ UNCHANGED <<cluster, mode, wal, fresh, cur, dbs, app, appt, com, buf, frz, dead, inst,
                   prom, budget>>

\* ---------------------------------------------------------------- installs
\* Rows as of a mark fill the other generation, the final batch brings the
\* applied index (a snapshot mark that is under way goes on meanwhile, and the
\* reset ends it); rename CURRENT, sync its directory, reset the log, synced;
\* only then acknowledge and delete the old generation.
Other == 3 - G

Useful(x) ==
    \/ x > com
    \/ mode = "rows_lost"
    \/ Gap = "install_below_commit"

FirstStep ==
    CASE Gap = "install_pointer_before_rows" -> "rename"
      [] Gap = "install_resets_log_first" -> "reset"
      [] OTHER -> "fill"

InstallBegin(x) ==
    /\ Installs
    /\ ~Alone
    /\ Member
    /\ inst.pc = "none"
    /\ frz = <<>>
    /\ ~dead
    /\ Len(wal) = 1
    /\ (x = Len(log)) \/ (Gap = "install_below_commit")
    /\ x > 0
    /\ x >= Now.base
    /\ Useful(x)
    /\ inst' = [pc |-> FirstStep, idx |-> x, t |-> log[x].t]
    /\ dbs' = [dbs EXCEPT ![Other] = [Absent EXCEPT !.there = TRUE, !.rows = Fold(x)],
                          ![G] = IF Gap = "install_deletes_old_first" THEN Absent ELSE @]
    /\ UNCHANGED <<cluster, mode, wal, gone, fresh, cur, app, appt, com, buf, frz, dead, job,
                   prom, budget>>

InstallFill ==
    /\ Member
    /\ inst.pc = "fill"
    /\ dbs' = [dbs EXCEPT ![Other] =
           [@ EXCEPT !.full = TRUE, !.idx = inst.idx, !.t = inst.t, !.hidx = inst.idx,
                     !.ht = inst.t, !.installed = (Gap # "install_leaves_no_trace")]]
    /\ inst' = [inst EXCEPT !.pc = "rename"]
    /\ UNCHANGED <<cluster, mode, wal, gone, fresh, cur, app, appt, com, buf, frz, dead, job,
                   prom, budget>>

InstallRename ==
    /\ Member
    /\ inst.pc = "rename"
    /\ cur' = <<G, Other>>
    /\ inst' = [inst EXCEPT !.pc = IF Gap = "install_rename_unsynced" THEN "reset" ELSE "sync"]
    /\ UNCHANGED <<cluster, mode, wal, gone, fresh, dbs, app, appt, com, buf, frz, dead, job,
                   prom, budget>>

InstallSyncDir ==
    /\ Member
    /\ inst.pc = "sync"
    /\ cur' = <<G>>
    /\ inst' = [inst EXCEPT !.pc = IF Gap = "install_resets_log_first" THEN "done" ELSE "reset"]
    /\ UNCHANGED <<cluster, mode, wal, gone, fresh, dbs, app, appt, com, buf, frz, dead, job,
                   prom, budget>>

\* A log that holds the mark keeps what is behind it: it may be acknowledged.
Reset(w) ==
    IF Holds(w, inst.idx, inst.t) /\ (Gap # "install_drops_acknowledged_tail")
    THEN [Compacted(w, inst.idx, inst.t) EXCEPT !.mark = inst.idx]
    ELSE [base |-> inst.idx, bt |-> inst.t, mark |-> inst.idx, ents |-> <<>>]

InstallReset ==
    /\ Member
    /\ inst.pc = "reset"
    /\ Room
    /\ Write1(Reset(Now))
    /\ inst' = [inst EXCEPT !.pc = IF Gap = "install_resets_log_first" THEN "fill" ELSE "done"]
    /\ job' = NoJob
    /\ UNCHANGED <<cluster, mode, gone, fresh, cur, dbs, app, appt, com, buf, frz, dead, prom,
                   budget>>

InstallDone ==
    /\ Member
    /\ inst.pc = "done"
    /\ Len(wal) = 1
    /\ mode' = "run"
    /\ app' = inst.idx
    /\ appt' = inst.t
    /\ com' = Max(com, inst.idx)
    /\ buf' = <<>>
    /\ dbs' = [dbs EXCEPT ![3 - G] = Absent]
    /\ prom' = Max(prom, inst.idx)
    /\ inst' = NoInstall
    /\ UNCHANGED <<cluster, wal, gone, fresh, cur, frz, dead, job, budget>>

\* --------------------------------------------------------- crash, loss, restart
\* A database without the batches j \in L of those that are not durable.
LostRows(d, L) == UNION {{d.soft[j].rows[m] : m \in 1..Len(d.soft[j].rows)} : j \in L}
KeptIndexes(d, L) == {d.hidx} \cup {d.soft[j].idx : j \in ((1..Len(d.soft)) \ L)}
Top(S) == CHOOSE m \in S : \A n \in S : n <= m
TermOf(d, i) ==
    IF i = d.hidx THEN d.ht
    ELSE d.soft[CHOOSE j \in 1..Len(d.soft) : d.soft[j].idx = i].t
Torn(d, L) ==
    IF L = {} THEN [d EXCEPT !.soft = <<>>]
    ELSE [d EXCEPT !.rows = SelectSeq(@, LAMBDA e : e \notin LostRows(d, L)),
                   !.idx = Top(KeptIndexes(d, L)), !.t = TermOf(d, Top(KeptIndexes(d, L))),
                   !.hidx = Top(KeptIndexes(d, L)), !.ht = TermOf(d, Top(KeptIndexes(d, L))),
                   !.soft = <<>>]
AfterCrash(d) ==
    IF d.soft = <<>> THEN {d} ELSE {Torn(d, L) : L \in SUBSET (1..Len(d.soft))}

Crash ==
    /\ mode \in {"run", "rows_lost"}
    /\ crashes < MaxCrash
    /\ crashes' = crashes + 1
    /\ mode' = "down"
    /\ \E k \in 1..Len(wal) : wal' = <<wal[k]>>
    /\ \E c \in 1..Len(cur) : cur' = <<cur[c]>>
    /\ \E d \in AfterCrash(D) : dbs' = [dbs EXCEPT ![G] = d]
    /\ app' = 0
    /\ appt' = 0
    /\ com' = 0
    /\ buf' = <<>>
    /\ frz' = <<>>
    /\ dead' = FALSE
    /\ job' = NoJob
    /\ inst' = NoInstall
    /\ UNCHANGED <<cluster, gone, fresh, prom, losses, fails>>

LoseRows ==
    /\ mode = "down"
    /\ losses < MaxLoss
    /\ losses' = losses + 1
    /\ dbs' = [dbs EXCEPT ![G] = FirstGeneration]
    /\ UNCHANGED <<cluster, mode, wal, gone, fresh, cur, memory, prom, crashes, fails>>

LoseWal ==
    /\ mode = "down"
    /\ losses < MaxLoss
    /\ losses' = losses + 1
    /\ wal' = <<EmptyWal>>
    /\ fresh' = TRUE
    /\ UNCHANGED <<cluster, mode, gone, cur, dbs, memory, prom, crashes, fails>>

\* L4, what a start finds.
Found ==
    CASE (fresh /\ (Gap # "amnesiac_votes")) -> "silent"
      [] ((D.idx < wal[1].mark) /\ (Gap # "restart_with_rows_behind_mark")) -> "rows_lost"
      [] (Holds(wal[1], D.idx, D.t) \/ (Gap = "restart_with_rows_behind_mark")) -> "run"
      [] D.installed -> "cut"
      [] OTHER -> "silent"

\* An install was cut between rename and reset: the log does not connect.
Connected ==
    IF (Found = "cut") /\ (Gap # "restart_keeps_unconnected_tail")
    THEN <<[base |-> D.idx, bt |-> D.t, mark |-> D.idx, ents |-> <<>>]>>
    ELSE wal

StartAt == IF Gap = "restart_replays_from_mark" THEN wal[1].mark ELSE D.idx
Known == IF Gap = "restart_replays_uncommitted" THEN Max(D.idx, Last(wal[1])) ELSE StartAt

Boot ==
    /\ mode = "down"
    /\ D.there
    /\ mode' = IF Found = "cut" THEN "run" ELSE Found
    /\ wal' = Connected
    /\ dbs' = [dbs EXCEPT ![Other] = Absent]
    /\ app' = IF Found \in {"run", "cut"} THEN StartAt ELSE 0
    /\ appt' = IF Found \in {"run", "cut"} THEN D.t ELSE 0
    /\ com' = IF Found \in {"run", "cut"} THEN Known ELSE 0
    /\ term' = IF Alone THEN term + 1 ELSE term
    /\ UNCHANGED <<log, pend, gone, fresh, cur, buf, frz, dead, job, inst, prom, budget>>

Next ==
    \/ \E k \in Kinds : Propose(k)
    \/ Choose
    \/ NewLeader
    \/ Receive
    \/ SyncWal
    \/ Learn
    \/ \E k \in Kinds : ProposeAlone(k)
    \/ CommitAlone
    \/ Apply
    \/ Freeze
    \/ \E k \in 1..2 : Flush(k)
    \/ FlushFails
    \/ Reopen
    \/ \E i \in 1..Len(log) : Sweep(i)
    \/ MarkDue
    \/ MarkFlushed
    \/ MarkWrite
    \/ BaseWrite
    \/ SegmentsGo
    \/ \E x \in 1..Len(log) : InstallBegin(x)
    \/ InstallFill
    \/ InstallRename
    \/ InstallSyncDir
    \/ InstallReset
    \/ InstallDone
    \/ Crash
    \/ LoseRows
    \/ LoseWal
    \/ Boot

Spec == Init /\ [][Next]_vars

\* ------------------------------------------------------------- invariants
\* What a crash could leave now.
Wals == {wal[k] : k \in 1..Len(wal)}
Rows == UNION {AfterCrash(dbs[cur[c]]) : c \in 1..Len(cur)}

TypeOK ==
    /\ Len(log) <= MaxIndex
    /\ Len(pend) <= 1
    /\ mode \in {"run", "rows_lost", "silent", "down"}
    /\ Len(wal) \in 1..2
    /\ \A w \in Wals : (w.base <= MaxIndex) /\ (Last(w) <= MaxIndex)
    /\ \A c \in 1..Len(cur) : cur[c] \in {1, 2}
    /\ app <= MaxIndex
    /\ com <= MaxIndex
    /\ Len(frz) <= 2

\* A durable mark X implies a durable applied index >= X.
MarkImpliesApplied ==
    (losses = 0) => (\A w \in Wals : \A d \in Rows : d.idx >= w.mark)

\* What is compacted is below the mark, and what is physically gone is compacted.
CompactedIsCovered ==
    \A w \in Wals : fresh \/ ((w.base <= w.mark) /\ (gone <= w.base))

MarkNeverBack ==
    \A k \in 1..(Len(wal) - 1) :
        (wal[k].mark <= wal[k + 1].mark) /\ (wal[k].base <= wal[k + 1].base)

\* LevelDB is the fold of the committed log up to its applied index: no hole.
AppliedIndexIsHonest ==
    \A d \in Rows :
        IF d.idx > Len(log) THEN FALSE
        ELSE \A i \in 1..d.idx :
                 HasRows(log[i].k) => (\E j \in 1..Len(d.rows) : d.rows[j] = Id(i, log[i].t))

NeverApplyTwice ==
    \A d \in Rows : \A i \in 1..Len(d.rows) : \A j \in 1..Len(d.rows) :
        (i < j) => (IndexOf(d.rows[i]) < IndexOf(d.rows[j]))

\* LevelDB never knows more than the synced log; an install that is not over
\* is what it says it is.
NeverAheadOfWal ==
    (losses = 0) => (\A w \in Wals : \A d \in Rows :
        (inst.pc # "none") \/ d.installed \/ Holds(w, d.idx, d.t))

\* What CURRENT names is there and complete.
VisibleIsComplete ==
    \A c \in 1..Len(cur) : dbs[cur[c]].there /\ dbs[cur[c]].full

\* What counts as acknowledged here survives every crash.
Keeps(w, i) ==
    \/ i <= w.base
    \/ IF i > Last(w) THEN FALSE ELSE w.ents[i - w.base] = log[i]
NoLostCommittedEntry ==
    (losses = 0) => (\A w \in Wals : \A i \in 1..Min(prom, Len(log)) :
        Keeps(w, i) \/ (\A d \in Rows : d.installed /\ (d.idx >= i)))

\* What runs is the fold of the committed log, and its log connects to it.
Frozen ==
    IF frz = <<>> THEN <<>>
    ELSE IF frz[1].idx = D.idx THEN <<>> ELSE frz[1].rows
StateIsFold ==
    ((mode = "run") /\ ~dead /\ (inst.pc = "none") /\ (Len(frz) < 2)) =>
        (IF app > Len(log) THEN FALSE ELSE ((D.rows \o Frozen) \o buf) = Fold(app))
LogHoldsApplied ==
    ((mode = "run") /\ (inst.pc = "none")) => Holds(Now, app, appt)

\* Rows are swept only by a sweep row that LevelDB itself holds.
SweptIsFlushed == \A d \in Rows : \A i \in d.swept : i <= d.idx

\* Who votes and acknowledges holds all it acknowledged before.
VoterKeptPromises ==
    ((mode \in {"run", "rows_lost"}) /\ (inst.pc = "none")) =>
        (\A i \in 1..Min(prom, Len(log)) : Keeps(Now, i))

\* Crashes alone never make a member refuse, or ask for its rows.
CrashesAreNoLoss == (losses = 0) => (mode \in {"run", "down"})
===============================================================================
