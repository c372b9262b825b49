import { mkdirSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { freePort, startServer } from '../servers/servers.ts';
import type { RunningServer } from '../servers/servers.ts';
import type { Certificates } from './certificates.ts';

export const ACCOUNT = '000000000000';
export const REGION = 'eu-central-1';

export interface Emulator extends RunningServer {
  /** On loopback: for the CDK, tests and functions. Containers use `host.docker.internal` with the same port. */
  readonly endpoint: string;
  /** For SDK clients. */
  readonly client: { readonly requestHandler?: NodeHttpHandler; readonly endpoint: string; readonly region: string; readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } };
  /** For programs: the CDK, the CLI, functions and tasks. */
  readonly environment: Readonly<Record<string, string>>;
  /** A request as it is, for what the SDK would not understand. */
  ask(headers: Readonly<Record<string, string>>, body: string): Promise<{ readonly status: number; readonly text: string }>;
}

export interface EmulatorPlace {
  readonly root: string;
  readonly folder: string;
  readonly hostAddress: string;
  readonly containerSocket: string;
  /** With them it speaks TLS alone and enforces IAM. */
  readonly certificates?: Certificates | undefined;
}

/** The AWS emulator with a container runtime: on loopback and on the address that containers reach, nowhere else. */
export async function startEmulator(place: EmulatorPlace): Promise<Emulator> {
  const { certificates, hostAddress, root, folder } = place;
  const port = await freePort();
  const endpoint = `${certificates ? 'https' : 'http'}://127.0.0.1:${port}`;
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const temporary = join(folder, 'emulator');
  mkdirSync(temporary, { recursive: true });
  // Its runtime for functions is CommonJS by name alone; a package.json further up would make it a module.
  writeFileSync(join(temporary, 'package.json'), '{}');
  const trust: Record<string, string> = certificates ? { NODE_EXTRA_CA_CERTS: certificates.authority, AWS_CA_BUNDLE: certificates.authority } : {};
  const ask = asker(`${endpoint}/`, certificates);
  const bindings = [`127.0.0.1:${port}`, `${hostAddress}:${port}`].flatMap((address) => ['--bind', address]);
  const server = await startServer(join(root, '.servers', 'py', 'bin', 'python'), ['-m', 'hypercorn', 'ministack.app:app', ...bindings, '--keep-alive', '75', ...(certificates ? ['--certfile', certificates.certificate, '--keyfile', certificates.key] : [])], {
    port,
    env: {
      // Functions run on the first `node` of the path.
      PATH: `${join(root, 'node_modules', '.bin')}:${process.env['PATH'] ?? ''}`,
      GATEWAY_PORT: String(port), BIND_HOST: '127.0.0.1', IOT_MTLS_ENABLED: '0', SFTP_ENABLED: '0', NO_PROXY: '127.0.0.1,localhost,host.docker.internal',
      DOCKER_HOST: `unix://${place.containerSocket}`, MINISTACK_DOCKER_TIMEOUT: '60', TMPDIR: temporary,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey, AWS_REGION: REGION, AWS_DEFAULT_REGION: REGION,
      ...trust,
      ...(certificates && { AUTH: 'true', USE_SSL: '1', MINISTACK_SSL_CERT: certificates.certificate, MINISTACK_SSL_KEY: certificates.key, SSL_CERT_FILE: certificates.authority, REQUESTS_CA_BUNDLE: certificates.authority }),
    },
    isUp: async () => (await asker(`${endpoint}/_ministack/health`, certificates)({}, '', 'GET')).status === 200,
  });
  const environment = { AWS_ENDPOINT_URL: endpoint, AWS_REGION: REGION, AWS_DEFAULT_REGION: REGION, AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey, ...trust };
  const handler = certificates && { requestHandler: new NodeHttpHandler({ httpsAgent: new Agent({ ca: certificates.authorityPem }) }) };
  return { ...server, endpoint, client: { endpoint, region: REGION, credentials, ...handler }, environment, ask };
}

function asker(url: string, certificates: Certificates | undefined) {
  return (headers: Readonly<Record<string, string>>, body: string, method = 'POST') => new Promise<{ status: number; text: string }>((resolve, reject) => {
    const options = { method, headers: { ...headers }, ...(certificates && { ca: certificates.authorityPem }) };
    const asked = (certificates ? httpsRequest : httpRequest)(url, options, (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => (text += chunk.toString())).on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    asked.on('error', reject).end(body);
  });
}
