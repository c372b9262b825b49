import { loadConfig } from '../../lib/config/load-config.ts';

/** What loading this text throws; undefined when it loads. */
export function refusal(text: string): unknown {
  try {
    return void loadConfig(text, '/etc/holdfast.yaml');
  } catch (error) {
    return error;
  }
}

/** The lines of the refusal, without the name of the file. */
export function refusalLines(text: string): string[] {
  const error = refusal(text);
  return error === undefined ? [] : (error as Error).message.split('\n').map((line) => line.replace('/etc/holdfast.yaml:', ''));
}
