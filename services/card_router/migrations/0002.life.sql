-- A payment's whole life: several tries to authorize it, captures, a void, refunds.
-- cause: the fact that asked. operation_id: the capture, void or refund. card_read: how a terminal read the card.
-- fingerprint: the card's keyed hash, to count its declines.
alter table exchange add column cause text not null default '';
alter table exchange add column operation_id text not null default '';
alter table exchange add column card_read jsonb;
alter table exchange add column fingerprint text not null default '';
update exchange set cause = exchange_id;
create index exchange_declined on exchange (fingerprint, answered_at) where state = 'declined' and fingerprint <> '';
-- No double authorization ever: of all tries to authorize a payment, one at most is under way or approved.
drop index exchange_once;
create unique index exchange_live on exchange (payment_id)
    where operation in ('authorization', 'purchase') and state in ('sent', 'approved');

-- A void is the reversal of an approved original: kept_minor of it stays (DE95), and who asked is told once.
alter table reversal add column void_id text references exchange;
alter table reversal add column kept_minor bigint not null default 0;
alter table reversal add column owed_at timestamptz not null default now();

-- Who was considered for a payment, excluded and why.
create table routing (
    payment_id text primary key,
    merchant_id text not null,
    decided_at timestamptz not null,
    considered jsonb not null
);
