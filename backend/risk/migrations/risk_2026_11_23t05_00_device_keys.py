"""Phones hold a key of their own instead of a secret that we gave them."""

from backend.migrate import from_sql

ID = "2026-11-23T05:00:00:000010"
VERSION = "1.38.0"
DESCRIPTION = "device keys of phones"

SQL = """
alter table risk.device
    alter column secret_hash drop not null,
    add column device_key bytea,  -- the public key, as RFC 7638 writes it
    -- of one device for ever: a removed device's key does not come back
    add column key_thumbprint text collate "C" unique,
    add constraint device_holder check ((secret_hash is null) <> (key_thumbprint is null)),
    add constraint device_key_whole check ((device_key is null) = (key_thumbprint is null)),
    add constraint device_key_thumbprint check (key_thumbprint = rtrim(
        translate(encode(sha256(device_key), 'base64'), '+/', '-_'), '='));

create function risk.keep_device_key() returns trigger language plpgsql as $$
begin
  if old.key_thumbprint is not null and
     (new.key_thumbprint is distinct from old.key_thumbprint
      or new.person_id is distinct from old.person_id) then
    raise exception 'the key of device % is its own for ever', old.device_id;
  end if;
  return new;
end $$;
create trigger device_key_stays before update on risk.device
  for each row execute function risk.keep_device_key();
"""


async def forwards():
    return from_sql("risk", ID, DESCRIPTION, SQL)
