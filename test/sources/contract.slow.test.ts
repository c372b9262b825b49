import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fromText } from '../../lib/model/byte-string.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { CommandSource } from '../../lib/sources/command.ts';
import type { CommandOptions } from '../../lib/sources/command.ts';
import { filesSource } from '../../lib/sources/files.ts';
import { sourceSet } from '../../lib/sources/set.ts';
import { SqliteSource } from '../../lib/sources/sqlite.ts';
import { StdinSource } from '../../lib/sources/stdin.ts';
import { sourceContract } from '../contract/source.ts';
import type { SourceDesk } from '../contract/source.ts';
import { describeTree } from '../e2e/program.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** `made` fills a folder; what a check could change is all that lies in it. */
function desk(make: (place: string, temporary: string) => Omit<SourceDesk, 'temporaryFolder' | 'state' | 'secrets'> & { readonly secrets?: readonly string[] }): () => SourceDesk {
  const [place, temporary] = [temporaryFolder(), temporaryFolder()];
  const made = { secrets: [], ...make(place, temporary), temporaryFolder: temporary, state: () => describeTree(place) };
  return () => made;
}

sourceContract('files', desk((place) => {
  mkdirSync(join(place, 'tree'));
  writeFileSync(join(place, 'tree', 'file'), 'content');
  // A root that vanishes between the check and the walk; what lies below roots is noticed by the walk and told.
  const vanishing = () => {
    const there = filesSource([fromText(join(place, 'tree'))]);
    return { ...there, paths: [fromText(join(place, 'gone'))] };
  };
  return { good: () => filesSource([fromText(join(place, 'tree'))]), failing: vanishing, refused: () => filesSource([fromText(join(place, 'not-there'))]) };
}));

sourceContract('sqlite', desk((place, temporary) => {
  const path = (name: string) => join(place, name);
  const database = new DatabaseSync(path('app.db'));
  database.exec('create table t (a); insert into t values (1), (2)');
  database.close();
  const bytes = readFileSync(path('app.db'));
  // Its head is that of a database, its pages are not.
  writeFileSync(path('broken.db'), Buffer.concat([bytes.subarray(0, 4096), Buffer.alloc(4096, 0x41)]));
  const source = (name: string) => new SqliteSource({ path: path(name), scratchFolder: temporary, clock: systemClock });
  return { good: () => source('app.db'), failing: () => source('broken.db'), refused: () => source('none.db') };
}));

sourceContract('command', desk((_place, temporary) => {
  const password = 'correct horse battery';
  const source = (options: Partial<CommandOptions>) => new CommandSource({ command: '', name: fromText('dump'), minimumBytes: 1, environment: { PATH: process.env['PATH'] }, temporaryFolder: temporary, clock: systemClock, secrets: [password], ...options });
  return {
    secrets: [password],
    good: () => source({ command: 'seq 1 50000; echo complete', endMarker: 'complete' }),
    failing: () => source({ command: `seq 1 50000; echo "no ${password.slice(0, 7)}""${password.slice(7)} for you" >&2; exit 3` }),
    slow: () => source({ command: 'echo begun; sleep 1000' }),
    refused: () => source({ command: 'if then' }),
  };
}));

sourceContract('set', desk((place, temporary) => {
  mkdirSync(join(place, 'tree'));
  writeFileSync(join(place, 'tree', 'file'), 'content');
  const command = (line: string) => new CommandSource({ command: line, name: fromText('dump'), minimumBytes: 1, environment: { PATH: process.env['PATH'] }, temporaryFolder: temporary, clock: systemClock });
  const source = (line: string, root = 'tree') => sourceSet({ parts: [{ name: fromText('tree'), source: filesSource([fromText(join(place, root))]) }, { name: fromText('out'), source: command(line) }] });
  return { good: () => source('seq 1 50000'), failing: () => source('seq 1 50000; exit 3'), slow: () => source('echo begun; sleep 1000'), refused: () => source('echo', 'not-there') };
}));

sourceContract('stdin', desk((place) => {
  writeFileSync(join(place, 'input'), 'what somebody pipes in');
  const opened: number[] = [];
  afterEach(() => opened.splice(0).forEach((fd) => closeSync(fd)));
  const input = () => (opened.push(openSync(join(place, 'input'), 'r')), opened.at(-1) as number);
  const source = (fd: number, minimumBytes = 1) => new StdinSource({ name: fromText('dump'), minimumBytes, clock: systemClock, fd });
  const folder = () => (opened.push(openSync(place, 'r')), opened.at(-1) as number);
  return { good: () => source(input()), failing: () => source(input(), 1e6), refused: () => source(folder()) };
}));
