import { HoldfastError } from '../../../lib/model/errors.ts';
import { makeCertificates } from '../../support/aws-rig/certificates.ts';
import { startRedis } from '../../support/servers/redis.ts';
import type { RedisServer } from '../../support/servers/redis.ts';
import { freePort } from '../../support/servers/servers.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { failure } from '../reading.ts';
import { snapshotWhole, sourceFor } from './desk.ts';

const folder = temporaryFolder();
let server: RedisServer;
let port: number;
let authority: string;
beforeAll(async () => {
  const made = makeCertificates(folder, '127.0.0.1');
  [authority, port] = [made.authority, await freePort()];
  server = await startRedis({ settings: ['--tls-port', String(port), '--tls-cert-file', made.certificate, '--tls-key-file', made.key, '--tls-ca-cert-file', made.authority, '--tls-auth-clients', 'no', '--bind', '127.0.0.1', '127.0.0.2'] });
  await server.ask('SET', 'a', 'b'.repeat(100_000));
}, 30_000);
afterAll(() => server?.stop());

describe('Redis over TLS (S4)', () => {
  const through = (sslMode: 'disable' | 'require' | 'verify-full', changes: object = {}) => sourceFor(server, folder, { connection: { port, sslMode, ...changes } });

  it.each([['require', {}], ['verify-full', () => ({ sslRootCert: authority })]] as const)('brings a snapshot with ssl-mode %s', async (sslMode, changes) => {
    expect((await snapshotWhole(through(sslMode, typeof changes === 'function' ? changes() : changes))).evidence).toContain('keys: db0 1');
  });

  it.each<[string, 'disable' | 'require' | 'verify-full', () => object, RegExp]>([
    ['a certificate of an authority that nobody named', 'verify-full', () => ({}), /could not be encrypted as ssl-mode verify-full wants it: .*certificate/],
    ['a certificate for another name', 'verify-full', () => ({ host: '127.0.0.2', sslRootCert: authority }), /could not be encrypted as ssl-mode verify-full wants it: .*127\.0\.0\.2/],
    ['a file that is no certificate', 'verify-full', () => ({ sslRootCert: '/nonexistent/ca.pem' }), /^The certificate \/nonexistent\/ca.pem \(ssl-root-cert\) cannot be read/],
    ['a port without TLS', 'require', () => ({ port: server.port }), /could not be encrypted as ssl-mode require wants it: the server answers there without encryption/],
    ['a port with TLS that is spoken to in plain', 'disable', () => ({}), /broke: .*, before any answer: so does a server that wants TLS \(ssl-mode\)/],
  ])('refuses %s', async (_what, sslMode, changes, message) => {
    const error = await failure(through(sslMode, changes()).check());
    expect(error).toBeInstanceOf(HoldfastError);
    expect(error).toMatchObject({ code: 'source-failed', message: expect.stringMatching(message), nextStep: expect.any(String) });
  });
});
