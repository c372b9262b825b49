import { loadConfig } from '../../lib/config/load-config.ts';
import { planOrders } from '../../lib/local/backup-order.ts';
import { chooseVault } from '../../lib/local/vault-choice.ts';

const here = { variables: {}, home: '/home/me', workingFolder: '/work', temporaryFolder: '/tmp' };
const load = (...vaults: string[]) =>
  loadConfig(['vaults:', ...vaults.map((vault) => `  ${vault}`), 'plans:', ...vaults.map((vault) => vault.split(':')[0]).map((vault) => `  of-${vault}: { vault: ${vault}, source: { type: command, command: x, stdin-name: d } }`)].join('\n'), '/etc/holdfast.yaml', { home: '/home/me' });
const CLOUD = 'cloud: { aws: {} }';
const DISK = 'disk: { directory: /vault, key-file: /key }';

describe('a file with vaults of a stack, on this machine', () => {
  it.each([
    ['by its name', { vault: 'cloud' }, load(CLOUD, DISK)],
    ['as the only one', {}, load(CLOUD)],
    ['as one of several that are all of stacks', {}, load(CLOUD, 'other: { aws: {} }')],
  ])('does not open one of them here %s, and names the way', async (_, options, config) => {
    await expect(chooseVault(options, here, config)).rejects.toMatchObject({ code: 'usage', message: 'The vault cloud is made by `cdk deploy` and is not opened by the local runtime.', nextStep: 'Name its stack: add --aws STACK.' });
  });

  it('takes the only vault that is not of a stack when nobody names one', async () => {
    expect(await chooseVault({}, here, load(CLOUD, DISK))).toMatchObject({ directory: '/vault' });
    await expect(chooseVault({}, here, load(CLOUD, DISK, 'usb: { directory: /usb, key-file: /key }'))).rejects.toMatchObject({ code: 'usage', message: '/etc/holdfast.yaml has 2 vaults (disk, usb), wanted one of them by name.' });
  });

  it('runs the plans of this machine when none is named, and refuses one of a stack', async () => {
    expect((await planOrders({ targets: [] }, here, load(CLOUD, DISK))).map(({ planName }) => planName)).toEqual(['of-disk']);
    await expect(planOrders({ targets: ['of-cloud'] }, here, load(CLOUD, DISK))).rejects.toMatchObject({ code: 'usage', nextStep: 'Name its stack: add --aws STACK.' });
    await expect(planOrders({ targets: [] }, here, load(CLOUD))).rejects.toMatchObject({ nextStep: 'Name its stack: add --aws STACK.' });
  });
});
