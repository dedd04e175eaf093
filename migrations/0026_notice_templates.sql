-- Texts of notices (R23). A version is never changed: who has read it may keep it, under its number. The highest number of a
-- name and campus counts; where it is empty, or there is none, the hospital's counts, and without one the built-in text.
create table notice_template (
    hospital text not null,
    name text not null,
    campus_id text not null,               -- '': every campus that has none of its own
    version integer not null,              -- from 1
    body jsonb,                            -- null: taken back
    who text not null,
    reason text not null,
    created_at timestamptz not null default engine_now(),
    primary key (hospital, name, campus_id, version)
);
