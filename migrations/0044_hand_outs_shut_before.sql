-- Hand-outs that their cutoff had closed before they remembered why (decision 031) are taken up again by a later one as well: their
-- history says it. The last that happened to them outside of `Shut` was the cutoff; what staff did is a line after it, or in its
-- place, and stays ended. One that somebody has in hand at this moment, or whose history is forgotten, stays as it is.
with shut as materialized (
    select r.tenant, r.id from run r
    where r.workflow = 'slot_release' and r.rest_step = 'Shut' and r.status = 'waiting'
      and not exists (select from run_state s
                      where s.tenant = r.tenant and s.run_id = r.id and s.state ? 'past')
      and (select t.outcome = 'CutOff' and t.woke = 'deadline' and t.next = 'Shut' from turn t
           where t.tenant = r.tenant and t.run_id = r.id and t.step <> 'Shut' order by t.seq desc limit 1)
      and not exists (select from turn t
                      where t.tenant = r.tenant and t.run_id = r.id and t.step = 'Shut' and t.woke = 'staff'
                        and t.outcome = 'cancelled')
    for update of r),
knows as (
    update run_state s set state = s.state || '{"past": true}' from shut
    where s.tenant = shut.tenant and s.run_id = shut.id)
-- It did not hear of a later cutoff then.
update run r set listens = (select array_agg(distinct one) from unnest(r.listens || '{Terms}') one) from shut
where r.tenant = shut.tenant and r.id = shut.id;
