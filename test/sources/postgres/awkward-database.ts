import type { PostgresServer } from '../../support/servers/postgres.ts';
import { fingerprint } from './rich-database.ts';

/** What `RICH` does not have yet. `$TABLES`: how many small tables. */
export const AWKWARD = `
do $$ begin if not exists (select from pg_roles where rolname = 'Besitzer Süd') then create role "Besitzer Süd"; create role "clerk-7"; end if; end $$;
create table "ünïcode 表" ("Ключ" int primary key, "emoji 🐘" text default '🐘', "select" text, "with ""quote""" text);
insert into "ünïcode 表" values (1, 'ночь', 'x', null), (2, E'\\u200F\\u0001\\t', '', E'\\\\.');
create table zones (at timestamptz, local timestamp, clock timetz, span interval, day date);
set timezone = 'Asia/Kathmandu';
insert into zones values ('2025-03-30 02:30:00 Europe/Berlin', '2025-03-30 02:30:00', '23:59:59.999999+14', '1 year -3 days 04:05:06.789', 'infinity'), ('-infinity', '4713-01-01 00:00:00 BC', '00:00-12', '-178000000 years', '0044-03-15 BC'), ('294276-12-31 23:59:59.999999+00', null, null, null, null);
create table bytes (id int primary key, raw bytea, bits bit varying, big bytea);
alter table bytes alter big set storage external;
insert into bytes values (1, '\\x00', B'0101', decode(repeat('00', 100000), 'hex')), (2, '', null, '\\x000a0d5c2e27'), (3, decode('00ff00' || repeat('0a5c', 1000), 'hex'), B'', null);
create table numbers (n numeric, f double precision, r real, m money, i int8);
insert into numbers values ('NaN', '-Infinity', 'NaN', '-1.23', -9223372036854775808), ('Infinity', '-0', 1e-40, 0, 9223372036854775807), (repeat('9', 1000)::numeric, 5e-324, 0.1, 12345.67, 0), (0.000000000000000000000000000001, 1e308, null, null, null);
create type pair as (left_one int, right_one text[]);
create table composites (p pair, ps pair[], ints int[], bounds int[], nested text[][], empty_one int[], j json, b jsonb, ranges int4multirange, words tsvector, spot point, box box, fixed char(10));
insert into composites values (row(1, array['a', null, '"']), array[row(2, null)::pair], array[1, null], '[3:4]={7,8}', array[['a,b', '{}'], ['"', E'\\\\']], '{}', '{"a" : 1,  "a":2, "nul": "\\u0000"}', '{"nul": null, "deep": [{"k": "\\u00e9"}]}', '{[1,3),[5,9)}', 'der:1 hund''s:2', '(1,2)', '(0,0),(1,1)', 'x');
create table parent (id int, kind text); create table child (extra text) inherits (parent); insert into parent values (1, 'p'); insert into child values (2, 'c', 'more');
create table hen (id int primary key, egg int not null); create table egg (id int primary key, hen int not null references hen deferrable initially deferred);
alter table hen add foreign key (egg) references egg deferrable initially deferred;
begin; insert into hen select i, 101 - i from generate_series(1, 100) i; insert into egg select i, 101 - i from generate_series(1, 100) i; commit;
create table ledger (nr int primary key, words text, amount int); insert into ledger select i, 'row ' || i, i from generate_series(0, 20000) i;
create table secret_rows (i int, owner name); alter table secret_rows enable row level security; create policy own_rows on secret_rows for select to "clerk-7" using (owner = current_user);
insert into secret_rows values (1, 'x'), (2, 'y'); grant select, insert on secret_rows to "clerk-7" with grant option;
create unlogged table quick (i int); insert into quick values (1);
create table "no columns" (); insert into "no columns" default values; insert into "no columns" default values;
create table dropped (a int, b text, c int); alter table dropped drop column b; insert into dropped values (1, 2);
create table overlap (id int primary key, total int generated always as (id * 2) stored, serial_one serial); alter table overlap owner to "Besitzer Süd"; insert into overlap (id) values (7), (9);
create statistics both_of (dependencies) on nr, amount from ledger;
create procedure nothing() language sql as 'select 1';
create aggregate concat_all (text) (sfunc = textcat, stype = text, initcond = '');
create rule no_delete as on delete to overlap do instead nothing;
alter default privileges in schema public grant select on tables to "clerk-7";
create schema many;
do $$ begin for i in 1..$TABLES loop execute format('create table many.%I (id int primary key, words text)', 'table ' || i); execute format('insert into many.%I select g, %L from generate_series(1, %s) g', 'table ' || i, 'of ' || i, i % 7); end loop; end $$;
`;

type Ask = (text: string) => Promise<object[]>;

/** `fingerprint`, and who owns what, who may do what, policies, statistics, extensions and types, all asked by `ask`. */
export async function awkwardFingerprint(ask: Ask, server: PostgresServer, database: string): Promise<Record<string, string>> {
  const asked = { ...server, sql: (text: string) => ask(text) } as unknown as PostgresServer;
  const more = (await ask(`
    select 'owner ' || relname as name, pg_get_userbyid(relowner)::text || ' ' || relpersistence::text || coalesce(relacl::text, '') || relrowsecurity::text as value from pg_class c join pg_namespace n on n.oid = relnamespace where nspname !~ '^pg_' and nspname <> 'information_schema' and relkind in ('r', 'p', 'v', 'm', 'S')
    union all select 'policy ' || policyname, permissive || roles::text || cmd || qual from pg_policies
    union all select 'extension ' || extname, extversion from pg_extension
    union all select 'label ' || enumlabel, enumsortorder::text from pg_enum
    union all select 'inherits ' || inhrelid::regclass, inhparent::regclass::text from pg_inherits
    union all select 'statistics ' || stxname, pg_get_statisticsobjdef(oid) from pg_statistic_ext
    union all select 'rule ' || rulename, definition from pg_rules where schemaname !~ '^pg_'
    union all select 'default privileges', defaclacl::text from pg_default_acl
    union all select 'kinds of functions', string_agg(prokind::text || proname, ' ' order by proname) from pg_proc where pronamespace = 'public'::regnamespace and not exists (select from pg_depend d where d.objid = pg_proc.oid and d.deptype = 'e')
    union all select 'domain ' || conname, pg_get_constraintdef(oid) from pg_constraint where contypid <> 0 and connamespace = 'public'::regnamespace`)) as { name: string; value: string }[];
  return { ...(await fingerprint(asked, database)), ...Object.fromEntries(more.map(({ name, value }) => [name, value])) };
}
