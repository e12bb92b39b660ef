-- What every service with a database remembers for the chassis.

-- Facts heard: a row says that this handler's effect of this event is committed.
create table inbox (
    handler text not null,
    event_id uuid not null,
    heard_at timestamptz not null default now(),
    primary key (handler, event_id)
);

-- Facts to be said: a row is removed when Kafka has acknowledged it.
create table outbox (
    seq bigint generated always as identity primary key,
    event_id uuid not null unique,
    topic text not null,
    key text not null,
    value bytea not null,
    headers jsonb not null,
    said_at timestamptz not null default now()
);
create index outbox_by_key on outbox (key, seq);
create index outbox_by_age on outbox (said_at);

-- Calls to the world outside: stored before the call, answered after it.
create table attempt (
    handler text not null,
    event_id uuid not null,
    key text not null,
    started_at timestamptz not null default now(),
    answered_at timestamptz,
    primary key (handler, event_id)
);

-- First answers to requests that may be repeated.
create table replay (
    tenant text not null,
    method text not null,
    request_key text not null,
    digest bytea not null,
    answer bytea not null,
    settled boolean not null,
    answered_at timestamptz not null default now(),
    primary key (tenant, method, request_key)
);
