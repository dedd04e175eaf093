-- Where somebody tries passwords of a user: too many wrong ones end the tries of that place, not the user's own elsewhere. A
-- network is a mark that 65,536 others have too, so no address is kept; a browser in which the user came in before is known by
-- a secret of its own.
create table staff_place (
    hospital text not null,
    user_id uuid not null,
    kind text not null check (kind in ('network', 'browser', 'session')),
    mark bytea not null,                    -- a network's two bytes; SHA-256 of a browser's or a session's token
    failures integer not null default 0,    -- tries since the last one that was right
    locked_until timestamptz,               -- no try from there is looked at before
    seen_at timestamptz not null default clock_timestamp(),
    primary key (hospital, user_id, kind, mark),
    foreign key (hospital, user_id) references staff_user (hospital, id) on delete cascade
);
create index staff_place_of_browser on staff_place (hospital, mark) where kind = 'browser';
create index staff_place_locked on staff_place (hospital, user_id, locked_until) where locked_until is not null;

alter table staff_user drop column failures, drop column locked_until;
