import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { PAPER_LINES, joinPaperLines, parsePaper, parsePaperLine } from '../../keyring/recipient/paper.ts';
import { writePaperFile } from '../../keyring/recipient/paper-file.ts';
import { fingerprintOf, shownFingerprint, writeRecipientFile } from '../../keyring/recipient/public-half.ts';
import { xWingKey } from '../../keyring/recipient/x-wing.ts';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import type { CommandContext } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';

/** A page is 2 KiB. */
const MAX_BYTES = 64 * 1024;

export async function run(context: CommandContext): Promise<ExitCode> {
  const { options, output, surroundings } = context;
  const seed = surroundings.stdin.isTTY === true ? await typed(context) : parsePaper(await piped(surroundings.stdin));
  const { publicKey } = xWingKey(seed);
  const fingerprint = fingerprintOf(publicKey);
  const pathOf = (option: unknown) => (typeof option === 'string' ? resolve(surroundings.workingFolder, option) : undefined);
  const [file, publicFile] = [pathOf(options['to']), pathOf(options['publicTo'])];
  if (file !== undefined) await writePaperFile(file, seed);
  if (publicFile !== undefined) await writeRecipientFile(publicFile, publicKey);
  output.result({ type: 'paper-read', fingerprint: Buffer.from(fingerprint).toString('hex'), file: file ?? null, recipient: publicFile ?? null }, () => [
    `The paper is whole. Its fingerprint is ${shownFingerprint(fingerprint)}.`,
    ...(file === undefined ? [] : [`Wrote ${file}: it opens a vault with --recipient-key-file. Remove it when the data is back.`]),
    ...(publicFile === undefined ? [] : [`Wrote ${publicFile}: the public half, which is no secret.`]),
  ]);
  return 0;
}

/** Line by line: a slip of the pen is told at once, and only that line is typed again. */
async function typed({ surroundings: { stdin, stderr, signal }, output }: CommandContext): Promise<Uint8Array> {
  const prompt = createInterface({ input: stdin, output: stderr, signal });
  const lines: (readonly number[])[] = [];
  let isClosed = false;
  prompt.once('close', () => (isClosed = true));
  const ask = () => {
    // What was pasted at once is still handed over line by line after the input has ended.
    if (isClosed) return;
    prompt.setPrompt(`Line ${lines.length + 1} of ${PAPER_LINES}: `);
    prompt.prompt();
  };
  ask();
  for await (const answer of prompt) {
    const line = lineOf(lines.length + 1, answer);
    if (isHoldfastError(line)) output.note(`${line.message} ${line.nextStep ?? ''}`);
    else lines.push(line);
    if (lines.length === PAPER_LINES) break;
    ask();
  }
  prompt.close();
  signal.throwIfAborted();
  if (lines.length < PAPER_LINES) throw new HoldfastError('interrupted', `The input ended before line ${lines.length + 1} of the paper; nothing was written.`, { nextStep: 'Start again when you have all five lines.' });
  return joinPaperLines(lines);
}

function lineOf(number: number, answer: string): readonly number[] | HoldfastError {
  try {
    // The number stands on the paper: who types it with the line is not wrong.
    return parsePaperLine(number, answer.replace(new RegExp(`^\\s*${number}\\s*:`), ''));
  } catch (error) {
    if (isHoldfastError(error, 'wrong-key')) return error;
    throw error;
  }
}

async function piped(stdin: CommandContext['surroundings']['stdin']): Promise<string> {
  let text = '';
  for await (const chunk of stdin) {
    text += String(chunk);
    if (text.length > MAX_BYTES) throw new HoldfastError('usage', `Standard input is longer than ${MAX_BYTES} bytes, so it is no paper.`, { nextStep: 'Give the five lines of the paper, each with its number and a colon.' });
  }
  return text;
}
