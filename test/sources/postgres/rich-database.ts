import type { PostgresServer } from '../../support/servers/postgres.ts';

/** A database with something of everything that a restore could lose. */
export const RICH = `
create schema "Lager Süd";
create type mood as enum ('sad', 'ok', 'happy');
create domain positive as int check (value > 0);
create sequence ticket start 1000 increment 7;
create table person (
  id bigint generated always as identity primary key,
  name text not null, mood mood, tags text[], matrix int[][], data jsonb, photo bytea, born date, seen timestamptz, price numeric(12, 4),
  ratio double precision, id2 uuid, address inet, span int4range, size positive, note xml,
  shout text generated always as (upper(name)) stored
);
create index person_data on person using gin (data);
create unique index person_name on person (lower(name)) where id < 1000000;
create table "Lager Süd"."Artikel ""A""" (nr int primary key, owner bigint references person on delete cascade, words text default 'süß');
create table event (at date not null, kind text, amount int) partition by range (at);
create table event_2025 partition of event for values from ('2025-01-01') to ('2026-01-01');
create table event_rest partition of event default;
create table empty_one (i int);
create view happy as select id, name from person where mood = 'happy';
create materialized view moods as select mood, count(*) from person group by mood;
create function double(i int) returns int language sql immutable as 'select i * 2';
create function touch() returns trigger language plpgsql as $$ begin new.words := coalesce(new.words, 'touched'); return new; end $$;
create trigger touched before insert on "Lager Süd"."Artikel ""A""" for each row execute function touch();
comment on table person is 'it''s a comment; -- with traps';
insert into person (name, mood, tags, matrix, data, photo, born, seen, price, ratio, id2, address, span, size)
  select 'person ' || i, (array['sad', 'ok', 'happy'])[1 + i % 3]::mood, array['a"' || i, null, E'tab\\t'], array[[i, 2], [3, 4]],
    jsonb_build_object('i', i, 'text', md5(i::text), 'nul', null), decode(repeat(md5(i::text), 3), 'hex'), date '1970-01-01' + i % 20000,
    timestamptz '2020-01-01 00:00:00.123456+02' + i * interval '1 second', i / 7.0, case when i % 100 = 0 then 'NaN' else i / 3.0 end,
    md5(i::text)::uuid, '10.0.0.0'::inet + i % 250, int4range(i, i + 10), i
  from generate_series(1, $ROWS) i;
insert into person (name, data) values (E'line\\nbreak \\\\. and \\\\N', '{"é": "\\u0041"}'), ('', null);
insert into "Lager Süd"."Artikel ""A""" select i, i, null from generate_series(1, 500) i;
insert into event select date '2024-06-01' + i % 900, 'kind ' || i % 5, i from generate_series(1, 5000) i;
refresh materialized view moods;
select nextval('ticket') from generate_series(1, 12);
select lo_from_bytea(4242, decode(repeat('00ff10', 50000), 'hex')), lo_from_bytea(4243, ''::bytea);
`;

export async function makeRich(server: PostgresServer, database: string, rows: number): Promise<void> {
  await server.sql(`create database ${database}`);
  await server.sql(RICH.replace('$ROWS', String(rows)), { database });
}

/** Ordered checksums of every table, what every sequence is at, large objects, and definitions of everything else. */
export async function fingerprint(server: Pick<PostgresServer, 'sql'>, database: string): Promise<Record<string, string>> {
  const own = "nspname !~ '^pg_' and nspname <> 'information_schema'";
  const rows = async (text: string) => (await server.sql<{ name: string; value: string }>(text, { database })).map(({ name, value }) => [name, value] as const);
  const relations = await rows(`select format('%I.%I', nspname, relname) as name, relkind as value from pg_class c join pg_namespace n on n.oid = relnamespace where relkind in ('r', 'm', 'p', 'v', 'S') and ${own}`);
  const found: (readonly [string, string])[] = [];
  for (const [name, kind] of relations) {
    const what = kind === 'S' ? `select last_value || ' ' || is_called as value from ${name}` : `select count(*) || ' ' || coalesce(md5(string_agg(md5(t::text), '' order by t::text collate "C")), '') as value from ${name} t`;
    const [row] = await server.sql<{ value: string }>(what, { database });
    found.push([`${kind} ${name}`, row?.value ?? '']);
  }
  return Object.fromEntries([
    ...found,
    ...(await rows(`select 'column ' || attrelid::regclass || '.' || attname as name, format_type(atttypid, atttypmod) || attgenerated::text || attidentity::text || attnotnull::text as value from pg_attribute a join pg_class c on c.oid = attrelid join pg_namespace n on n.oid = relnamespace where attnum > 0 and not attisdropped and relkind in ('r', 'p', 'v', 'm') and ${own}`)),
    ...(await rows(`select 'index ' || indexname as name, indexdef as value from pg_indexes where schemaname !~ '^pg_'`)),
    ...(await rows(`select 'constraint ' || conname as name, pg_get_constraintdef(c.oid) as value from pg_constraint c join pg_namespace n on n.oid = connamespace where ${own}`)),
    ...(await rows(`select 'function ' || p.oid::regprocedure as name, pg_get_functiondef(p.oid) as value from pg_proc p join pg_namespace n on n.oid = pronamespace where prokind = 'f' and ${own} and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')`)),
    ...(await rows(`select 'trigger ' || tgname as name, pg_get_triggerdef(oid) as value from pg_trigger where not tgisinternal`)),
    ...(await rows(`select 'large object ' || m.oid as name, md5(lo_get(m.oid)) as value from pg_largeobject_metadata m`)),
    ...(await rows(`select 'comment' as name, obj_description('person'::regclass) as value`)),
  ]);
}
