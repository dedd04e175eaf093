-- Who of the hospital's staff may use the console. Sessions, links and lock-outs are about people who sit there now: they go by
-- the server's own clock, never by one that a demo moves.

create table staff_user (
    hospital text not null,
    id uuid not null,
    name text not null check (name ~ '^[a-z0-9][a-z0-9._-]{1,31}$'),
    password text,                          -- argon2id with its parameters; null: none was chosen yet
    role text not null check (role in ('viewer', 'operator', 'administrator')),
    language text check (language in ('zh-CN', 'en')),      -- null: as the browser says
    subject text,                           -- who it is to the identity provider; null: a local user only
    failures integer not null default 0,    -- tries since the last one that was right
    locked_until timestamptz,               -- no try is looked at before
    disabled_at timestamptz,
    made_at timestamptz not null default clock_timestamp(),
    came_at timestamptz,                    -- logged in last
    primary key (hospital, id),
    unique (hospital, name),
    unique (hospital, subject)
);

-- Somebody who is logged in. The token is the browser's alone.
create table staff_session (
    hospital text not null,
    token_hash bytea not null,              -- SHA-256
    user_id uuid not null,
    began_at timestamptz not null default clock_timestamp(),
    seen_at timestamptz not null default clock_timestamp(),
    primary key (hospital, token_hash),
    foreign key (hospital, user_id) references staff_user (hospital, id) on delete cascade
);
create index staff_session_of_user on staff_session (hospital, user_id);

-- A link that is good once: to become the first administrator, or to choose a password.
create table staff_link (
    hospital text not null,
    token_hash bytea not null,              -- SHA-256
    user_id uuid,                           -- null: for the first administrator, who is not there yet
    ends_at timestamptz not null,
    primary key (hospital, token_hash),
    foreign key (hospital, user_id) references staff_user (hospital, id) on delete cascade
);
create index staff_link_of_user on staff_link (hospital, user_id);
