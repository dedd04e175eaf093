-- A release before 0017 works on until it is replaced, and calls `commit_turns` as it was then.
create function commit_turns(
    of_tenant text, alone boolean, also uuid[],
    runs uuid[], generations integer[], turn_numbers integer[], attempts integer[], seen integer[],
    by_signals boolean[], steps text[], took integer[], did text[],
    statuses text[], nexts text[], dues timestamptz[], hears text[], lanes text[], priorities smallint[], owed text[],
    states jsonb[], wokes text[], heard text[], outcomes text[], said text[],   -- moves
    waits_s float8[], errors text[], faults text[],                             -- failed attempts
    letter_turns integer[], letter_ids text[], letter_topics text[], letter_payloads jsonb[]
) returns table (
    held_run uuid, held_generation integer, held_at timestamptz, of_key text, of_parent uuid, reports_by text
) language sql as $$
    select * from commit_turns(
        of_tenant, alone, also, runs, generations, turn_numbers, attempts, seen,
        by_signals, steps, took, did, statuses, nexts, dues, hears,
        lanes, priorities, owed, states, wokes, heard, outcomes, said,
        waits_s, errors, faults, letter_turns, letter_ids, letter_topics, letter_payloads,
        '{}'::integer[], '{}'::text[]);
$$;
