-- What terminals have asked for, by their own references. `kind` is florin.terminals.v1.OperationKind; `due_at` says when
-- somebody has to look after it: a payment whose terminal is not told by then is given back.
create table operation (
    merchant_id text not null,
    terminal_id text not null,
    reference text not null,
    kind smallint not null,
    digest bytea not null,
    amount_minor bigint not null,
    currency text not null,
    deadline_at timestamptz not null,
    created_at timestamptz not null,
    stage text not null,
    payment_id text not null,
    captured_before_minor bigint not null,
    reversal_reason text not null,
    attempt text not null,
    refusal bytea,
    due_at timestamptz,
    primary key (merchant_id, terminal_id, reference)
);
create index operation_due on operation (due_at) where due_at is not null;
