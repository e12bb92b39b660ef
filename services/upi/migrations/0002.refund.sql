-- Refunds, each known to the PSP by its operation id. Together they never exceed what was paid.
create table refund (
    operation_id text primary key,
    payment_id text not null references intent (payment_id),
    psp text not null,
    tr text not null,
    amount_minor bigint not null,
    doubted_since timestamptz not null,
    due_at timestamptz,
    stage text not null,
    rrn text not null,
    network_code text not null,
    updated_at timestamptz not null
);
create index refund_by_payment on refund (payment_id);
create index refund_due on refund (due_at) where due_at is not null;
create index refund_by_rrn on refund (rrn) where rrn <> '';

alter table callback add column refund_id text not null default '';
