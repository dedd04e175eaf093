-- Whom the identity provider knows has no password here, nor a link to choose one: it would open the console without the provider.
update staff_user set password = null where subject is not null;
delete from staff_link l using staff_user u where u.hospital = l.hospital and u.id = l.user_id and u.subject is not null;
alter table staff_user add check (password is null or subject is null);
