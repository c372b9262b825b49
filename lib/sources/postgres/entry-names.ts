import { GLOBALS } from './globals.ts';

/** One component, another one for every database; of most it is the name itself. */
export function archiveName(database: string): string {
  return `${component(database)}.dump`;
}

/** Folder of a dump in directory format. */
export function folderName(database: string): string {
  const name = component(database);
  // A folder cannot stand beside a file of its name, nor be called as the one above.
  return [GLOBALS, '.', '..'].includes(name) ? name.replaceAll('.', '%2E') : name;
}

function component(database: string): string {
  return database.replace(/[%/]/g, (character) => (character === '/' ? '%2F' : '%25'));
}
