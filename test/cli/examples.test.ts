import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../../lib/config/load-config.ts';
import { resolvePlans } from '../../lib/config/resolve-plans.ts';

test('the example configuration loads as it is, and says what it seems to say', () => {
  const file = join(__dirname, '..', '..', 'examples', 'holdfast.yaml');
  const plans = resolvePlans(loadConfig(readFileSync(file, 'utf8'), file, { home: '/home/me' }));
  expect(plans.map(({ name, vault, policy }) => [name, vault.name, policy.verification])).toEqual([
    ['documents', 'usb', 'sample'],
    ['shop', 'nas', 'full'],
    ['postgres', 'nas', 'full'],
  ]);
});
