import { Stack } from 'aws-cdk-lib';
import { PolicyStatement, Role } from 'aws-cdk-lib/aws-iam';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { taskPrincipal } from './task-principal.ts';
import { PACK_CLASSES } from './vault-prefixes.ts';

export interface VaultAccessProps {
  readonly bucketArn: string;
  readonly keyArn: string;
}

/** Which of the vault's wrapped keys a role can open: all of them, or what opens metadata only. */
type Scope = 'all' | 'meta';

/** Everything that anybody may do in a vault, one method for each part that there is (design: Roles). */
export class VaultAccess extends Construct {
  /** The one principal that the bucket lets delete, and only by marker. Its task comes with retention. */
  readonly pruner: Role;
  readonly #props: VaultAccessProps;

  constructor(scope: Construct, id: string, props: VaultAccessProps) {
    super(scope, id);
    this.#props = props;
    this.pruner = new Role(this, 'Pruner', { assumedBy: taskPrincipal(Stack.of(this)), description: 'Holdfast: removes what retention and prune have ruled' });
    this.#grantPruning(this.pruner);
  }

  /**
   * A run of one plan: new objects below its own names. It reads metadata, never packs of data: a stolen writer learns
   * what there is and gets none of it.
   */
  grantWriting(role: IRole, ids: { readonly writer: string; readonly plan: string }): void {
    const { writer, plan } = ids;
    const own = ['snapshots', 'partial', 'wal'].map((kind) => `${kind}/${plan}/*`);
    this.#allow(role, ['s3:PutObject'], [...PACK_CLASSES.map((name) => `packs/${name}/${writer}/*`), `index/${writer}/*`, `refs/${plan}/*`, ...own]);
    this.#list(role);
    this.#allow(role, ['s3:GetObject'], ['holdfast.json', ...below('keys', 'index', 'packs/meta', 'refs', 'partial', 'condemned', 'damaged', 'verdicts'), ...own]);
    this.#useKey(role, ['kms:GenerateDataKey', 'kms:Decrypt']);
    this.#openSlots(role, 'all');
  }

  /**
   * Receives the WAL of one plan: its segments, and the notes that all is kept. It reads what it may have stored itself, to
   * compare, and lists that and key slots alone; it deletes nothing, and sees nothing of backups.
   */
  grantReceiving(role: IRole, { plan }: { readonly plan: string }): void {
    const own = [`wal/${plan}/*`, `wal-kept/${plan}/*`];
    this.#allow(role, ['s3:PutObject'], own);
    this.#allow(role, ['s3:GetObject'], ['holdfast.json', 'keys/*', ...own]);
    role.addToPrincipalPolicy(new PolicyStatement({ actions: ['s3:ListBucket'], resources: [this.#props.bucketArn], conditions: { StringLike: { 's3:prefix': ['keys/*', `wal/${plan}/*`] } } }));
    this.#useKey(role, ['kms:GenerateDataKey', 'kms:Decrypt']);
    this.#openSlots(role, 'all');
  }

  /** A restore reads everything and changes nothing. */
  grantRestoring(role: IRole): void {
    this.#list(role);
    this.#allow(role, ['s3:GetObject'], ['*']);
    this.#useKey(role, ['kms:Decrypt']);
    this.#openSlots(role, 'all');
  }

  /** A verification reads everything, and writes down what it found (V4). */
  grantVerifying(role: IRole): void {
    this.grantRestoring(role);
    this.#allow(role, ['s3:PutObject'], below('verdicts', 'damaged', 'coverage'));
    this.#useKey(role, ['kms:GenerateDataKey']);
  }

  /**
   * Healing, for whoever reads everything already: new packs below the stack's own writer, and lists of packs that say
   * what replaced what. The bucket lets nobody overwrite; nothing here stores a backup, a key or a mark, or deletes.
   */
  grantHealing(role: IRole, { writer }: { readonly writer: string }): void {
    this.#allow(role, ['s3:PutObject'], [...PACK_CLASSES.map((name) => `packs/${name}/${writer}/*`), `index/${writer}/*`, ...below('refs')]);
  }

  /** The steps of a restore that ask which vault has a backup and which packs it needs: no key opens anything for them. */
  grantFinding(role: IRole): void {
    this.#list(role);
    this.#allow(role, ['s3:GetObject'], below('snapshots', 'refs'));
    this.#useKey(role, ['kms:Decrypt']);
  }

  /** The functions that ask whether a commit has arrived: names and snapshots, without the key that opens data. */
  grantLooking(role: IRole): void {
    this.#list(role);
    this.#allow(role, ['s3:GetObject'], ['holdfast.json', ...below('keys', 'snapshots', 'refs', 'verdicts')]);
    this.#useKey(role, ['kms:Decrypt']);
    this.#openSlots(role, 'meta');
  }

  /** Makes a vault: its key slots, then its `holdfast.json`, then its recovery kit, which nobody else may write. */
  grantCreating(role: IRole): void {
    this.#list(role);
    this.#allow(role, ['s3:PutObject', 's3:GetObject'], ['holdfast.json', ...below('keys', 'kit')]);
    this.#useKey(role, ['kms:GenerateDataKey', 'kms:Decrypt']);
    role.addToPrincipalPolicy(new PolicyStatement({
      actions: ['kms:GenerateDataKey', 'kms:Decrypt'],
      resources: [this.#props.keyArn],
      conditions: { StringEquals: { 'kms:EncryptionContext:holdfast:scope': ['all', 'meta'] } },
    }));
  }

  /** Metadata, marks and rulings; deletes without version, so that what it does can be undone for 14 days. */
  #grantPruning(role: IRole): void {
    const facts = below('condemned', 'removed', 'refs', 'index', 'verdicts');
    this.#list(role);
    this.#allow(role, ['s3:GetObject'], ['holdfast.json', ...below('keys', 'index', 'packs/meta', 'snapshots', 'refs', 'partial', 'condemned', 'damaged', 'verdicts', 'coverage', 'removed', 'holds', 'released', 'plans')]);
    this.#allow(role, ['s3:PutObject'], facts);
    this.#allow(role, ['s3:DeleteObject'], below('packs', 'index', 'snapshots', 'refs', 'partial', 'condemned', 'damaged', 'verdicts', 'coverage', 'wal', 'wal-kept'));
    this.#useKey(role, ['kms:GenerateDataKey', 'kms:Decrypt']);
    this.#openSlots(role, 'meta');
  }

  #list(role: IRole): void {
    role.addToPrincipalPolicy(new PolicyStatement({ actions: ['s3:ListBucket'], resources: [this.#props.bucketArn] }));
  }

  #allow(role: IRole, actions: readonly string[], names: readonly string[]): void {
    role.addToPrincipalPolicy(new PolicyStatement({ actions: [...actions], resources: names.map((name) => `${this.#props.bucketArn}/${name}`) }));
  }

  /** Through S3 alone and for this bucket alone. With a bucket key the context names the bucket, without one the object. */
  #useKey(role: IRole, actions: readonly string[]): void {
    const { bucketArn, keyArn } = this.#props;
    role.addToPrincipalPolicy(new PolicyStatement({
      actions: [...actions],
      resources: [keyArn],
      conditions: {
        StringEquals: { 'kms:ViaService': `s3.${Stack.of(this).region}.amazonaws.com` },
        StringLike: { 'kms:EncryptionContext:aws:s3:arn': [bucketArn, `${bucketArn}/*`] },
      },
    }));
  }

  #openSlots(role: IRole, scope: Scope): void {
    role.addToPrincipalPolicy(new PolicyStatement({
      actions: ['kms:Decrypt'],
      resources: [this.#props.keyArn],
      conditions: { StringEquals: { 'kms:EncryptionContext:holdfast:scope': scope } },
    }));
  }
}

function below(...prefixes: readonly string[]): string[] {
  return prefixes.map((prefix) => `${prefix}/*`);
}
