import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, installed, startServer } from './servers.ts';
import type { RunningServer } from './servers.ts';

export interface Ministack extends RunningServer {
  readonly endpoint: string;
  /** For SDK clients; the emulator takes any. */
  readonly client: { readonly endpoint: string; readonly region: string; readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } };
}

/** The AWS emulator on loopback, alone, with nothing kept: for suites of one service. */
export async function startMinistack(env: Readonly<Record<string, string>> = {}): Promise<Ministack> {
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const temporary = mkdtempSync(join(tmpdir(), 'holdfast-ministack-'));
  const server = await startServer(installed('py', 'bin', 'python'), ['-m', 'hypercorn', 'ministack.app:app', '--bind', `127.0.0.1:${port}`, '--keep-alive', '75'], {
    port,
    env: { GATEWAY_PORT: String(port), BIND_HOST: '127.0.0.1', IOT_MTLS_ENABLED: '0', SFTP_ENABLED: '0', AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', TMPDIR: temporary, NO_PROXY: '127.0.0.1,localhost', ...env },
    isUp: async () => (await fetch(`${endpoint}/_ministack/health`)).ok,
  });
  const stop = async () => {
    await server.stop();
    rmSync(temporary, { recursive: true, force: true });
  };
  return { ...server, stop, endpoint, client: { endpoint, region: 'eu-central-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } } };
}
