import { numberedLines } from './paper-file.ts';
import { shownFingerprint } from './public-half.ts';

export interface PaperPage {
  readonly seed: Uint8Array;
  readonly fingerprint: Uint8Array;
  /** File name of the public half. */
  readonly name: string;
  /** Milliseconds. */
  readonly madeAt: number;
}

/**
 * The page to print: the secret, and what somebody needs to know who finds it years later and never saw Holdfast. It
 * fits on one sheet (A4 or letter, at most 60 lines of 78 characters), and is itself a recipient key file.
 */
export function paperPage({ seed, fingerprint, name, madeAt }: PaperPage): string {
  return `
                        HOLDFAST RECOVERY PAPER

  Whoever has this paper and a vault that was made for it reads every backup
  in that vault. Keep it in a safe, away from the machines that are backed up;
  no program can print it again. It is needed when every other key is lost.

      Public half:   ${name}
      Fingerprint:   ${shownFingerprint(fingerprint)}
      Made:          ${new Date(madeAt).toISOString().slice(0, 10)}

${numberedLines(seed).map((line) => `          ${line}`).join('\n')}

  There is no I, L, O or U in these lines: 0 is a zero, 1 is a one. Small
  letters will do. The last two letters of a line are its check: Holdfast
  says which line holds a slip of the pen.

  TRY IT NOW, and once a year: the fingerprint it says must be the one above.

      holdfast keys read-paper

  WHEN THE KEYS ARE LOST: on a machine that you trust, with Holdfast and Node
  24.7 or newer, where VAULT is the directory or s3:// address of the vault:

      holdfast keys read-paper --to recovery.key
      holdfast list --vault VAULT --recipient-key-file recovery.key
      holdfast restore latest --to DIR --vault VAULT \\
          --recipient-key-file recovery.key

  TO BACK UP AGAIN, make a key file, then new keys with it:

      holdfast keys add --new-key-file new.key --vault VAULT \\
          --recipient-key-file recovery.key
      holdfast keys rotate --key-file new.key --vault VAULT \\
          --for-recipient ${name}

  The second command names the keys that it would leave out: leave out what
  is lost (--leave-out). Then remove recovery.key. Is the public half lost:
  holdfast keys read-paper --public-to FILE makes it again.

  WITHOUT HOLDFAST: "Private half on paper" and "recipient" in section 3 of
  docs/repository-format.md say what these lines are, byte by byte.
`;
}
