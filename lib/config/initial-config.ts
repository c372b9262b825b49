export interface InitialConfigOptions {
  readonly vaultDirectory?: string;
  /** Instead of a directory. */
  readonly vaultBucket?: { readonly bucket: string; readonly prefix: string; readonly endpoint?: string; readonly region?: string; readonly pathStyle?: boolean; readonly caFile?: string };
  /** Files with the public halves of offline recipients. */
  readonly recipients?: readonly string[];
  readonly key?: { readonly kind: 'key-file' | 'passphrase-file'; readonly path: string };
}

/**
 * A `holdfast.yaml` to start from: it loads without a change, explains every part, and its plan backs up the folder that
 * it stands in. Give the options when a vault was just made, so that the file names it.
 */
export function initialConfig(options: InitialConfigOptions = {}): string {
  const key = options.key ?? { kind: 'key-file', path: '~/.config/holdfast/key' };
  return `# What Holdfast protects, where it is kept, and for how long. Paths are relative to this file; ~/ is your home directory.
# Every key is explained by the JSON Schema that Holdfast ships (dist/holdfast.schema.json).

# Where backups are kept. Without its key a vault cannot be read by anybody: keep a copy of the key somewhere else.
vaults:
  main:
    ${placeLine(options)}
    ${key.kind}: ${quoted(key.path)}
${recipientLines(options.recipients)}    # Instead of a file, a passphrase can come from the environment or from another file:
    # passphrase: "\${env:HOLDFAST_PASSPHRASE}"

# What is protected. "holdfast backup NAME" runs one plan.
plans:
  folder:
    source:
      type: files
      paths: ["."]
      exclude: ["node_modules", "*.tmp"]
    policy: configs

  # A SQLite database, also while it is in use:
  # database:
  #   source: { type: sqlite, path: data/app.db }
  #   policy: database

  # Whatever a command prints. It must end with exit code 0, with this text, and not be smaller than this:
  # dump:
  #   source:
  #     type: command
  #     command: pg_dump --dbname app
  #     stdin-name: app.sql
  #     end-marker: "-- PostgreSQL database dump complete"
  #     minimum-size: 1 MiB
  #   policy:
  #     based-on: database          # ready-made: database, media, configs, logs
  #     retention: { days: 90, monthly: 12 }

# Schedules ("frequency") and automatic removal ("retention") are not there yet in this version: they are checked and
# kept for later. Run "holdfast backup" from cron; "holdfast remove" and "holdfast prune" free space.
# Policies of your own, for use by name:
# policies:
#   careful:
#     frequency: { cron: "30 2 * * *", time-zone: Europe/Berlin }
#     retention: { count: 10, weekly: 8 }
#     compression: { algorithm: zstd, level: 9 }
#     verification: full            # none, structure, sample, full: read back before a backup counts as good
#     warnings-are-good: false
`;
}

function placeLine({ vaultDirectory, vaultBucket }: InitialConfigOptions): string {
  if (vaultBucket === undefined) return `directory: ${quoted(vaultDirectory ?? '~/.local/share/holdfast/vault')}`;
  const { bucket, prefix, endpoint, region, pathStyle, caFile } = vaultBucket;
  const fields = { bucket, prefix: prefix || undefined, endpoint, region, 'path-style': pathStyle, 'ca-file': caFile };
  return `s3: { ${Object.entries(fields).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}: ${JSON.stringify(value)}`).join(', ')} }`;
}

function recipientLines(recipients: readonly string[] = []): string {
  if (recipients.length === 0) return '    # A paper that opens the vault when its key is lost (holdfast keys make-recipient office.recipient):\n    # recipients: [office.recipient]\n';
  return `    recipients: [${recipients.map(quoted).join(', ')}]\n`;
}

/** JSON strings are YAML strings; quoting keeps paths with colons or hashes whole. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
