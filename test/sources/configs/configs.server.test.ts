import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DeleteSecretCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { DeleteParameterCommand } from '@aws-sdk/client-ssm';
import { backUp, heldBy, testRepository } from '../../support/run-backup.ts';
import { startFaultProxy } from '../../support/servers/fault-proxy.ts';
import type { FaultProxy } from '../../support/servers/fault-proxy.ts';
import { startMinistack } from '../../support/servers/ministack.ts';
import type { Ministack } from '../../support/servers/ministack.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { putParameter, putSecret, servicesOf, sourceFor, valuesOf } from './desk.ts';
import type { Listed, Services } from './desk.ts';

let server: Ministack;
let proxy: FaultProxy;
let services: Services;
let made = 0;
beforeAll(async () => {
  server = await startMinistack();
  proxy = await startFaultProxy(server.endpoint);
  services = servicesOf(server, proxy.endpoint);
});
afterAll(async () => {
  services?.close();
  await proxy?.stop();
  await server?.stop();
});
let place: string;
beforeEach(() => {
  proxy.script([]);
  place = `shop-${(made += 1)}`;
});

const kept = async (repository: ReturnType<typeof testRepository>, listed: Listed) => {
  const outcome = await backUp(repository, sourceFor(services, listed));
  return { outcome, values: valuesOf(await heldBy(repository, outcome)) };
};

describe('configs as a source (S8)', () => {
  it('keeps parameters of every type below a path, over several pages, with their tags and descriptions', async () => {
    await putParameter(services, `/${place}/db/password`, 'correct\nhorse', { type: 'SecureString', tags: { team: 'blue' }, description: 'of the shop' });
    await putParameter(services, `/${place}/hosts`, 'a,b,c', { type: 'StringList' });
    for (let index = 0; index < 25; index++) await putParameter(services, `/${place}/many/${index}`, `ünï ${index}`);
    await putParameter(services, `/${place}/db`, 'a parameter that is a folder, too');
    await putParameter(services, `/${place}-not/this`, 'beside it');
    const { values, outcome } = await kept(testRepository(), { parameters: [`/${place}/*`] });
    expect(values.size).toBe(28);
    expect(values.get(`parameters /${place}/db/password`)).toMatchObject({ content: Buffer.from('correct\nhorse'), kept: { version: '1', facts: { type: 'SecureString', tags: { team: 'blue' }, description: 'of the shop', keyId: expect.any(String) } } });
    expect(values.get(`parameters /${place}/hosts`)).toMatchObject({ content: Buffer.from('a,b,c'), kept: { facts: { type: 'StringList' } } });
    expect(values.get(`parameters /${place}/many/24`)?.content.toString()).toBe('ünï 24');
    expect(values.get(`parameters /${place}/db`)?.content.toString()).toContain('a folder');
    expect(outcome.manifest.evidence?.[0]?.facts).toContain('28 parameters in listings that ended');
  });

  it('keeps secrets that are text, binary or without a value, by name and by the beginning of names', async () => {
    await putSecret(services, `${place}/text`, '{"user":"shop"}', { tags: { team: 'red' }, description: 'of the shop' });
    await putSecret(services, `${place}/binary`, Buffer.from([0, 255, 10, 0]));
    await putSecret(services, `${place}-single`, 'alone');
    await putSecret(services, `${place}-other`, 'not wanted');
    const { values } = await kept(testRepository(), { secrets: [`${place}/*`, `${place}-single`] });
    expect([...values.keys()].sort()).toEqual([`secrets ${place}-single`, `secrets ${place}/binary`, `secrets ${place}/text`]);
    expect(values.get(`secrets ${place}/text`)).toMatchObject({ content: Buffer.from('{"user":"shop"}'), kept: { facts: { type: 'text', description: 'of the shop', tags: { team: 'red' } } } });
    expect(values.get(`secrets ${place}/binary`)).toMatchObject({ content: Buffer.from([0, 255, 10, 0]), kept: { facts: { type: 'binary' } } });
  });

  it('reads what changed, takes over what did not, and knows what is gone', async () => {
    for (const name of ['same', 'changed', 'gone']) await putParameter(services, `/${place}/${name}`, 'before');
    await putSecret(services, `${place}/same`, 'before');
    const listed = { parameters: [`/${place}/*`], secrets: [`${place}/*`] };
    const repository = testRepository();
    await kept(repository, listed);
    // What was written in the last two seconds is read again.
    await new Promise((resolve) => setTimeout(resolve, 2100));
    await kept(repository, listed);
    await putParameter(services, `/${place}/changed`, 'after');
    await services.ssm.send(new DeleteParameterCommand({ Name: `/${place}/gone` }));
    const reads = () => proxy.calls.filter(({ action }) => /GetParameterHistory|GetSecretValue/.test(action)).length;
    const before = reads();
    const { values, outcome } = await kept(repository, listed);
    expect(reads() - before).toBe(1);
    expect(Object.fromEntries([...values].map(([name, { content }]) => [name, content.toString()]))).toEqual({ [`parameters /${place}/changed`]: 'after', [`parameters /${place}/same`]: 'before', [`secrets ${place}/same`]: 'before' });
    expect(outcome.manifest.statistics).toMatchObject({ unchangedFiles: 2, changedFiles: 1, removedEntries: 1 });
    await services.secrets.send(new PutSecretValueCommand({ SecretId: `${place}/same`, SecretString: 'rotated' }));
    expect((await kept(repository, listed)).values.get(`secrets ${place}/same`)?.content.toString()).toBe('rotated');
  });

  it('fails for names that nobody has and for a secret that waits for its deletion, and keeps nothing', async () => {
    await putSecret(services, `${place}-deleted`, 'x');
    await services.secrets.send(new DeleteSecretCommand({ SecretId: `${place}-deleted`, RecoveryWindowInDays: 7 }));
    const refused = async (listed: Listed) => backUp(testRepository(), sourceFor(services, listed)).then(() => 'kept', (error: Error) => error.message);
    expect(await refused({ parameters: [`/${place}/none/*`] })).toBe(`Nothing is named /${place}/none/* among the parameters of this account and region.`);
    expect(await refused({ parameters: [`/${place}/none`] })).toContain(`Nothing is named /${place}/none `);
    expect(await refused({ secrets: [`${place}-none`] })).toContain(`Nothing is named ${place}-none among the secrets`);
    expect(await refused({ secrets: [`${place}-deleted`] })).toMatch(/waits for its deletion since 20/);
  });

  it('lists files and patterns: a missing required one fails, a missing optional one is a warning', async () => {
    const folder = temporaryFolder();
    const path = (name: string) => join(folder, name);
    mkdirSync(path('conf.d/deep'), { recursive: true });
    for (const name of ['app.conf', 'conf.d/a.conf', 'conf.d/deep/b.conf', 'conf.d/.hidden.conf', 'conf.d/[odd].conf', 'conf.d/c.txt']) writeFileSync(path(name), `content of ${name}`);
    writeFileSync(path('app.env'), 'A=1\nexport B="two\nlines"\n# comment\n\nthis is no assignment\n');
    symlinkSync('app.conf', path('link.conf'));
    chmodSync(path('app.conf'), 0o640);
    const optional = (name: string) => ({ path: path(name), isOptional: true, kind: 'file' }) as const;
    const { values, outcome } = await kept(testRepository(), {
      files: [path('app.conf'), path('link.conf'), path('conf.d/**/*.conf'), path('conf.d/[odd].conf'), optional('none.conf'), optional('none/*.conf'), { path: path('app.env'), isOptional: false, kind: 'environment' }],
    });
    const name = (entry: string) => entry.slice(`files${folder}/`.length);
    expect([...values.keys()].map(name).sort()).toEqual(['app.conf', 'app.env', 'conf.d/.hidden.conf', 'conf.d/[odd].conf', 'conf.d/a.conf', 'conf.d/deep/b.conf', 'link.conf']);
    expect(values.get(`files${path('link.conf')}`)?.content.toString()).toBe('content of app.conf');
    expect(outcome.manifest.warnings.map(({ code, path: at = '', message }) => [code, name(at), message])).toEqual([
      ['source-suspect', 'app.env', 'line 6: no assignment (NAME=value); the file is kept as it is'],
      ['optional-missing', 'none.conf', 'it is not there; it is optional'],
      ['optional-missing', 'none/*.conf', 'no file matches; it is optional'],
    ]);
    const failing = backUp(testRepository(), sourceFor(services, { files: [path('app.conf'), path('none.conf'), path('none/*.conf'), path('conf.d')] }));
    await expect(failing).rejects.toMatchObject({ code: 'source-failed', message: `3 listed files cannot be kept: ${path('none.conf')}: it is not there; ${path('none/*.conf')}: no file matches; ${path('conf.d')}: it is a directory, wanted a file: a tree is kept by a source of \`type: files\`.` });
  });
});
