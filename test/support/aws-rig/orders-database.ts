import type { PostgresServer } from '../servers/postgres.ts';

/** Stands in a thousand rows; must be readable in no object of a vault. */
export const MARKER = 'Grace Hopper of Arlington';

const SCHEMA = `
  CREATE TYPE state AS ENUM ('open', 'paid', 'sent');
  CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL, picture bytea, added timestamptz NOT NULL);
  CREATE TABLE orders (id bigint PRIMARY KEY, customer integer NOT NULL REFERENCES customers, state state NOT NULL, lines jsonb NOT NULL, note text);
  CREATE INDEX orders_by_customer ON orders (customer, state);
  CREATE TABLE empty (id integer);
  CREATE VIEW open_orders AS SELECT * FROM orders WHERE state = 'open';
  CREATE SEQUENCE order_ids START 500000`;

const ROWS = `
  INSERT INTO customers SELECT i, CASE WHEN i % 5 = 0 THEN '${MARKER}' ELSE 'Zoë "Ω" ' || i END, decode(md5(i::text), 'hex'), '2026-01-01'::timestamptz + i * interval '1 minute' FROM generate_series(1, 5000) i;
  INSERT INTO orders SELECT i, i % 5000 + 1, (ARRAY['open', 'paid', 'sent'])[i % 3 + 1]::state, jsonb_build_object('item', md5(i::text), 'count', i % 7), CASE WHEN i % 11 = 0 THEN md5((i * 7)::text) || md5((i * 13)::text) END FROM generate_series(1, 120000) i;
  SELECT setval('order_ids', 612345)`;

export async function fillOrders(postgres: PostgresServer): Promise<void> {
  await postgres.sql('CREATE DATABASE orders');
  await postgres.sql(SCHEMA, { database: 'orders' });
  await postgres.sql(ROWS, { database: 'orders' });
}

/** A few hundred rows in one place, as a day's work would be. */
export async function changeOrders(postgres: PostgresServer): Promise<void> {
  await postgres.sql(`UPDATE orders SET note = 'changed ' || id WHERE id BETWEEN 40000 AND 40300; DELETE FROM orders WHERE id = 77; INSERT INTO customers VALUES (9001, 'new since yesterday', NULL, now())`, { database: 'orders' });
}

/** Every table's rows, every sequence, index, constraint and view, as one comparable text each. */
export async function contentOf(postgres: PostgresServer): Promise<Record<string, unknown>> {
  const ask = <Row extends object>(text: string) => postgres.sql<Row>(text, { database: 'orders' });
  const content: Record<string, unknown> = {};
  for (const { name } of await ask<{ name: string }>(`SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1`)) {
    content[`rows of ${name}`] = (await ask(`SELECT count(*)::text AS count, coalesce(md5(string_agg(t::text, E'\\n' ORDER BY t::text)), '') AS digest FROM ${name} t`))[0];
  }
  content['sequences'] = await ask(`SELECT sequencename, last_value::text FROM pg_sequences ORDER BY 1`);
  content['indexes'] = await ask(`SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1`);
  content['constraints'] = await ask(`SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1`);
  content['views'] = await ask(`SELECT viewname, definition FROM pg_views WHERE schemaname = 'public' ORDER BY 1`);
  return content;
}
