-- What became of a notice (R23): the message platform tells of a message by its own number, which the outbox keeps.
create index outbox_reference on outbox (tenant, reference) where reference is not null;
create index callback_of_message on callback (hospital, subject) where source = 'wechat';
