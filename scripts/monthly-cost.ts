// Writes docs/costs.md from the synthesized template of the example and prints it: `node scripts/monthly-cost.ts`.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { costDocs } from '../lib/stack/cost-docs.ts';
import { exampleTemplate } from './example-template.ts';

const text = costDocs(exampleTemplate().Resources);
writeFileSync(join(import.meta.dirname, '..', 'docs', 'costs.md'), text);
process.stdout.write(text);
