import type { Manifest } from '../repository/index.ts';
import { bytesInWords, counted, durationInWords, timeInWords } from './words.ts';

/** A line for each source of a set, in the order in which they were read; none for a backup of one source. */
export function partLines({ parts = [] }: Pick<Manifest, 'parts'>): string[] {
  return parts.map(({ name, source, files, bytes, startedAt, finishedAt }) => {
    const [from, to] = [Date.parse(startedAt), Date.parse(finishedAt)];
    return `  part ${name}: ${source.type}, ${source.description}; ${counted(files, 'file')}, ${bytesInWords(bytes)}, read from ${timeInWords(from)} for ${durationInWords(to - from)}`;
  });
}
