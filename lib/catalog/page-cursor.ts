import { HoldfastError } from '../model/errors.ts';

/** The last backup of a page, opaque to callers: a new backup between two pages neither repeats nor hides another. */
export interface PageCursor {
  readonly finishedAt: number;
  readonly backupId: string;
}

export function encodeCursor({ finishedAt, backupId }: PageCursor): string {
  return Buffer.from(`${finishedAt}:${backupId}`).toString('base64url');
}

export function decodeCursor(text: string): PageCursor {
  const match = /^(\d{1,16}):([0-9A-Za-z]+)$/.exec(Buffer.from(text, 'base64url').toString());
  if (match === null) throw new HoldfastError('usage', `The cursor ${JSON.stringify(text.slice(0, 80))} is none, wanted \`next\` of an earlier page.`);
  return { finishedAt: Number(match[1]), backupId: match[2] ?? '' };
}
