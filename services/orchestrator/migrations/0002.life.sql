-- When what a payment holds lapses; null while nothing is held.
alter table payment add column lapses_at timestamptz;
create index payment_lapses on payment (lapses_at) where lapses_at is not null;
drop index payment_unfinished;
create index payment_unfinished on payment (updated_at)
    where stage not in ('captured', 'refunded', 'voided', 'declined', 'failed', 'expired', 'canceled');

-- What happened to payments, in order. `details` holds what may be shown.
create table timeline (
    payment_id text not null references payment,
    position integer not null,
    at timestamptz not null,
    event text not null,
    said_by text not null,
    stage text not null,
    details jsonb not null,
    primary key (payment_id, position)
);
