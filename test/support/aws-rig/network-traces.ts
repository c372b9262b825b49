import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const FORWARDING = '/proc/sys/net/ipv4/ip_forward';
/** Empty chains that podman's netavark leaves behind, each with the rules that lead to it. */
const CHAINS: readonly { readonly table: string; readonly chain: string; readonly rules: readonly string[] }[] = [
  { table: 'filter', chain: 'NETAVARK_FORWARD', rules: ['FORWARD -m comment --comment netavark\\ firewall\\ plugin\\ rules -j NETAVARK_FORWARD'] },
  { table: 'nat', chain: 'NETAVARK-HOSTPORT-DNAT', rules: ['PREROUTING -m addrtype --dst-type LOCAL -j NETAVARK-HOSTPORT-DNAT', 'OUTPUT -m addrtype --dst-type LOCAL -j NETAVARK-HOSTPORT-DNAT'] },
  { table: 'nat', chain: 'NETAVARK-HOSTPORT-MASQ', rules: ['POSTROUTING -j NETAVARK-HOSTPORT-MASQ'] },
  { table: 'nat', chain: 'NETAVARK-HOSTPORT-SETMARK', rules: [] },
];

/** Looks at the firewall now; what is called at the end removes what the first container added to it. */
export function rememberNetwork(): () => void {
  const wasForwarding = readFileSync(FORWARDING, 'utf8');
  const isForeign = iptables('filter', ['-S', 'NETAVARK_FORWARD']);
  return () => {
    if (isForeign || hasContainers()) return;
    for (const { table, chain, rules } of CHAINS) {
      for (const rule of rules) iptables(table, ['-D', ...rule.split(/(?<!\\) /).map((word) => word.replaceAll('\\ ', ' '))]);
      iptables(table, ['-F', chain]);
      iptables(table, ['-X', chain]);
    }
    writeFileSync(FORWARDING, wasForwarding);
  };
}

/** A chain of its own for each network with containers: another podman is at work, and what is left is its to remove. */
function hasContainers(): boolean {
  return /^-N NETAVARK-[0-9A-F]{8,}/m.test(spawnSync('iptables', ['-t', 'nat', '-S'], { encoding: 'utf8' }).stdout);
}

/** False when iptables refuses, such as for what is not there. */
function iptables(table: string, args: readonly string[]): boolean {
  return spawnSync('iptables', ['-t', table, ...args], { stdio: 'ignore' }).status === 0;
}
