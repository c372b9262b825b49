import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, installed, startServer } from './servers.ts';
import type { RunningServer } from './servers.ts';
import { connect } from 'node:net';

export interface KafkaServer extends RunningServer {
  /** For users with a password (SCRAM and PLAIN); who comes to `port` may do everything without one. */
  readonly saslPort: number;
  /** The same over TLS, with SCRAM. */
  readonly tlsPort: number;
  /** PEM, of the broker's certificate. */
  readonly ca: string;
  /** Who comes to `behind` is told to go on at `proxied`, where a test puts a proxy. */
  readonly behind: number;
  readonly proxied: number;
  /** As if the power went. */
  kill(): Promise<void>;
  /** Runs a program of the distribution with this server: `org.apache.kafka.tools.consumer.ConsoleConsumer`. */
  tool(program: string, args: readonly string[]): Promise<string>;
}

/** Users that PLAIN knows, with their passwords; `root` may do everything, the others what ACLs give them. */
export const KAFKA_USERS = { root: 'tést "pass;w\\rd-0b7e', poor: 'poor-4c1d' } as const;
/** Of `root` by SCRAM. */
export const SCRAM_PASSWORD = 'scrám-p@ss-71fe';
const JAVA = ['-XX:-UsePerfData', '-Xmx384m', '-Xms128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

/** A broker of its own that is its own controller, in a temporary folder, on loopback. */
export async function startKafka(settings: readonly string[] = []): Promise<KafkaServer> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-kafka-'));
  try {
    return await startIn(folder, settings);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

async function startIn(folder: string, settings: readonly string[]): Promise<KafkaServer> {
  const [port, controller, saslPort, tlsPort, behind, proxied] = [await freePort(), await freePort(), await freePort(), await freePort(), await freePort(), await freePort()];
  const classes = join(installed('kafka', 'lib'), '*');
  mkdirSync(join(folder, 'log'));
  writeFileSync(join(folder, 'server.properties'), [...propertiesOf({ folder, port, controller, saslPort, tlsPort, behind, proxied }), ...settings, ''].join('\n'));
  writeFileSync(join(folder, 'log4j2.yaml'), 'Configuration:\n  Appenders: {Console: {name: C, PatternLayout: {pattern: "%d %p %m (%c)%n"}}}\n  Loggers: {Root: {level: WARN, AppenderRef: {ref: C}}}\n');
  const ca = certificateIn(folder);
  const java = [...JAVA, `-Djava.io.tmpdir=${folder}`, `-Dlog4j2.configurationFile=${join(folder, 'log4j2.yaml')}`, '-cp', classes];
  const formatted = spawnSync('java', [...java, 'kafka.tools.StorageTool', 'format', '--cluster-id', 'aG9sZGZhc3QtdGVzdC1jbA', '--config', join(folder, 'server.properties'), '--add-scram', `SCRAM-SHA-512=[name=root,password=${SCRAM_PASSWORD}]`], { encoding: 'utf8' });
  if (formatted.status !== 0) throw new Error(`kafka.tools.StorageTool ended with ${formatted.status}: ${formatted.stderr}${formatted.stdout}`);
  const server = await startServer('java', [...java, 'kafka.Kafka', join(folder, 'server.properties')], { port, folder, isUp: () => answers(port), patienceMs: 90_000 });
  const end = async (signal: NodeJS.Signals) => {
    try {
      process.kill(server.pid, signal);
    } catch {
      // ESRCH: it has ended.
    }
    await server.stop();
  };
  return {
    ...server, saslPort, tlsPort, ca, behind, proxied,
    kill: () => end('SIGKILL'),
    // Nothing of it is wanted again, and a broker takes its time to say goodbye.
    stop: async () => {
      await end('SIGKILL');
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
    tool: async (program, args) => (await promisify(execFile)('java', [...java, program, '--bootstrap-server', `127.0.0.1:${port}`, ...args], { maxBuffer: 1 << 28 })).stdout,
  };
}

interface Places {
  readonly folder: string;
  readonly port: number;
  readonly controller: number;
  readonly saslPort: number;
  readonly tlsPort: number;
  readonly behind: number;
  readonly proxied: number;
}

function propertiesOf({ folder, port, controller, saslPort, tlsPort, behind, proxied }: Places): string[] {
  const users = Object.entries(KAFKA_USERS).map(([user, password]) => `user_${user}=${JSON.stringify(password)}`).join(' ');
  const scram = (listener: string, mechanism: string) => `listener.name.${listener}.${mechanism}.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;`;
  const at = (place: number) => `127.0.0.1:${place}`;
  return [
    'process.roles=broker,controller', 'node.id=1', `controller.quorum.voters=1@${at(controller)}`, 'controller.listener.names=CONTROLLER',
    `listeners=PLAINTEXT://${at(port)},CONTROLLER://${at(controller)},SASL://${at(saslPort)},TLS://${at(tlsPort)},PROXIED://${at(behind)}`,
    `advertised.listeners=PLAINTEXT://${at(port)},SASL://${at(saslPort)},TLS://${at(tlsPort)},PROXIED://${at(proxied)}`,
    'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SASL_SSL,PROXIED:PLAINTEXT',
    'sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512,PLAIN', scram('sasl', 'scram-sha-256'), scram('sasl', 'scram-sha-512'), scram('tls', 'scram-sha-512'), scram('tls', 'scram-sha-256'),
    'listener.name.tls.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required;', 'ssl.keystore.type=PEM', `ssl.keystore.location=${join(folder, 'broker.pem')}`,
    // The file is one of Java's properties: backslashes and what is not ASCII are escaped once more.
    `listener.name.sasl.plain.sasl.jaas.config=${property(`org.apache.kafka.common.security.plain.PlainLoginModule required ${users};`)}`,
    'authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer', 'super.users=User:ANONYMOUS;User:root',
    `log.dirs=${join(folder, 'log')}`, 'num.partitions=1', 'offsets.topic.replication.factor=1', 'offsets.topic.num.partitions=1',
    'transaction.state.log.replication.factor=1', 'transaction.state.log.min.isr=1', 'transaction.state.log.num.partitions=1', 'group.initial.rebalance.delay.ms=0',
    'log.cleaner.backoff.ms=200', 'log.cleaner.threads=1', 'log.retention.check.interval.ms=3600000', 'num.network.threads=2', 'num.io.threads=4',
  ];
}

function certificateIn(folder: string): string {
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=kafka', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', certificate], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`openssl ended with ${made.status}: ${made.stderr}`);
  const ca = readFileSync(certificate, 'utf8');
  writeFileSync(join(folder, 'broker.pem'), `${readFileSync(key, 'utf8')}${ca}`);
  return ca;
}

function property(text: string): string {
  return text.replaceAll('\\', '\\\\').replace(/[^ -~]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
