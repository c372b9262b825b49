import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../../lib/model/clock.ts';
import { HoldfastError } from '../../../lib/model/errors.ts';
import { LogsSource } from '../../../lib/sources/logs.ts';
import type { LogGroups } from '../../../lib/sources/logs/log-groups.ts';
import { sourceContract } from '../../contract/source.ts';
import { describeTree } from '../../e2e/program.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { HOUR } from './desk.ts';

const [place, temporary] = [temporaryFolder(), temporaryFolder()];
mkdirSync(join(place, 'nginx'));
for (let index = 0; index < 20; index++) writeFileSync(join(place, 'nginx', `access.log.${index}`), `line ${index}\n`.repeat(10_000));

/** A group whose events end in the middle, as a service that fails. */
const failing: LogGroups = {
  async *list(name) {
    yield { name, created: 0, retentionDays: undefined };
  },
  async *events(_group, { from }) {
    yield { id: '1', stream: 's', timestamp: from, ingestionTime: from, message: 'first' };
    throw new HoldfastError('source-failed', 'The events could not be read: as the script says.', { nextStep: 'Nothing of this run is kept.' });
  },
};

const source = (paths: readonly string[], wanted: readonly string[] = []) => new LogsSource({ paths, groups: failing, wanted, rangeMs: 24 * HOUR, windowMs: HOUR, lateMs: HOUR, parallel: 4, clock: systemClock });

sourceContract('logs', () => ({
  temporaryFolder: temporary,
  secrets: [],
  state: () => describeTree(place),
  good: () => source([join(place, 'nginx')]),
  failing: () => source([join(place, 'nginx')], ['/shop/web']),
  refused: () => source([join(place, 'none')]),
}));
