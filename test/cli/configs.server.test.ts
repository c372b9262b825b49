import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DeleteSecretCommand, GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { DescribeParametersCommand, GetParameterCommand, ListTagsForResourceCommand } from '@aws-sdk/client-ssm';
import { putParameter, putSecret, servicesOf } from '../sources/configs/desk.ts';
import type { Services } from '../sources/configs/desk.ts';
import { jsonFault, startFaultProxy } from '../support/servers/fault-proxy.ts';
import type { FaultProxy } from '../support/servers/fault-proxy.ts';
import { startMinistack } from '../support/servers/ministack.ts';
import type { Ministack } from '../support/servers/ministack.ts';
import { Desk, REAL_WORKERS } from './run-in-process.ts';

const CANARY = 'kanarienvogel';
const canary = (where: string) => `${CANARY}-${where}-Zm9v+/=`;
/** Credentials are canaries, too. By the id of a key the emulator tells accounts apart. */
const VARIABLES = { KEY_ID: 'test', KEY_SECRET: canary('key-secret'), AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: canary('chain'), AWS_REGION: 'eu-central-1' };

let server: Ministack;
let proxy: FaultProxy;
let services: Services;
const before = { ...process.env };
beforeAll(async () => {
  Object.assign(process.env, VARIABLES);
  server = await startMinistack();
  proxy = await startFaultProxy(server.endpoint);
  services = servicesOf(server, proxy.endpoint);
});
afterAll(async () => {
  process.env = before;
  services?.close();
  await proxy?.stop();
  await server?.stop();
});

const said: string[] = [];
const seenProcesses = new Set<string>();

async function runAndListen(desk: Desk, ...args: readonly string[]) {
  const watching = setInterval(() => seenProcesses.add(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })), 200);
  const ran = await desk.run(...args).finally(() => clearInterval(watching));
  said.push(ran.stdout, ran.stderr);
  return ran;
}

/** Every form in which somebody could find it again. */
function hasCanary(bytes: Buffer): boolean {
  const forms = [CANARY, Buffer.from(CANARY).toString('hex'), ...[0, 1, 2].map((shift) => Buffer.from('x'.repeat(shift) + CANARY).toString('base64').slice(4, -4))];
  return [...forms, Buffer.from(CANARY, 'utf16le')].some((form) => bytes.includes(form));
}

function filesWithCanary(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).filter((path) => hasCanary(readFileSync(path)));
}

it('configs, parameters and secrets are kept and come back, and no canary is seen anywhere but where it was put (S8, R1)', async () => {
  const desk = new Desk(VARIABLES, REAL_WORKERS);
  const put = (name: string, content: string, mode: number) => {
    writeFileSync(desk.path(name), content);
    chmodSync(desk.path(name), mode);
  };
  put('app.conf', `password = ${canary('file')}\n`, 0o644);
  put('app.env', `DATABASE_URL=postgres://shop:${canary('url')}@db/shop\n${canary('no-assignment')}\n`, 0o600);
  await putParameter(services, '/shop/db/password', canary('parameter'), { type: 'SecureString', tags: { team: 'blue' }, description: 'of the shop' });
  await putParameter(services, '/shop/hosts', 'a,b', { type: 'StringList' });
  await putSecret(services, 'shop/api', `{"token":"${canary('secret')}"}`, { tags: { team: 'red' }, description: 'of the shop' });
  await putSecret(services, 'shop/binary', Buffer.from(`\0${canary('binary')}\xff`, 'latin1'));
  const plan = (name: string, more: string) => `  ${name}: { source: { type: configs, endpoint: "${proxy.endpoint}", region: eu-central-1, access-key-id: "\${env:KEY_ID}", secret-access-key: "\${env:KEY_SECRET}", ${more} } }\n`;
  writeFileSync(desk.path('holdfast.yaml'), `vaults: { main: { directory: vault, key-file: key } }\nplans:\n${plan('configs', 'files: [app.conf, { path: none.conf, optional: true }], environment-files: [app.env], parameters: ["/shop/*"], secrets: ["shop/*"]')}${plan('missing', 'files: [app.conf, none.conf], secrets: ["shop/*"]')}`);
  await desk.do('init');

  const made = await runAndListen(desk, 'backup', 'configs', '--json', '--progress');
  expect([made.code, made.code === 3 ? '' : made.stderr]).toEqual([3, '']);
  expect(made.stdout).toContain('"files":6');
  expect(made.stdout).toContain('it is not there; it is optional');
  expect(made.stdout).toContain('line 2: no assignment');
  expect(await runAndListen(desk, 'backup', 'missing')).toMatchObject({ stderr: expect.stringContaining('none.conf: it is not there') });
  for (const args of [['list'], ['show', 'latest:configs'], ['ls', 'latest:configs', '--recursive'], ['verify', 'latest:configs'], ['doctor']]) await runAndListen(desk, ...args);
  // Services that repeat in their errors what they were sent, and one that fails in the middle.
  for (const effect of [jsonFault(400, 'ValidationException', `Value '${canary('echo')}' failed to satisfy constraint`), jsonFault(400, 'AccessDeniedException', 'not for you')]) {
    proxy.script([{ action: /GetSecretValue$/, effect }]);
    const failed = await runAndListen(desk, 'backup', 'configs', '--full');
    expect([failed.code === 0, failed.stderr !== '']).toEqual([false, true]);
  }
  proxy.script([]);

  // Into a directory: what came from a service has the mode 0600, a file its own.
  expect([0, 3]).toContain((await runAndListen(desk, 'restore', 'latest:configs', '--to', 'out', '--threads', '1')).code);
  const restored = (path: string) => ({ mode: statSync(desk.path(path)).mode & 0o777, content: readFileSync(desk.path(path), 'latin1') });
  expect(restored('out/parameters/shop/db/password')).toEqual({ mode: 0o600, content: canary('parameter') });
  expect(restored('out/secrets/shop/binary')).toEqual({ mode: 0o600, content: `\0${canary('binary')}\xff` });
  expect(restored(`out/files${desk.path('app.env')}`).mode).toBe(0o600);
  expect(restored(`out/files${desk.path('app.conf')}`)).toEqual({ mode: 0o644, content: `password = ${canary('file')}\n` });

  // Back to the services, under other names; nothing is overwritten unless told to.
  const [toSsm, toSecrets] = [`ssm:/restored?endpoint=${proxy.endpoint}`, `secretsmanager:restored/?endpoint=${proxy.endpoint}`];
  const parameter = async (Name: string) => (await services.ssm.send(new GetParameterCommand({ Name, WithDecryption: true }))).Parameter;
  const secret = async (SecretId: string) => services.secrets.send(new GetSecretValueCommand({ SecretId }));
  expect((await runAndListen(desk, 'restore', 'latest:configs', '--to-aws', toSsm, '--dry-run')).stdout).toMatch(/create {7}\/restored\/shop\/db\/password {2}\(nothing has that name\)[^]*Into ssm:\/restored: create 2,/);
  await expect(parameter('/restored/shop/hosts')).rejects.toThrow();
  expect(await runAndListen(desk, 'restore', 'latest:configs', '--to-aws', toSsm)).toMatchObject({ code: 0, stdout: expect.stringMatching(/Restored .* into ssm:\/restored: 2 values; each was found there as it was sent[^]*4 entries left out/) });
  expect(await parameter('/restored/shop/db/password')).toMatchObject({ Type: 'SecureString', Value: canary('parameter') });
  expect((await services.ssm.send(new ListTagsForResourceCommand({ ResourceType: 'Parameter', ResourceId: '/restored/shop/db/password' }))).TagList).toEqual([{ Key: 'team', Value: 'blue' }]);
  expect((await services.ssm.send(new DescribeParametersCommand({ ParameterFilters: [{ Key: 'Name', Values: ['/restored/shop/db/password'] }] }))).Parameters?.[0]?.Description).toBe('of the shop');
  expect(await runAndListen(desk, 'restore', 'latest:configs', 'secrets/**', '--to-aws', toSecrets)).toMatchObject({ code: 0 });
  expect((await secret('restored/shop/api')).SecretString).toBe(`{"token":"${canary('secret')}"}`);
  expect(Buffer.from((await secret('restored/shop/binary')).SecretBinary ?? []).toString('latin1')).toBe(`\0${canary('binary')}\xff`);
  await putParameter(services, '/restored/shop/hosts', 'theirs', { type: 'StringList' });
  expect(await runAndListen(desk, 'restore', 'latest:configs', '--to-aws', toSsm)).toMatchObject({ code: 3, stdout: expect.stringMatching(/1 value left as they are: the same[^]*differs: 1 value left as they are\n {4}\/restored\/shop\/hosts/) });
  expect((await parameter('/restored/shop/hosts'))?.Value).toBe('theirs');
  expect(await runAndListen(desk, 'restore', 'latest:configs', '--to-aws', toSsm, '--overwrite', 'changed')).toMatchObject({ code: 0 });
  expect((await parameter('/restored/shop/hosts'))?.Value).toBe('a,b');
  await services.secrets.send(new DeleteSecretCommand({ SecretId: 'restored/shop/api', RecoveryWindowInDays: 7 }));
  expect((await runAndListen(desk, 'restore', 'latest:configs', '--to-aws', toSecrets, '--dry-run')).stdout).toContain('undelete     restored/shop/api');
  expect(await runAndListen(desk, 'restore', 'latest:configs', '--to-aws', toSecrets)).toMatchObject({ code: 0 });
  expect((await secret('restored/shop/api')).SecretString).toContain(canary('secret'));
  proxy.script([{ action: /PutParameter$/, effect: jsonFault(400, 'ParameterPatternMismatchException', `Parameter value '${canary('echo')}' does not match`) }]);
  expect(await runAndListen(desk, 'restore', 'latest:configs', '--to-aws', `ssm:/other?endpoint=${proxy.endpoint}`)).toMatchObject({ stderr: expect.stringContaining('could not be written: ParameterPatternMismatchException') });
  proxy.script([]);
  for (const wrong of ['s3:/x', 'ssm:x', 'ssm:/x?y=1', 'ssm:/x?endpoint=http://u:p@h']) expect((await runAndListen(desk, 'restore', 'latest:configs', '--to-aws', wrong)).stderr).toContain('wanted ssm:PREFIX or secretsmanager:PREFIX');

  expect(said.filter((text) => hasCanary(Buffer.from(text)))).toEqual([]);
  expect(seenProcesses.size).toBeGreaterThan(0);
  expect([...seenProcesses].filter((text) => hasCanary(Buffer.from(text)))).toEqual([]);
  // The vault, the catalog with its records and errors, the state directory, temporary files: everything but what was put or asked for.
  const here = ['app.conf', 'app.env'].map((name) => desk.path(name));
  expect(filesWithCanary(desk.folder).filter((path) => !here.includes(path) && !path.startsWith(desk.path('out/')))).toEqual([]);
  // The search finds what is there.
  expect(filesWithCanary(desk.folder).length).toBeGreaterThan(here.length);
});
