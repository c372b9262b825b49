import { execFileSync } from 'node:child_process';

/** An address on the loopback device that containers can reach and nothing outside this machine can. */
export interface LoopbackAlias {
  readonly address: string;
  /** Callable twice. */
  remove(): void;
}

const CANDIDATES = 64;

/**
 * Containers cannot reach 127.0.0.1 of the host, so whatever they talk to also listens here. Each caller gets an address
 * of its own, and takes away only that one: two rigs at once do not meet. Needs root.
 */
export function claimAlias(): LoopbackAlias {
  for (let n = 0; n < CANDIDATES; n++) {
    const address = `10.99.${n}.1`;
    if (isPresent(address)) continue;
    // Adding is atomic: the loser of a race is told that it exists, and tries the next.
    if (added(address)) return { address, remove: () => removeAlias(address) };
  }
  throw new Error(`no free address among 10.99.0.1 to 10.99.${CANDIDATES - 1}.1 on lo: see "ip address show dev lo"; remove one by "ip address delete 10.99.0.1/32 dev lo"`);
}

function added(address: string): boolean {
  try {
    execFileSync('ip', ['address', 'add', `${address}/32`, 'dev', 'lo'], { stdio: ['ignore', 'ignore', 'pipe'] });
    return true;
  } catch (error) {
    const message = String((error as { stderr?: Buffer }).stderr ?? error);
    if (message.includes('File exists')) return false;
    throw new Error(`an address for containers could not be added to lo: ${message.trim()}; wanted: root, and iproute2 installed`);
  }
}

function removeAlias(address: string): void {
  if (isPresent(address)) execFileSync('ip', ['address', 'delete', `${address}/32`, 'dev', 'lo']);
}

function isPresent(address: string): boolean {
  return execFileSync('ip', ['-oneline', 'address', 'show', 'dev', 'lo'], { encoding: 'utf8' }).includes(` ${address}/`);
}
