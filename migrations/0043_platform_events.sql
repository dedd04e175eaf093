-- Whether a message arrived, as the hospital's own message platform tells it (R23): by our id of the message.
create index callback_of_platform on callback (hospital, subject) where source = 'platform';
