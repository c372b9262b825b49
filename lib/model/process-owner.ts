import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Which process made a temporary. A process id alone does not say: it is reused, differs between containers that share
 * a kernel (hence the namespace) and between machines that share a directory (hence machine and boot).
 */
export interface Owner {
  readonly machine: string;
  readonly boot: string;
  readonly namespace: string;
  readonly pid: number;
  /** Ticks since boot when the process began: tells a reused process id. */
  readonly started: string;
}

/** What is known of the processes of this machine; tests bring their own. */
export interface ProcessTable {
  readonly self: Owner;
  /** When the process began, `unknown` when it exists but may not be looked at, undefined when there is none. */
  startOf(pid: number): string | undefined;
}

const UNKNOWN = 'unknown';
const NAME = /^([0-9a-z]+)\.([0-9a-z]+)\.([0-9a-z]+)\.([0-9]+)\.([0-9a-z]+)\.[0-9a-f]+$/;

/** A name for a temporary that tells its owner; `random` makes it unique within the process. */
export function temporaryName(owner: Owner, random: Uint8Array): string {
  return [owner.machine, owner.boot, owner.namespace, owner.pid, owner.started, Buffer.from(random).toString('hex')].join('.');
}

/** True only when the owner is provably gone: dead on this boot, or of an earlier boot of this machine. */
export function isOwnerDead(name: string, processes: ProcessTable): boolean {
  const owner = parseOwner(name);
  const { self } = processes;
  if (owner === undefined || owner.boot === UNKNOWN || self.boot === UNKNOWN) return false;
  if (owner.boot !== self.boot) return owner.machine === self.machine && owner.machine !== UNKNOWN;
  // The same boot is the same kernel, whatever the machine is called from inside a container.
  if (owner.namespace !== self.namespace || owner.namespace === UNKNOWN) return false;
  const started = processes.startOf(owner.pid);
  return started === undefined || (started !== owner.started && started !== UNKNOWN && owner.started !== UNKNOWN);
}

/** True only when the owner provably runs: the very process, seen from here. */
export function isOwnerRunning(name: string, { self, startOf }: ProcessTable): boolean {
  const owner = parseOwner(name);
  if (owner === undefined || [owner.boot, owner.namespace, owner.started].includes(UNKNOWN)) return false;
  return owner.boot === self.boot && owner.namespace === self.namespace && startOf(owner.pid) === owner.started;
}

/** Reads `/proc` (proc(5)); elsewhere everything is unknown and temporaries wait for their age. */
export function systemProcesses(): ProcessTable {
  const machine = readOr('/etc/machine-id', UNKNOWN);
  const self: Owner = {
    machine: machine === UNKNOWN || machine === '' ? UNKNOWN : digest(`${machine}\n${hostname()}`),
    boot: digestKnown(readOr('/proc/sys/kernel/random/boot_id', UNKNOWN)),
    namespace: digestKnown(namespaceOfProcesses()),
    pid: process.pid,
    started: startTime(process.pid) ?? UNKNOWN,
  };
  return { self, startOf: (pid) => (isRunning(pid) ? (startTime(pid) ?? UNKNOWN) : undefined) };
}

function parseOwner(name: string): Owner | undefined {
  const [, machine, boot, namespace, pid, started] = NAME.exec(name) ?? [];
  if (machine === undefined || boot === undefined || namespace === undefined || started === undefined) return undefined;
  return { machine, boot, namespace, pid: Number(pid), started };
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs and belongs to somebody else.
    return (error as { code?: unknown }).code !== 'ESRCH';
  }
}

/** Field 22 of `/proc/<pid>/stat`; the second field is the command in parentheses and may hold anything. */
function startTime(pid: number): string | undefined {
  const stat = readOr(`/proc/${pid}/stat`, '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

function namespaceOfProcesses(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return UNKNOWN;
  }
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return otherwise;
  }
}

function digestKnown(text: string): string {
  return text === UNKNOWN ? UNKNOWN : digest(text);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
