-- One row a payment over UPI. `tr` is what the PSP knows it by, `rrn` and `upi_txn_id` what the network does.
create table intent (
    payment_id text primary key,
    merchant_id text not null,
    psp text not null,
    tr text not null unique,
    amount_minor bigint not null,
    intent_uri text not null,
    qr_payload text not null,
    expires_at timestamptz not null,
    doubted_since timestamptz,
    due_at timestamptz,
    stage text not null,
    rrn text not null,
    upi_txn_id text not null,
    network_code text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index intent_due on intent (due_at) where due_at is not null;
create index intent_by_rrn on intent (rrn) where rrn <> '';
create index intent_by_upi_txn_id on intent (upi_txn_id) where upi_txn_id <> '';

-- Callbacks taken, each once. The signature covers the body but not the event id, so the id alone does not make a
-- repeat: else an old body sent under the id of an event to come would have that event dropped.
create table callback (
    psp text not null,
    event_id text not null,
    digest bytea not null,
    tr text not null,
    outcome text not null,
    network_code text not null,
    amount_minor bigint not null,
    rrn text not null,
    upi_txn_id text not null,
    verdict text not null,
    received_at timestamptz not null,
    primary key (psp, event_id, digest)
);
create index callback_by_tr on callback (tr);
create index callback_for_a_person on callback (received_at) where verdict in ('amount_mismatch', 'contradicts');
