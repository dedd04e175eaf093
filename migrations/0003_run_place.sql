-- What a run's place in its table means for the engine: whom the present step calls, what is owed, whose child it is.

alter table run
    add column lane text not null default '',      -- the destination that the present step calls; '': none
    add column priority smallint not null default 1 check (priority between 0 and 2), -- 0 urgent, 1 normal, 2 bulk
    add column owes text[] not null default '{}',  -- obligations that the outcomes so far opened and did not close
    add column fault text                          -- the class of the last fault, null after a move
        check (fault in ('retry', 'stop', 'unknown', 'staff')),
    add column failing_since timestamptz,          -- the first of the failures in a row at the present step
    add column parent uuid,                        -- the run that waits for this one's ending
    add column reports text,                       -- the signal by which the parent hears of it
    add column trace text;                         -- the W3C traceparent of what started it

-- A parent's children, for lists and for a cancel down the tree.
create index run_parent on run (tenant, parent, id) where parent is not null;

-- The class of the fault, where the attempt failed.
alter table turn add column fault text;
