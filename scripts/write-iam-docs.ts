// Writes docs/iam.md from the synthesized template of the example: `node scripts/write-iam-docs.ts`. A test fails when it is old.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { iamDocs } from '../lib/stack/iam-docs.ts';
import { RECEIVING_PLAN, exampleTemplate } from './example-template.ts';

writeFileSync(join(import.meta.dirname, '..', 'docs', 'iam.md'), iamDocs(exampleTemplate(), exampleTemplate(RECEIVING_PLAN)));
