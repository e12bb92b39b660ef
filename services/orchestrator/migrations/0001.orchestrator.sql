-- One row a payment: where it stands. `state` is the whole of it; the columns beside it are for people who look.
create table payment (
    payment_id text primary key,
    merchant_id text not null,
    stage text not null,
    revision bigint not null,
    state jsonb not null,
    updated_at timestamptz not null
);
create index payment_unfinished on payment (updated_at)
    where stage not in ('captured', 'declined', 'failed', 'expired');
