------------------------------- MODULE Outbox -------------------------------
(* What a unit of work says is stored with its state, in one transaction; published after the commit, in order, and
   removed when the broker has it. The process may die between any two steps; the sweeper publishes what it left. *)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS Facts,          \* how many facts are said, one after the other
          StoresWithState,\* key step: the fact is stored in the transaction that changes the state
          RemovesWhenAcknowledged, \* key step: a row goes only when the broker has it
          OneAtATime,     \* key step: who publishes reads and sends under one lock
          CrashesMost

VARIABLES committed,  \* how many facts' states are committed
          rows,       \* the outbox, in order
          memory,     \* what the living process still has to publish, if it does not store it
          queues,     \* what each of two publishers has read and not sent
          log,        \* what the broker has, in order
          crashes

vars == <<committed, rows, memory, queues, log, crashes>>
Publishers == {1, 2}

Init == committed = 0 /\ rows = <<>> /\ memory = <<>> /\ queues = [p \in Publishers |-> <<>>] /\ log = <<>> /\ crashes = 0

Commit == /\ committed < Facts /\ committed' = committed + 1
          /\ IF StoresWithState THEN rows' = Append(rows, committed + 1) /\ UNCHANGED memory
                                ELSE memory' = Append(memory, committed + 1) /\ UNCHANGED rows
          /\ UNCHANGED <<queues, log, crashes>>

(* What nobody is about to send. *)
Unsent == SelectSeq(rows, LAMBDA row: \A p \in Publishers: \A position \in DOMAIN queues[p]: queues[p][position] # row)

(* A publisher reads what is there; under the lock only while nobody else is at it. *)
Read(p) == /\ rows # <<>> /\ queues[p] = <<>>
           /\ OneAtATime => \A other \in Publishers: queues[other] = <<>>
           /\ Unsent # <<>> /\ queues' = [queues EXCEPT ![p] = Unsent]
           /\ rows' = IF RemovesWhenAcknowledged THEN rows ELSE <<>>
           /\ UNCHANGED <<committed, memory, log, crashes>>

(* The broker takes a fact and acknowledges it: its row goes. *)
Without(sequence, fact) == SelectSeq(sequence, LAMBDA one: one # fact)
Send(p) == /\ queues[p] # <<>> /\ log' = Append(log, Head(queues[p]))
           /\ queues' = [queues EXCEPT ![p] = Tail(queues[p])]
           /\ rows' = IF RemovesWhenAcknowledged THEN Without(rows, Head(queues[p])) ELSE rows
           /\ UNCHANGED <<committed, memory, crashes>>

(* The broker takes it, and the process dies before it hears so: it is sent again. *)
SendUnheard(p) == /\ queues[p] # <<>> /\ crashes < CrashesMost /\ crashes' = crashes + 1
                  /\ log' = Append(log, Head(queues[p]))
                  /\ queues' = [q \in Publishers |-> <<>>] /\ memory' = <<>>
                  /\ UNCHANGED <<committed, rows>>

SendFromMemory == /\ memory # <<>> /\ log' = Append(log, Head(memory)) /\ memory' = Tail(memory)
                  /\ UNCHANGED <<committed, rows, queues, crashes>>

Crash == /\ crashes < CrashesMost /\ crashes' = crashes + 1
         /\ memory' = <<>> /\ queues' = [q \in Publishers |-> <<>>]
         /\ UNCHANGED <<committed, rows, log>>

Next == Commit \/ Crash \/ SendFromMemory \/ \E p \in Publishers: Read(p) \/ Send(p) \/ SendUnheard(p)
Spec == Init /\ [][Next]_vars
        /\ WF_vars(SendFromMemory) /\ \A p \in Publishers: WF_vars(Read(p)) /\ WF_vars(Send(p))

Said == {log[position]: position \in DOMAIN log}
First(fact) == CHOOSE position \in DOMAIN log: log[position] = fact /\ \A before \in 1..(position - 1): log[before] # fact

(* Nothing is said that is not committed. *)
OnlyCommitted == \A fact \in Said: fact <= committed
(* Facts are first heard in the order in which they were committed. *)
InOrder == \A one, other \in Said: one < other => First(one) < First(other)
(* What is committed and not said is stored: a crash cannot lose it. *)
NothingLost == \A fact \in 1..committed: fact \in Said \/ \E position \in DOMAIN rows: rows[position] = fact
(* And in the end everything is said. *)
AllSaid == \A fact \in 1..Facts: (committed >= fact) ~> (fact \in Said)
=============================================================================
