import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

/** Where the SDK asks for a task's credentials when ECS gives it a relative address. */
const ADDRESS = '169.254.170.2';

/** As the endpoint of ECS answers. */
export interface RoleCredentials {
  readonly RoleArn: string;
  readonly AccessKeyId: string;
  readonly SecretAccessKey: string;
  readonly Token: string;
  readonly Expiration: string;
}

export interface TaskCredentials {
  readonly address: string;
  /** The value of AWS_CONTAINER_CREDENTIALS_RELATIVE_URI for a task with this role. */
  pathFor(roleArn: string): string;
  stop(): Promise<void>;
}

/** The credentials endpoint of ECS on this machine. The address is one and the same everywhere, so there is one such rig at a time. */
export async function serveTaskCredentials(assume: (roleArn: string) => Promise<RoleCredentials>): Promise<TaskCredentials> {
  execFileSync('ip', ['address', 'add', `${ADDRESS}/32`, 'dev', 'lo'], { stdio: ['ignore', 'ignore', 'inherit'] });
  const roles = new Map<string, string>();
  const server = createServer((request, answer) => {
    const role = roles.get(request.url ?? '');
    if (role === undefined) return void answer.writeHead(404).end();
    assume(role).then(
      (credentials) => answer.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(credentials)),
      (error: unknown) => answer.writeHead(500).end(String(error)),
    );
  });
  const stop = async () => {
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
    execFileSync('ip', ['address', 'delete', `${ADDRESS}/32`, 'dev', 'lo']);
  };
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(80, ADDRESS, resolve));
  return {
    address: ADDRESS,
    pathFor: (roleArn) => {
      const path = `/v2/credentials/${randomUUID()}`;
      roles.set(path, roleArn);
      return path;
    },
    stop,
  };
}
