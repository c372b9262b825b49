import { STACK } from './example-config.ts';
import { fillMedia } from './media-tree.ts';
import { fillOrders } from './orders-database.ts';
import { startWorld } from './world.ts';
import type { World } from './world.ts';

/** `npm run aws:local`: the stack of the end-to-end tests, kept up until Ctrl-C. */
export async function stayUp(root: string): Promise<void> {
  const asked = new Promise<void>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => resolve());
  });
  console.log('Starting: emulator, containers, PostgreSQL, cdk deploy. This takes about a minute.');
  const world = await startWorld({ root, cron: '*/5 * * * *', tell: (line) => console.log(line), prepare: async ({ postgres, files }) => {
    await fillOrders(postgres);
    fillMedia(files);
  } });
  console.log(introduction(world));
  await asked;
  console.log('Stopping.');
  await world.stop();
}

function introduction({ rig, postgres, outputs, files }: World): string {
  const exports = Object.entries(rig.emulator.environment).map(([name, value]) => `  export ${name}=${value}`);
  return [
    '', `The stack ${STACK} is up. In another terminal:`, ...exports, '  export PATH="$PWD/node_modules/.bin:$PATH"', '',
    `  node dist/holdfast.mjs backup orders --aws ${STACK}`,
    `  node dist/holdfast.mjs backup media --aws ${STACK}`,
    `  node dist/holdfast.mjs list --aws ${STACK}`,
    `  node dist/holdfast.mjs restore latest:media --aws ${STACK} --to-target media-again`, '',
    `AWS        ${rig.emulator.endpoint} (every five minutes the schedule of "orders" fires)`,
    `PostgreSQL 127.0.0.1:${postgres.port}, user ${postgres.user}, database orders, PGPASSWORD='${postgres.password}'`,
    `Files      ${files.from} is what the plan "media" backs up, ${files.to} what media-again restores into`,
    `Restores   ${outputs['HoldfastRestoreWorkflow']}`,
    `Settings   ${rig.folder}/holdfast.yaml, template in ${rig.cdk.output}`,
    '', 'Ctrl-C stops and removes everything.',
  ].join('\n');
}

stayUp(process.cwd()).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
