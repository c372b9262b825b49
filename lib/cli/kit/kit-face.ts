import type { Face } from '../face.ts';
import { kitOptions, kitTable } from './kit-table.ts';
import { rewordFor } from './reword.ts';

/**
 * The recovery kit's command line (K10): what reads, and nothing else, with the vault's folder and a key. `name` is how it
 * is started, for help and messages: `node holdfast-kit-….mjs`.
 */
export function kitFace(name: string): Face {
  return {
    name,
    description: 'Restores backups of a Holdfast vault with nothing but the vault and its key.',
    rows: kitTable(name),
    options: kitOptions,
    groups: {},
    footer: `Begin with:\n  $ ${name} list --key-file holdfast.key\n\nIDs may be shortened; \`latest\` and \`latest:PLAN\` are the newest good backups. Nothing in the vault is ever changed.`,
    reword: rewordFor(name),
  };
}
