import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FunctionHost, buildFunctions } from './function-host.ts';
import type { BuiltFunction } from './function-host.ts';

/** KiB. A cold start reads all of it: whoever needs more says here why. The SDK's clients are most of each. */
const CEILING = {
  'dispatch': 1700, 'monitor': 1900, 'notify': 1500, 'restore-check': 1600, 'restore-report': 1450, 'restore-thaw': 1250, 'task-stopped': 1800, 'vault-init': 1350,
} as const;

describe('the bundles of the functions', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bundles-'));
  const second = mkdtempSync(join(tmpdir(), 'holdfast-bundles-again-'));
  let built: readonly BuiltFunction[] = [];

  beforeAll(async () => {
    // Both now: whoever edits meanwhile must not make them differ.
    [built] = await Promise.all([buildFunctions(folder), buildFunctions(join(second, 'deeper'))]);
  });
  afterAll(() => {
    for (const path of [folder, second]) rmSync(path, { recursive: true, force: true });
  });
  const bundleOf = (name: string) => readFileSync(join(folder, name, 'index.mjs'), 'utf8');

  it('are one folder for each function that the stack deploys, and nothing else', () => {
    expect(built.map(({ name }) => name)).toEqual(Object.keys(CEILING));
    for (const { name } of built) expect(readdirSync(join(folder, name)).sort()).toEqual(['index.mjs', 'index.mjs.map', ...(name === 'vault-init' ? ['kit-README.txt', 'kit.mjs'] : [])]);
  });

  it.each(Object.entries(CEILING))('stay below their ceiling: %s %i KiB', (name, kibibytes) => {
    expect((built.find((bundle) => bundle.name === name)?.bytes ?? Infinity) / 1024).toBeLessThan(kibibytes);
  });

  it('are the same bytes wherever they are built, and name no folder of this machine', () => {
    for (const { name } of built) {
      for (const file of readdirSync(join(folder, name))) expect(readFileSync(join(second, 'deeper', name, file)).equals(readFileSync(join(folder, name, file)))).toBe(true);
      expect(bundleOf(name)).not.toContain(join(__dirname, '..', '..'));
    }
  });

  it('carry neither the stack nor anything of the local runtime', () => {
    for (const { name } of built) {
      const { sources } = JSON.parse(readFileSync(join(folder, name, 'index.mjs.map'), 'utf8')) as { sources: string[] };
      expect(sources.filter((source) => /aws-cdk|lib\/(stack|local|cli|engine|sources)\/|sqlite/.test(source))).toEqual([]);
    }
    expect(existsSync(join(folder, 'dist'))).toBe(false);
  });

  it('load without any setting, export a handler, and name what is missing when they are called', async () => {
    const host = new FunctionHost(folder, { AWS_REGION: 'eu-central-1' });
    try {
      // vault-init must answer CloudFormation whatever is wrong: see its own test.
      for (const { name } of built.filter((bundle) => bundle.name !== 'vault-init')) {
        const answer = await host.invoke(name, EVENTS[name] ?? {});
        expect([name, answer]).toEqual([name, { error: { name: 'config-invalid', message: expect.stringMatching(/^config-invalid: HOLDFAST_STACK is not set, wanted the name of the stack\./) as string } }]);
      }
    } finally {
      await host.stop();
    }
  });
});

/** Where an event is looked at before the settings. */
const EVENTS: Readonly<Record<string, unknown>> = {
  'dispatch': { plan: 'a', idempotencyKey: 'b' },
  'task-stopped': { 'source': 'aws.ecs', 'detail-type': 'ECS Task State Change', 'detail': { taskArn: 'a', lastStatus: 'STOPPED', startedBy: '01J0000000000000000000000A' } },
};
