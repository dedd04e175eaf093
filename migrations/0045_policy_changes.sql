-- The changes of one doctor's, department's or campus's settings, the newest first: what can be undone.
create index audit_of_policy on audit (tenant, (after ->> 'level'), (after ->> 'id'), id desc)
    where verb in ('policy.put', 'policy.undo');
