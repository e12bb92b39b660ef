-- What was asked of acquirers. A row is written before the message leaves: where it says `sent`, the acquirer may have
-- acted. The card itself is in the vault; `token` names it.
create table exchange (
    exchange_id text primary key,
    payment_id text not null,
    merchant_id text not null,
    operation text not null,
    state text not null,
    acquirer text not null,
    token text not null,
    amount_minor bigint not null,
    currency text not null,
    acceptor jsonb not null,
    mti text not null,
    stan text not null,
    rrn text not null,
    sent_at timestamptz not null,
    response_code text not null default '',
    approval_code text not null default '',
    answered_at timestamptz
);
create index exchange_by_payment on exchange (payment_id, operation);
-- A payment is asked for once, whatever the number of facts that ask for it.
create unique index exchange_once on exchange (payment_id) where operation <> 'capture';
create index exchange_by_rrn on exchange (rrn);

-- The last STAN given on an acquirer's link, per business day (UTC).
create table stan (
    acquirer text not null,
    business_day date not null,
    last integer not null,
    primary key (acquirer, business_day)
);

-- Reversals that the acquirer has to hear of, until it has acknowledged them. Where there is a STAN, one may have left.
create table reversal (
    exchange_id text primary key references exchange,
    reason text not null,
    stan text not null default '',
    sent_at timestamptz,
    tries integer not null default 0,
    due_at timestamptz not null,
    acknowledged_at timestamptz
);
create index reversal_due on reversal (due_at) where acknowledged_at is null;
