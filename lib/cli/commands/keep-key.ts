/** What must be said whenever a key file is made: it is the only way to the backups, but for the papers of recipients. */
export function keepKeyLines(newKeyFile: string | undefined, recipients: readonly string[] = []): string[] {
  const papers = recipients.map((path) => `The paper of ${path} opens the vault.`);
  if (newKeyFile === undefined) return papers;
  if (recipients.length > 0) return [`Made the key file ${newKeyFile}. Whoever has it reads the vault: keep a copy away from this machine.`, ...papers];
  return [`Made the key file ${newKeyFile}. Without it nothing in the vault can be read, by anyone: keep a copy away from this machine.`];
}
