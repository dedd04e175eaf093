-- What was signed rightly and could not be taken says why. So many rows of a source and a day are written; this counts them.
create index callback_untaken on callback (hospital, source, received_at)
    where body ? 'why' and fate <> 'unbelieved';
-- What was stored and left undone is looked for every few seconds.
create index callback_left on callback (hospital, source, received_at, event_id) where fate = 'received';
