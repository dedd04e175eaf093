-- The message platform's access token (R23): one for all processes, which ask for another one at a time.
create table platform_token (
    hospital text not null,
    account text not null,                 -- appid
    sealed bytea,                          -- the token
    ends_at timestamptz,                   -- not used from here on
    right_id uuid,                         -- who asks the platform now,
    right_until timestamptz,               -- by the machine's clock: a process that died holds it no longer
    forced_at timestamptz,                 -- when a refresh was forced last,
    forced_day date,
    forced_count integer not null default 0, -- and how often on that day
    primary key (hospital, account)
);
