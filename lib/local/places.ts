import { join, resolve } from 'node:path';

/** What the runtime takes from the process that composes it; tests pass their own. */
export interface Environment {
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly workingFolder: string;
  readonly temporaryFolder: string;
}

/** Where things are on this machine (XDG base directories). Nothing is made by asking. */
export interface Places {
  readonly defaultVault: string;
  readonly defaultKeyFile: string;
  readonly configFolder: string;
  /** Catalogs, locks, scratch copies, the identity of this writer. */
  readonly stateFolder: string;
}

export function placesOf({ variables, home }: Environment): Places {
  const folder = (variable: string, fallback: string) => join(absoluteOr(variables[variable], join(home, fallback)), 'holdfast');
  const configFolder = folder('XDG_CONFIG_HOME', '.config');
  return {
    defaultVault: join(folder('XDG_DATA_HOME', '.local/share'), 'vault'),
    defaultKeyFile: join(configFolder, 'key'),
    configFolder,
    stateFolder: folder('XDG_STATE_HOME', '.local/state'),
  };
}

/** The XDG specification: a relative path is to be ignored. */
function absoluteOr(value: string | undefined, fallback: string): string {
  return value !== undefined && value.startsWith('/') ? resolve(value) : fallback;
}
