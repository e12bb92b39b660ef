-- Payments as their merchants see them. `document` is a florin.payments.v1.Payment; ids sort by their time.
create table payment (
    payment_id text primary key,
    merchant_id text not null,
    reference text not null,
    status text not null,
    document bytea not null,
    capturing boolean not null default false,
    capture_decline bytea
);
create index payment_by_merchant on payment (merchant_id, payment_id desc);
create index payment_by_reference on payment (merchant_id, reference) where reference <> '';
