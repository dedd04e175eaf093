-- What each worker's release can run, written by the worker beside its lease. A live run at a step that no live worker
-- knows is unrunnable.
alter table worker
    add column knows text[] not null default '{}',  -- every `workflow/step`
    add column hears text[] not null default '{}';  -- every `workflow/step/signal` that a step hears

-- Live runs by place, so that those at unknown steps are counted without a look at the table.
drop index run_live;
create index run_live on run (tenant, status, id desc) include (workflow, step)
    where status in ('pending', 'running', 'waiting', 'suspended');
