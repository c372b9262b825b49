import { freePort, installed, startServer } from './servers.ts';
import type { Ministack } from './ministack.ts';

/** An independent second opinion on S3, DynamoDB and KMS. */
export async function startMoto(): Promise<Ministack> {
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const server = await startServer(installed('py', 'bin', 'moto_server'), ['-H', '127.0.0.1', '-p', String(port)], {
    port,
    env: { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' },
    isUp: async () => (await fetch(`${endpoint}/moto-api/data.json`)).ok,
  });
  return { ...server, endpoint, client: { endpoint, region: 'eu-central-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } } };
}
