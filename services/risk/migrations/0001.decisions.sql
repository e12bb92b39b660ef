-- One row a payment: what was decided, why, and with which figures. A review changes verdict, rules, reviewer and
-- decided_at; screened_at stays.
create table decision (
    payment_id text primary key,
    verdict text not null,
    rules jsonb not null,
    score double precision not null,
    score_source text not null,
    reasons text[] not null,
    model_version text not null,
    rules_version text not null,
    features jsonb not null,
    reviewer text not null default '',
    screened_at timestamptz not null,
    decided_at timestamptz not null
);
create index decision_in_review on decision (screened_at) where verdict = 'VERDICT_REVIEW';
