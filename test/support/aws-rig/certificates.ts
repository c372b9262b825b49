import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificates {
  /** PEM files. */
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
  /** What `authority` holds. */
  readonly authorityPem: string;
}

/** An authority for one day and the emulator's certificate from it, for every name under which it is called. */
export function makeCertificates(folder: string, hostAddress: string): Certificates {
  const place = join(folder, 'tls');
  mkdirSync(place, { recursive: true, mode: 0o755 });
  const file = (name: string) => join(place, name);
  const openssl = (args: readonly string[]) => execFileSync('openssl', [...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  openssl(['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', file('ca.key'), '-out', file('ca.pem'), '-days', '1', '-subj', '/CN=rig', '-addext', 'basicConstraints=critical,CA:TRUE']);
  openssl(['req', '-newkey', 'rsa:2048', '-nodes', '-keyout', file('server.key'), '-out', file('server.csr'), '-subj', '/CN=localhost']);
  writeFileSync(file('names'), `subjectAltName=DNS:localhost,DNS:*.localhost,DNS:host.docker.internal,IP:127.0.0.1,IP:${hostAddress}\n`);
  openssl(['x509', '-req', '-in', file('server.csr'), '-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial', '-days', '1', '-out', file('server.pem'), '-extfile', file('names')]);
  return { authority: file('ca.pem'), certificate: file('server.pem'), key: file('server.key'), authorityPem: readFileSync(file('ca.pem'), 'utf8') };
}
