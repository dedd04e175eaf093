-- Keys of the API that administrators make, beside those of the configuration. Their times are the server's own.

create table api_key (
    hospital text not null,
    id uuid not null,
    name text not null check (name ~ '^[a-z0-9][a-z0-9._-]{1,31}$'),    -- stands in logs, histories and the audit
    scopes text[] not null check (cardinality(scopes) > 0),
    made_by text not null,
    made_at timestamptz not null default clock_timestamp(),
    revoked_at timestamptz,
    primary key (hospital, id),
    unique (hospital, name)                 -- a revoked key keeps its name: histories name it
);

-- The secrets of a key: one, and while it is changed the one before.
create table api_key_secret (
    hospital text not null,
    key_id uuid not null,
    hash bytea not null,                    -- SHA-256
    hint text not null,                     -- its last letters, to tell secrets apart
    made_at timestamptz not null default clock_timestamp(),
    ends_at timestamptz,                    -- null: until it is changed or revoked
    used_at timestamptz,                    -- written at most twice a minute
    primary key (hospital, hash),
    foreign key (hospital, key_id) references api_key (hospital, id) on delete cascade
);
create index api_key_secret_of_key on api_key_secret (hospital, key_id);
