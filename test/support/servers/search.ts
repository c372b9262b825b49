import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SearchConnection } from '../../../lib/sources/search/connection.ts';
import { freePort, installed, startServer } from './servers.ts';
import type { RunningServer } from './servers.ts';

export type SearchProduct = 'elasticsearch' | 'opensearch';

export interface SearchServerUnderTest extends RunningServer {
  readonly product: SearchProduct;
  /** May do everything. Elasticsearch asks for a password; OpenSearch without its plugins knows no users. */
  readonly connection: SearchConnection;
  /** Of a user who may see `few-*` alone, and of those with the rights that the documentation lists; Elasticsearch only. */
  as(user: 'few' | 'backup' | 'restore'): SearchConnection;
  /** The body of a success as text. */
  ask(method: string, path: string, body?: unknown): Promise<string>;
  json<T>(method: string, path: string, body?: unknown): Promise<T>;
}

const VERSIONS: Readonly<Record<SearchProduct, string>> = { elasticsearch: '8.19.21', opensearch: '2.19.6' };
const PASSWORD = 'canary-pw-4411';
/** What `elasticsearch-users useradd` writes for that password: starting the program takes seconds. */
const HASH = '$2a$10$KCIm.4bfIILKWV0xJ7sXnODMauCZWGvVh3/Tobhd7RsrVS0mfztYK';
/** `backup` and `restore` as in docs/sources/elasticsearch.md. */
const ROLES = `
few:
  cluster: [monitor]
  indices: [{ names: ["few-*"], privileges: [read, view_index_metadata] }]
backup:
  cluster: [monitor, manage_index_templates, read_pipeline]
  indices: [{ names: ["*"], privileges: [read, view_index_metadata] }]
restore:
  cluster: [monitor, manage_index_templates, manage_pipeline]
  indices: [{ names: ["shop*", "holdfast-restore-*"], privileges: [manage, write, read] }]
`;

/**
 * A server of its own on loopback, one node, everything in a temporary folder; as nobody, because both refuse root. Of another version where
 * HOLDFAST_TEST_OPENSEARCH or HOLDFAST_TEST_ELASTICSEARCH names its folder, and HOLDFAST_TEST_JAVA that of the Java that it wants.
 */
export async function startSearch(product: SearchProduct): Promise<SearchServerUnderTest> {
  const home = process.env[`HOLDFAST_TEST_${product.toUpperCase()}`] ?? installed('search', `${product}-${VERSIONS[product]}`);
  const folder = mkdtempSync(join(tmpdir(), `holdfast-${product}-`));
  const [port, transport] = [await freePort(), await freePort()];
  const isSecure = product === 'elasticsearch';
  const connection: SearchConnection = { endpoint: `http://127.0.0.1:${port}`, ...(isSecure && { user: 'holdfast', password: PASSWORD }) };
  const ask = (method: string, path: string, body?: unknown) => asked(connection, method, path, body);
  try {
    configure(home, folder, { product, port, transport });
    const words = [join(home, 'bin', product)];
    const isRoot = process.getuid?.() === 0;
    if (isRoot) execFileSync('chown', ['-R', 'nobody:', folder]);
    const server = await startServer(isRoot ? 'setpriv' : (words[0] as string), isRoot ? ['--reuid', 'nobody', '--clear-groups', '--regid', 'nogroup', ...words] : [], {
      port, folder, env: environmentOf(product, folder), patienceMs: 180_000,
      isUp: async () => (await ask('GET', '/_cluster/health?wait_for_status=yellow&timeout=1s')).includes('"timed_out":false'),
    });
    const stop = async () => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    };
    return { ...server, stop, product, connection, as: (user) => ({ ...connection, user }), ask, json: async <T>(...words: Parameters<typeof ask>) => JSON.parse(await ask(...words)) as T };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    throw error;
  }
}

function configure(home: string, folder: string, { product, port, transport }: { readonly product: SearchProduct; readonly port: number; readonly transport: number }): void {
  const config = join(folder, 'config');
  chmodSync(folder, 0o755);
  cpSync(join(home, 'config'), config, { recursive: true });
  for (const name of ['data', 'logs', 'tmp']) mkdirSync(join(folder, name));
  const security = product === 'elasticsearch' ? 'xpack.security.enabled: true\nxpack.security.enrollment.enabled: false\n' : '';
  writeFileSync(join(config, `${product}.yml`), `cluster.name: shop\nnode.name: one\ndiscovery.type: single-node\nhttp.host: 127.0.0.1\nhttp.port: ${port}\ntransport.host: 127.0.0.1\ntransport.port: ${transport}\npath.data: ${join(folder, 'data')}\npath.logs: ${join(folder, 'logs')}\ncluster.routing.allocation.disk.threshold_enabled: false\n${security}`);
  // The options of the product without what is for long lives: a start takes half as long.
  const own = readFileSync(join(config, 'jvm.options'), 'utf8').split('\n').filter((line) => line !== '' && !/^#|GC|Xlog|loggc|Xm[sx]|HeapDump|HeapOcc|ErrorFile|tmpdir|CMS/.test(line)).map((line) => line.replace('-javaagent:', `-javaagent:${home}/`));
  writeFileSync(join(config, 'jvm.options'), [`-Djava.io.tmpdir=${join(folder, 'tmp')}`, '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xms512m', '-Xmx512m', ...own, ''].join('\n'));
  if (product !== 'elasticsearch') return;
  writeFileSync(join(config, 'users'), ['holdfast', 'few', 'backup', 'restore'].map((user) => `${user}:${HASH}\n`).join(''));
  writeFileSync(join(config, 'users_roles'), 'superuser:holdfast\nfew:few\nbackup:backup\nrestore:restore\n');
  appendFileSync(join(config, 'roles.yml'), ROLES);
}

function environmentOf(product: SearchProduct, folder: string): Record<string, string> {
  const prefix = product === 'elasticsearch' ? 'ES' : 'OPENSEARCH';
  const java = process.env['HOLDFAST_TEST_JAVA'] ?? join(execFileSync('readlink', ['-f', execFileSync('which', ['java'], { encoding: 'utf8' }).trim()], { encoding: 'utf8' }).trim(), '..', '..');
  return { [`${prefix}_JAVA_HOME`]: java, [`${prefix}_PATH_CONF`]: join(folder, 'config'), [`${prefix}_TMPDIR`]: join(folder, 'tmp'), CLI_JAVA_OPTS: `-Djava.io.tmpdir=${join(folder, 'tmp')}`, HOME: join(folder, 'tmp') };
}

/** Bodies that are text go as lines for `_bulk`, where the path says so. */
async function asked({ endpoint, user, password }: SearchConnection, method: string, path: string, body: unknown): Promise<string> {
  const headers = {
    'content-type': /_bulk/.test(path) ? 'application/x-ndjson' : 'application/json',
    ...(user !== undefined && { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` }),
  };
  const response = await fetch(`${endpoint}${path}`, { method, headers, ...(body !== undefined && { body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body) }) });
  const text = await response.text();
  if (!response.ok || (/_bulk/.test(path) && text.includes('"errors":true'))) throw new Error(`${method} ${path} answered ${response.status}: ${text.slice(0, 2000)}`);
  return text;
}
