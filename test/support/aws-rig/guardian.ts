import { spawn } from 'node:child_process';

/** Cleans up when this process is killed: Ctrl-C at a test runner leaves no time to do it oneself. */
export interface Guardian {
  /** Ends a process group that was started, if it still runs then. */
  overProcess(pid: number): void;
  overAddress(address: string): void;
  overFolder(folder: string): void;
  overMount(path: string): void;
  /** Everything was cleaned up in order; there is nothing to do. */
  dismiss(): void;
}

// Reads orders until its parent is gone. Orders are made here from numbers, addresses and paths of our own.
const SCRIPT = `
orders=()
while IFS= read -r order; do
  [ "$order" = dismissed ] && exit 0
  orders+=("$order")
done
for ((i = \${#orders[@]} - 1; i >= 0; i--)); do
  read -r what subject <<<"\${orders[i]}"
  case $what in
    process) kill -TERM -- "-$subject" 2>/dev/null; sleep 1; kill -KILL -- "-$subject" 2>/dev/null ;;
    address) ip address delete "$subject/32" dev lo 2>/dev/null ;;
    folder) rm -rf -- "$subject" ;;
    mount) umount --lazy "$subject" 2>/dev/null ;;
  esac
done`;

export function hireGuardian(): Guardian {
  const child = spawn('bash', ['-c', SCRIPT], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  // It must not keep a test runner from ending.
  child.unref();
  (child.stdin as unknown as { unref(): void }).unref();
  const order = (what: string, subject: string | number) => void child.stdin.write(`${what} ${subject}\n`);
  return {
    overProcess: (pid) => order('process', pid),
    overAddress: (address) => order('address', address),
    overFolder: (folder) => order('folder', folder),
    overMount: (path) => order('mount', path),
    dismiss: () => void child.stdin.end('dismissed\n'),
  };
}
