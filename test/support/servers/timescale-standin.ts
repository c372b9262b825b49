import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Versions that the stand-in can be installed in. */
export const STANDIN_VERSIONS = ['2.98.0', '2.99.0'] as const;

/**
 * A stand-in for TimescaleDB, control and SQL alone, for `extension_control_path` of PostgreSQL 18. It shows what the real
 * extension shows: its catalog takes no rows while the database is not told that it is being restored, and calls are
 * recorded in order. It proves that the product calls in the right order, and nothing about TimescaleDB.
 */
export function writeTimescaleStandin(folder: string): string {
  const extension = join(folder, 'extension');
  mkdirSync(extension, { recursive: true });
  writeFileSync(join(extension, 'timescaledb.control'), `comment = 'stand-in for tests'\ndefault_version = '2.99.0'\nrelocatable = false\nschema = public\n`);
  for (const version of STANDIN_VERSIONS) writeFileSync(join(extension, `timescaledb--${version}.sql`), SQL);
  for (const path of [folder, extension]) chmodSync(path, 0o755);
  return `extension_control_path = '${folder}:$system'`;
}

const SQL = `
create schema _timescaledb_catalog;
create table _timescaledb_catalog.hypertable (id int primary key, name text);
create table _timescaledb_catalog.calls (n serial, what text);
select pg_catalog.pg_extension_config_dump('_timescaledb_catalog.hypertable', '');
create function _timescaledb_catalog.guard() returns trigger language plpgsql as $$ begin
  if coalesce(current_setting('timescaledb.restoring', true), 'off') <> 'on' then raise exception 'the catalog takes no rows outside of a restore'; end if;
  return new;
end $$;
create trigger guard before insert on _timescaledb_catalog.hypertable for each row execute function _timescaledb_catalog.guard();
create function timescaledb_pre_restore() returns bool language plpgsql as $$ begin
  execute format('alter database %I set timescaledb.restoring = %L', current_database(), 'on');
  insert into _timescaledb_catalog.calls (what) values ('pre_restore');
  return true;
end $$;
create function timescaledb_post_restore() returns bool language plpgsql as $$ begin
  execute format('alter database %I reset timescaledb.restoring', current_database());
  insert into _timescaledb_catalog.calls (what) values ('post_restore');
  return true;
end $$;
create function create_hypertable(relation text) returns void language plpgsql as $$ begin
  perform set_config('timescaledb.restoring', 'on', true);
  insert into _timescaledb_catalog.hypertable select count(*) + 1, relation from _timescaledb_catalog.hypertable;
  perform set_config('timescaledb.restoring', 'off', true);
end $$;
`;
