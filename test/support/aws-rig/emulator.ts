import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, startServer } from '../servers/servers.ts';
import type { RunningServer } from '../servers/servers.ts';

export const ACCOUNT = '000000000000';
export const REGION = 'eu-central-1';

export interface Emulator extends RunningServer {
  /** On loopback: for the CDK, tests and functions. Containers use `host.docker.internal` with the same port. */
  readonly endpoint: string;
  /** For SDK clients. */
  readonly client: { readonly endpoint: string; readonly region: string; readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } };
  /** For programs: the CDK, the CLI, functions and tasks. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The AWS emulator with a container runtime: on loopback and on the address that containers reach, nowhere else. */
export async function startEmulator(place: { readonly root: string; readonly folder: string; readonly hostAddress: string; readonly containerSocket: string }): Promise<Emulator> {
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const temporary = join(place.folder, 'emulator');
  mkdirSync(temporary, { recursive: true });
  // Its runtime for functions is CommonJS by name alone; a package.json further up would make it a module.
  writeFileSync(join(temporary, 'package.json'), '{}');
  const server = await startServer(join(place.root, '.servers', 'py', 'bin', 'python'), ['-m', 'hypercorn', 'ministack.app:app', '--bind', `127.0.0.1:${port}`, '--bind', `${place.hostAddress}:${port}`, '--keep-alive', '75'], {
    port,
    env: {
      // Functions run on the first `node` of the path.
      PATH: `${join(place.root, 'node_modules', '.bin')}:${process.env['PATH'] ?? ''}`,
      GATEWAY_PORT: String(port), BIND_HOST: '127.0.0.1', IOT_MTLS_ENABLED: '0', SFTP_ENABLED: '0', NO_PROXY: '127.0.0.1,localhost,host.docker.internal',
      DOCKER_HOST: `unix://${place.containerSocket}`, MINISTACK_DOCKER_TIMEOUT: '60', TMPDIR: temporary,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey, AWS_REGION: REGION, AWS_DEFAULT_REGION: REGION,
    },
    isUp: async () => (await fetch(`${endpoint}/_ministack/health`)).ok,
  });
  const environment = { AWS_ENDPOINT_URL: endpoint, AWS_REGION: REGION, AWS_DEFAULT_REGION: REGION, AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey };
  return { ...server, endpoint, client: { endpoint, region: REGION, credentials }, environment };
}
