-- Runs whose turns end their worker, and bulks that cannot go on.

-- How often in a row a worker that had the run in hand died at the same turn, so that a run which takes its worker with it
-- does not take one after the other, and since when. Written by whoever takes a run over, never by a turn: a run that moves
-- on has another turn, and counts from nothing.
alter table run add column reaped_turn integer, add column reaped smallint, add column reaped_since timestamptz;
alter table run_archive add column reaped_turn integer, add column reaped smallint, add column reaped_since timestamptz;

-- Why its last chunk could not be written, and the request that began it: the same request begins one bulk, whatever is
-- repeated.
alter table bulk add column last_error text, add column request text;
create unique index bulk_request on bulk (tenant, who, request) where request is not null;
