-- Ids rise. An index that has the newest first is filled at its left end, where every page that is full is split in halves
-- and stays half empty; one that has the newest last is filled at its right end and its pages are full. It is read backwards
-- as well. A parked run takes 130 bytes less, and its entries are written faster.
drop index run_recent;
create index run_recent on run (tenant, workflow, id);
drop index run_live;
create index run_live on run (tenant, status, id) include (workflow, step)
    where status in ('pending', 'running', 'waiting', 'suspended');
drop index run_step;
create index run_step on run (tenant, rest_step, id) where rest_step is not null;
drop index run_ended_badly;
create index run_ended_badly on run (tenant, status, id) where status in ('cancelled', 'faulted');
drop index run_archive_recent;
create index run_archive_recent on run_archive (tenant, workflow, id);
drop index run_archive_step;
create index run_archive_step on run_archive (tenant, step, id);
drop index run_archive_ended_badly;
create index run_archive_ended_badly on run_archive (tenant, status, id) where status in ('cancelled', 'faulted');
