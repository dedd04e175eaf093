-- The clock as before (migration 0001), with a plan that lasts as long as the connection. A function in SQL is parsed and
-- planned once for every place in every statement that asks it: 63 µs each, where an answer takes 2 µs.
create or replace function engine_now() returns timestamptz language plpgsql stable as $$
declare
    by_hand timestamptz;
begin
    select hand + coalesce(clock_timestamp() - running_since, interval '0') into by_hand from clock;
    return coalesce(by_hand, clock_timestamp());
end $$;
