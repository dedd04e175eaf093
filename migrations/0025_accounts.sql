-- For whom an account has joined queues (R33). Accounts and persons stand here as keyed hashes.
create table account (
    hospital text not null,
    id bytea not null,
    applied integer not null default 0,    -- raised by every admission: what was decided by an older count is decided again
    primary key (hospital, id)
);
create table account_person (
    hospital text not null,
    account_id bytea not null,
    person bytea not null,                 -- `patient.id_hash`
    last_at timestamptz not null default engine_now(),
    primary key (hospital, account_id, person)
);
create index account_person_old on account_person (hospital, last_at);
create index account_person_person on account_person (hospital, person);
