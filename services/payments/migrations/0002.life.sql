-- The operation whose outcome is waited for, the last one that was not accepted and why; and what networks know a
-- payment by.
alter table payment add column pending text not null default '';
alter table payment add column refused text not null default '';
alter table payment add column refusal bytea;
alter table payment add column rrn text not null default '';
alter table payment add column upi_txn_id text not null default '';
alter table payment drop column capturing;
alter table payment drop column capture_decline;
create index payment_by_rrn on payment (rrn) where rrn <> '';
create index payment_by_upi_txn_id on payment (upi_txn_id) where upi_txn_id <> '';
