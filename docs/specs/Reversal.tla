------------------------------ MODULE Reversal ------------------------------
(* A payment is asked of an acquirer over a wire that loses, repeats and delays. When no answer comes in time the outcome
   is unknown: in the transaction that says so the reversal is stored, and it is sent until it is acknowledged. An
   approval that comes after that changes nothing. Our process may stop and start anew between any two steps.

   Bytes of one acquirer do not overtake each other: the wire to it is a queue. Answers come in any order, or never. *)
EXTENDS Naturals, Sequences

CONSTANTS StoresReversal,      \* key step: the reversal is stored with the unknown outcome
          IgnoresLateApproval, \* key step: what comes after the unknown outcome is not believed
          RepeatsReversal,     \* key step: a reversal is sent again until it is acknowledged
          LossesMost           \* how many messages the wire may lose

VARIABLES state,    \* ours, stored: new, sent, authorized, declined, unknown
          owed,     \* ours, stored: no, owed, acknowledged
          asking,   \* ours, in memory: whether somebody waits for the answer
          tried,    \* whether the reversal was sent at all
          toHost,   \* messages on their way to the acquirer, in order
          fromHost, \* answers on their way to us
          held,     \* the acquirer's book: none, held, declined, reversed
          losses

vars == <<state, owed, asking, tried, toHost, fromHost, held, losses>>

Init == /\ state = "new" /\ owed = "no" /\ asking = FALSE /\ tried = FALSE
        /\ toHost = <<>> /\ fromHost = {} /\ held = "none" /\ losses = 0

(* The exchange is stored before the message leaves. *)
Send == /\ state = "new" /\ state' = "sent" /\ asking' = TRUE /\ toHost' = Append(toHost, "request")
        /\ UNCHANGED <<owed, tried, fromHost, held, losses>>

(* No answer in time, or the process starts anew and finds an exchange without an answer. *)
GiveUp == /\ state = "sent" /\ state' = "unknown" /\ asking' = FALSE
          /\ owed' = IF StoresReversal THEN "owed" ELSE "no"
          /\ UNCHANGED <<tried, toHost, fromHost, held, losses>>

Crash == /\ asking /\ asking' = FALSE /\ UNCHANGED <<state, owed, tried, toHost, fromHost, held, losses>>

Hear(answer) ==
    /\ answer \in fromHost
    /\ fromHost' = fromHost \ {answer}
    /\ CASE answer = "acknowledged" -> owed' = "acknowledged" /\ UNCHANGED state
         [] answer # "acknowledged" /\ state = "sent" /\ asking ->
                /\ state' = (IF answer = "approved" THEN "authorized" ELSE "declined")
                /\ UNCHANGED owed
         [] answer = "approved" /\ state = "unknown" /\ ~IgnoresLateApproval -> state' = "authorized" /\ UNCHANGED owed
         [] OTHER -> UNCHANGED <<state, owed>>
    /\ UNCHANGED <<asking, tried, toHost, held, losses>>

Reverse == /\ owed = "owed" /\ (RepeatsReversal \/ ~tried) /\ Len(toHost) < 2
           /\ tried' = TRUE /\ toHost' = Append(toHost, "reversal")
           /\ UNCHANGED <<state, owed, asking, fromHost, held, losses>>

(* The acquirer acts on what arrives. A reversal of what it has not seen is acknowledged too: it holds nothing. *)
Arrive == /\ toHost # <<>> /\ toHost' = Tail(toHost)
          /\ IF Head(toHost) = "request"
             THEN \/ held' = "held" /\ fromHost' = fromHost \cup {"approved"}
                  \/ held' = "declined" /\ fromHost' = fromHost \cup {"refused"}
             ELSE /\ held' = IF held = "held" THEN "reversed" ELSE held
                  /\ fromHost' = fromHost \cup {"acknowledged"}
          /\ UNCHANGED <<state, owed, asking, tried, losses>>

Lose == /\ losses < LossesMost /\ losses' = losses + 1
        /\ \/ toHost # <<>> /\ toHost' = Tail(toHost) /\ UNCHANGED fromHost
           \/ \E answer \in fromHost: fromHost' = fromHost \ {answer} /\ UNCHANGED toHost
        /\ UNCHANGED <<state, owed, asking, tried, held>>

Next == Send \/ GiveUp \/ Crash \/ Reverse \/ Arrive \/ Lose
        \/ \E answer \in {"approved", "refused", "acknowledged"}: Hear(answer)

Fairness == /\ WF_vars(GiveUp) /\ WF_vars(Reverse) /\ WF_vars(Arrive) /\ WF_vars(Hear("acknowledged"))
Spec == Init /\ [][Next]_vars /\ Fairness

(* What is authorized is held: no cardholder's yes that the acquirer does not know of. *)
AuthorizedIsHeld == state = "authorized" => held = "held"
(* What is acknowledged is not held any more. *)
AcknowledgedIsFree == owed = "acknowledged" => held # "held"
(* An unknown outcome is owed a reversal from the moment that it is unknown. *)
UnknownIsOwed == state = "unknown" => owed # "no"
(* Once unknown, never authorized. *)
NeverAuthorizedLate == [][state = "unknown" => state' = "unknown"]_vars
(* Whatever was lost, money that nobody knows of is given back in the end. *)
GivenBack == (state = "unknown") ~> (held # "held" /\ toHost = <<>>)
=============================================================================
