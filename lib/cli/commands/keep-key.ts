/** What must be said whenever a key file is made: it is the only way to the backups. */
export function keepKeyLines(newKeyFile: string | undefined): string[] {
  if (newKeyFile === undefined) return [];
  return [`Made the key file ${newKeyFile}. Without it nothing in the vault can be read, by anyone: keep a copy away from this machine.`];
}
