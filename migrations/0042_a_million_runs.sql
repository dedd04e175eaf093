-- What people look for among a million runs.

-- Errors by their text. Of all runs few have one, and a turn that errs or no longer errs writes its row anew in any case, since its
-- status or its deadline changes: a run without error has no entry, and costs nothing more than before.
create index run_erred on run (tenant, id) where last_error is not null;
create index run_archive_erred on run_archive (tenant, id) where last_error is not null;

-- Who is being offered a place, for the home page: a few of all who live. An application's status changes `entry_queue` as well,
-- so no write that could have kept to its page now cannot.
create index entry_answering on entry (hospital) where live and status in ('offered', 'awaitingPayment', 'booking');

-- Whoever was changed last, for the patients' page. An admission counts in the patient's row and leaves this column as it is, so that it
-- keeps to its page as before.
create index patient_latest on patient (hospital, updated_at);
