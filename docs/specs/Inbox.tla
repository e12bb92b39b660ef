-------------------------------- MODULE Inbox --------------------------------
(* Facts come at least once. The claim of a fact commits with its effect; the offset moves after. Cut off anywhere, and
   told again by whoever has the partition next, a fact has its effect once. *)
EXTENDS Naturals, FiniteSets

CONSTANTS Facts,                 \* how many facts there are
          Claims,                \* key step: an event is claimed in the transaction of its effect
          OffsetMovesAfter,      \* key step: the offset moves after the commit, not before
          CrashesMost

VARIABLES effects,   \* how often each fact took effect, committed
          inbox,     \* the events claimed, committed
          offset,    \* how many facts the group has committed as heard
          position,  \* what the consumer reads next
          at,        \* the fact under way, 0 for none
          crashes

vars == <<effects, inbox, offset, position, at, crashes>>

Init == effects = [fact \in 1..Facts |-> 0] /\ inbox = {} /\ offset = 0 /\ position = 1 /\ at = 0 /\ crashes = 0

Take == /\ at = 0 /\ position <= Facts /\ at' = position /\ position' = position + 1
        /\ offset' = IF OffsetMovesAfter THEN offset ELSE position
        /\ UNCHANGED <<effects, inbox, crashes>>

Commit == /\ at # 0
          /\ IF Claims /\ at \in inbox THEN UNCHANGED <<effects, inbox>>
             ELSE effects' = [effects EXCEPT ![at] = @ + 1] /\ inbox' = inbox \cup {at}
          /\ at' = 0
          /\ UNCHANGED <<offset, position, crashes>>

MoveOffset == /\ OffsetMovesAfter /\ at = 0 /\ offset < position - 1 /\ offset' = position - 1
              /\ UNCHANGED <<effects, inbox, position, at, crashes>>

(* The process dies, or the partition is given to another: what follows the committed offset is told again. *)
Crash == /\ crashes < CrashesMost /\ crashes' = crashes + 1 /\ at' = 0 /\ position' = offset + 1
         /\ UNCHANGED <<effects, inbox, offset>>

Next == Take \/ Commit \/ MoveOffset \/ Crash
Spec == Init /\ [][Next]_vars /\ WF_vars(Take) /\ WF_vars(Commit) /\ WF_vars(MoveOffset)

(* No fact takes effect twice. *)
AtMostOnce == \A fact \in 1..Facts: effects[fact] <= 1
(* What is passed over has had its effect. *)
NothingSkipped == \A fact \in 1..offset: fact = at \/ effects[fact] >= 1
(* And in the end every fact has had its effect. *)
AllHeard == <>(\A fact \in 1..Facts: effects[fact] = 1)
=============================================================================
