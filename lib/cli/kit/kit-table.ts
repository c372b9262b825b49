import type { Option } from 'commander';
import type { CommandRow } from '../command-table.ts';
import { collect, oneOf, option } from '../option-values.ts';

const progress = () => option('--progress', 'show progress also when standard error is no terminal');

export function kitOptions(): Option[] {
  return [
    option('--vault <dir>', 'folder of the vault; the one that this script lies in, or this folder, when not given'),
    option('--key-file <file>', 'file with the key'),
    option('--passphrase-file <file>', 'file whose first line is the passphrase; without any key you are asked for it'),
    option('--recipient-key-file <file>', 'file with the private half of an offline recipient, as `read-paper` writes it'),
    option('--kms-key-file <file>', 'file with what `aws kms decrypt` answered, see `keys`; may be repeated', collect),
    option('--json', 'results for programs: one JSON document a line'),
  ];
}

/** The commands of the product that only read, under its names, but for `keys` and `read-paper`. */
export function kitTable(name: string): CommandRow[] {
  return [
    {
      name: 'list', args: '', summary: 'list the backups in the vault, newest first', options: [option('--plan <name>', 'only backups of this plan')],
      examples: [`${name} list --key-file holdfast.key`, `${name} list --plan database`],
      load: () => import('./list.ts'),
    },
    {
      name: 'ls', args: '<id> [path]', summary: 'list the entries of one directory in a backup', options: [option('-r, --recursive', 'everything below too')],
      examples: [`${name} ls latest`, `${name} ls latest:database`, `${name} ls 01KAP src/lib --recursive`],
      load: () => import('../commands/ls.ts'),
    },
    {
      name: 'cat', args: '<id> <path>', summary: 'write one file of a backup to standard output, proved chunk by chunk', options: [],
      examples: [`${name} cat latest:database app.dump > app.dump`],
      load: () => import('../commands/cat.ts'),
    },
    {
      name: 'restore', args: '<id> [patterns...]', summary: 'restore a backup, or what matches, into a directory',
      options: [
        option('--to <dir>', 'directory to restore into; made when it is not there').makeOptionMandatory(),
        option('--dry-run', 'show what would be done and do nothing'),
        oneOf('--overwrite <when>', 'replace what is there: never (default), older, changed, always', ['never', 'older', 'changed', 'always']),
        option('--no-owner', 'do not set owner and group'),
        progress(),
      ],
      examples: [`${name} restore latest --to /tmp/restored`, `${name} restore latest:files --to /tmp/restored 'etc/**/*.conf'`],
      load: () => import('../commands/restore.ts'),
    },
    {
      name: 'verify', args: '[id]', summary: 'read one backup, or the whole vault, and prove every byte; nothing is written',
      options: [oneOf('--level <level>', 'how much is read', ['structure', 'full']).default('full'), progress()],
      examples: [`${name} verify`, `${name} verify latest:database`],
      load: () => import('../commands/verify.ts'),
    },
    {
      name: 'keys', args: '', summary: 'show which keys open this vault, and how a key in AWS KMS is asked; needs no key', options: [],
      examples: [`${name} keys`],
      load: () => import('./keys.ts'),
    },
    {
      name: 'read-paper', args: '', summary: 'type the five lines of a key on paper: proves them, and writes them as a key file when asked to',
      options: [option('--to <file>', 'file to make (mode 0600), for --recipient-key-file')],
      examples: [`${name} read-paper --to recovery.key`],
      load: () => import('../commands/keys-read-paper.ts'),
    },
  ];
}
