-- What was done in some days, however much was done since.
create index audit_at on audit (tenant, at desc);
