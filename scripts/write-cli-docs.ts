// Writes the generated part of docs/cli.md anew: node scripts/write-cli-docs.ts
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REFERENCE_MARKS, reference } from '../lib/cli/reference.ts';

const file = join(import.meta.dirname, '..', 'docs', 'cli.md');
const [begin, end] = REFERENCE_MARKS;
const text = readFileSync(file, 'utf8');
const [before, rest = ''] = text.split(begin);
const after = rest.split(end)[1] ?? '\n';
writeFileSync(file, `${before}${begin}\n\n${reference()}\n\n${end}${after}`);
