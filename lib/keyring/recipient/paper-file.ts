import { readSecretFile, refuseSharedFile, writeSecretFile } from '../secret-file.ts';
import { paperLines, parsePaper } from './paper.ts';

const WHAT = 'recipient key file';
const HEADING = `# Holdfast recipient, the private half, as it stands on its paper: whoever has it opens every vault that was made for it.
# Remove this file when the data is back: the paper is where it is kept.
`;

/** Reads a file with the five lines of a paper, or with its whole page. Fails as `missing-key`, `permission` (open to others), `wrong-key` (which line). */
export async function readPaperFile(path: string): Promise<Uint8Array> {
  const bytes = await readSecretFile(path, WHAT, (handle) => refuseSharedFile(path, WHAT, handle));
  return parsePaper(bytes.toString('latin1'));
}

/** Never overwrites; mode 0600. Fails as `already-exists`, `permission`, `no-space`. */
export async function writePaperFile(path: string, seed: Uint8Array): Promise<void> {
  await writeSecretFile(path, WHAT, `${HEADING}${numberedLines(seed).join('\n')}\n`);
}

export function numberedLines(seed: Uint8Array): string[] {
  return paperLines(seed).map((line, index) => `${index + 1}:  ${line}`);
}
