import { dirname } from 'node:path';
import { HoldfastError } from '../model/errors.ts';
import { crossProblems } from './cross-checks.ts';
import type { Problem } from './problems.ts';
import { schemaProblems } from './problems.ts';
import type { ConfigFields } from './schema.ts';
import { configSchema } from './schema.ts';
import type { YamlDocument } from './yaml-document.ts';
import { parseYaml } from './yaml-document.ts';

/** A checked `holdfast.yaml`. Holds no secret, only references to them. */
export interface Config {
  readonly file: string;
  /** What relative paths in the file start from. */
  readonly directory: string;
  /** What `~/` in the file means; absent when nobody said. */
  readonly home?: string;
  readonly fields: ConfigFields;
}

/** Room for a thousand plans. Whatever is longer is another file: a dump, a log, a device. */
export const MAX_CONFIG_BYTES = 256 << 10;

/**
 * Parses and checks the text of `holdfast.yaml`. `file` is its absolute path. Fails with `config-invalid`: one line for
 * each of the first twenty problems, each with file, line, path, the value seen and what was wanted; `data.problems` has them for programs.
 */
export function loadConfig(text: string, file: string, options: { readonly home?: string } = {}): Config {
  if (Buffer.byteLength(text) > MAX_CONFIG_BYTES) throw tooLong(file);
  const document = parseYaml(text);
  if (document.faults.length > 0) throw invalid(file, document.faults.map((fault) => ({ line: fault.line, path: [], text: `not valid YAML: ${fault.text}` })));
  const parsed = configSchema.safeParse(document.value);
  if (!parsed.success) throw invalid(file, withLines(schemaProblems(parsed.error.issues, document.value), document));
  const config: Config = { file, directory: dirname(file), ...options, fields: parsed.data };
  const problems = crossProblems(config);
  if (problems.length > 0) throw invalid(file, withLines(problems, document));
  return config;
}

function tooLong(file: string): HoldfastError {
  return new HoldfastError('config-invalid', `${file} is longer than ${MAX_CONFIG_BYTES >> 10} KiB, wanted a holdfast.yaml of at most that.`, {
    nextStep: 'Give the path of the configuration with --config. What many plans have in common can be written once, under `policies`.', data: { file, maxBytes: MAX_CONFIG_BYTES },
  });
}

type PlacedProblem = Problem & { readonly line: number };

function withLines(problems: readonly Problem[], document: YamlDocument): PlacedProblem[] {
  return problems.map((problem) => ({ ...problem, line: document.lineOf(problem.path) })).sort((a, b) => a.line - b.line);
}

/** A file that is something else altogether has a fault in every line; nobody reads more than the first ones. */
const SHOWN_PROBLEMS = 20;

function invalid(file: string, problems: readonly PlacedProblem[]): HoldfastError {
  const lines = problems.slice(0, SHOWN_PROBLEMS).map((problem) => `${file}:${problem.line}: ${problem.text}`);
  if (problems.length > SHOWN_PROBLEMS) lines.push(`${file}: and ${problems.length - SHOWN_PROBLEMS} more problems`);
  return new HoldfastError('config-invalid', lines.join('\n'), {
    nextStep: `Correct ${file} and run the command again.`,
    data: { file, problems },
  });
}
