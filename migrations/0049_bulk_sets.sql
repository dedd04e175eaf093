-- The runs that a bulk is for, kept when they are counted: what a preview counted is what is begun, whatever matches since.
create table bulk_set (
    tenant text not null,
    id uuid not null,
    arguments jsonb not null,               -- the whole verb that was asked for
    filter jsonb not null,
    up_to uuid not null,                    -- the newest run then
    taken_at timestamptz not null default engine_now(),
    primary key (tenant, id)
);

-- Its runs in the order of their ids, a thousand to a row.
create table bulk_part (
    tenant text not null,
    set_id uuid not null,
    last uuid not null,                     -- the last of them
    runs uuid[] not null,
    primary key (tenant, set_id, last),
    foreign key (tenant, set_id) references bulk_set (tenant, id) on delete cascade
);

-- One set begins one bulk. None: it began before sets were kept, and goes by its filter.
alter table bulk
    add column set_id uuid,
    add column skipped bigint not null default 0; -- runs of the set that the filter no longer held at their turn
create unique index bulk_of_set on bulk (tenant, set_id) where set_id is not null;
