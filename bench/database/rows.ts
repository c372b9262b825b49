import { Dice, text } from '../data.ts';
import type { Cluster } from './cluster.ts';

/** Bytes that a row takes in its table and its index. */
const ORDER_BYTES = 255;
const EVENT_BYTES = 445;
const SHARE_OF_ORDERS = 0.5;

/** Two tables of rows as shops have them: half of the bytes are keys and small values, half is text and JSON. Every run makes the same. */
export async function fill(cluster: Cluster, megabytes: number): Promise<void> {
  const orders = Math.ceil((megabytes * 1e6 * SHARE_OF_ORDERS) / ORDER_BYTES);
  const events = Math.ceil((megabytes * 1e6 * (1 - SHARE_OF_ORDERS)) / EVENT_BYTES);
  cluster.sql(`create table orders as select id, md5(id::text) as reference, 'customer ' || id % 977 as customer, (id * 7919 % 100000) / 100.0 as amount, repeat(md5((id % 5003)::text), 2) as note from generate_series(1, ${orders}::bigint) id`);
  cluster.sql('create table events (id bigint, at timestamptz, text text, detail jsonb)');
  await cluster.copy('events', eventRows(events, orders));
  for (const statement of ['alter table orders add primary key (id)', 'create index on orders (customer)', 'alter table events add primary key (id)', 'create index on events (at)', 'vacuum analyze', 'checkpoint']) cluster.sql(statement);
}

const ROWS_A_PIECE = 500;

function* eventRows(events: number, orders: number): Generator<string> {
  const dice = new Dice(3);
  for (let id = 1; id <= events; ) {
    const rows: string[] = [];
    for (; id <= events && rows.length < ROWS_A_PIECE; id++) rows.push(`${id}\t${new Date(FIRST_EVENT + id * 7000).toISOString()}\t${words(dice, 100 + dice.below(280))}\t{"order": ${dice.below(orders)}, "kind": ${id % 17}, "agent": "${words(dice, 40)}"}\n`);
    yield rows.join('');
  }
}

const FIRST_EVENT = Date.UTC(2026, 0, 1);

function words(dice: Dice, bytes: number): string {
  return text(dice, bytes).toString('latin1').replaceAll('\n', ' ');
}

const RUNS = 50;

/**
 * 1 % of the rows: of orders and of the older half of events in runs of rows beside each other, spread evenly; of the newer
 * half of events every hundredth row. Every `turn` changes other ones.
 */
export function change(cluster: Cluster, turn: number): void {
  for (const statement of [
    `update orders set amount = amount + 1, note = md5(note || ${turn}) where (id - ${turn}) % (select greatest(count(*) / ${RUNS}, 100) from orders) < (select greatest(count(*) / ${RUNS}, 100) / 100 from orders)`,
    `update events set text = text || ' again' where id <= (select count(*) / 2 from events) and (id + ${turn}) % (select greatest(count(*) / ${RUNS}, 100) from events) < (select greatest(count(*) / ${RUNS}, 100) / 100 from events)`,
    `update events set text = text || ' again' where id > (select count(*) / 2 from events) and (id + ${turn}) % 100 = 0`,
    'checkpoint',
  ]) cluster.sql(statement);
}

/** Rows are updated until so many segments of WAL are full; between two rounds a checkpoint, so that full pages are in it. */
export function writeWal(cluster: Cluster, isEnough: () => boolean): void {
  for (let round = 0; !isEnough(); round++) {
    cluster.sql(`update ${round % 2 === 0 ? 'orders' : 'events'} set ${round % 2 === 0 ? `amount = amount + 1, note = md5(note || ${round})` : 'text = reverse(text)'} where id % 5 = ${round % 5}`);
    cluster.sql('vacuum');
    cluster.sql('checkpoint');
  }
}
