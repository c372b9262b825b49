import { loadConfig } from '../../lib/config/load-config.ts';
import { resolvePlans } from '../../lib/config/resolve-plans.ts';
import { isHoldfastError } from '../../lib/model/errors.ts';
import { refusal } from './refusal.ts';

const A = 'a: { type: sqlite, path: /a.db }';
const B = 'b: { type: files, paths: [/b] }';
const set = (parts: string, more = ''): string => `vaults:\n  main: { directory: /v, key-file: /k }\nplans:\n  shop: { source: { type: set, parts: { ${parts} }${more} } }\n`;
const aws = (parts: string, more = ''): string => set(parts, more).replace('directory: /v, key-file: /k', 'aws: {}');
const TEMPLATE = 'wanted ${secret:NAME} or ${ssm:/path}: variables and files of this machine are not there in AWS, and what they hold would land in the template';

const REFUSED: readonly (readonly [what: string, text: string, ...lines: string[]])[] = [
  ['a set without parts', set(''), '4: plans.shop.source.parts is a map, wanted at least two parts: a plan of one source needs no set'],
  ['a set of one part', set(A), '4: plans.shop.source.parts is a map, wanted at least two parts: a plan of one source needs no set'],
  ['a list of parts', set(A).replace(`{ ${A} }`, '[x]'), '4: plans.shop.source.parts is a list of 1, wanted a map from names to sources'],
  ['a set in a set', set(`${A}, inner: { type: set, parts: { ${A}, ${B} } }`), '4: plans.shop.source.parts.inner.type is "set", wanted one of files, …'],
  ['a part with a mistyped field', set(`${A}, b: { type: files, path: /b }`), '4: plans.shop.source.parts.b.paths is missing, wanted a list of paths', '4: plans.shop.source.parts.b.path is not a known key, did you mean "paths"?'],
  ['a part whose name is a number, which would change places', set(`${A}, 7: { type: files, paths: [/b] }`), '4: plans.shop.source.parts.7 is a map, wanted names of letters, digits, "_" and "-", beginning with a letter'],
  ['a part whose name is a path', set(`${A}, "x/y": { type: files, paths: [/b] }`), '4: plans.shop.source.parts["x/y"] is not a good name, wanted a name of letters, digits, ".", "_" and "-", at most 63, beginning with a letter or digit'],
  ['a container that is an option', set(`${A}, ${B}`, ', stop-containers: ["--all"]'), '4: plans.shop.source.stop-containers[0] is "--all", wanted the name or id of a container'],
  ['a program without containers', set(`${A}, ${B}`, ', container-program: podman'), '4: plans.shop.source.container-program is "podman", wanted `stop-containers` beside it'],
  ['a program that is none', set(`${A}, ${B}`, ', stop-containers: [web], container-program: lxc'), '4: plans.shop.source.container-program is "lxc", wanted one of docker, podman'],
  ['a patience of hours', set(`${A}, ${B}`, ', stop-containers: [web], stop-timeout: 2h'), '4: plans.shop.source.stop-timeout is "2h", wanted a duration from 1s to 1h, such as "1s"'],
  ['a resume without end', set(`${A}, ${B}`, ', resume: { command: x, timeout: 48h }'), '4: plans.shop.source.resume.timeout is "48h", wanted a duration up to 24 hours, such as "90s", "20m" or "2h"'],
  ['parts that differ in extended attributes', set(`${B}, c: { type: files, paths: [/c], xattrs: false }`), '4: plans.shop.source.parts.c.xattrs is false, wanted true, as in the part b: all files parts of a set keep them, or none'],
  ['two base backups', set('x: { type: postgres, mode: physical, host: h, user: u }, y: { type: postgres, mode: physical, host: i, user: u }'), '4: plans.shop.source.parts.y.mode is "physical", wanted logical: a set has at most one base backup, and x is one'],
  ['a home directory that nobody told, in a part', set(`${A}, b: { type: files, paths: [~/b] }`), '4: plans.shop.source.parts.b.paths[0] is "~/b", wanted an absolute path: the home directory is not known here'],
  ['a part that is its own vault', set(`${A}, media: { type: s3, bucket: shop }`).replace('directory: /v,', 's3: { bucket: shop },'), '4: plans.shop.source.parts.media has objects of its own vault in it (s3://shop/), wanted another bucket or a prefix beside the vault'],
  ['containers in AWS', aws('a: { type: command, command: x, stdin-name: d }, b: { type: s3, bucket: shop }', ', stop-containers: [web]'), '4: plans.shop.source.stop-containers is refused: a task in AWS sees no other containers; scale the service down with `quiesce` and up with `resume`'],
  ['files of a part outside of the mounts', aws(`a: { type: s3, bucket: shop }, ${B}`), '4: plans.shop.source.parts.b.paths[0] is "/b", wanted an absolute path below one of the mounts, and there is no mount'],
  ['a secret of this machine in a part', aws('a: { type: s3, bucket: shop }, b: { type: mariadb, host: h, user: u, database: d, password: "${env:PW}" }'), `4: plans.shop.source.parts.b.password is \${env:PW}, ${TEMPLATE}`],
];

describe('a set in holdfast.yaml (P1, P4)', () => {
  it.each(REFUSED)('refuses %s', (_, text, ...lines) => {
    const error = refusal(text);
    expect(isHoldfastError(error, 'config-invalid')).toBe(true);
    expect((error as Error).message.replace(/wanted one of files, (?:(?!set\b).)*$/, 'wanted one of files, …').split('\n')).toEqual(lines.map((line) => `/etc/holdfast.yaml:${line}`));
  });

  it('is resolved in the order of the file, with defaults and absolute paths', () => {
    const config = loadConfig(set('z: { type: sqlite, path: z.db }, a: { type: files, paths: [up] }', ', quiesce: stop, stop-containers: [web, db], stop-timeout: 90s'), '/etc/holdfast.yaml');
    expect(resolvePlans(config)[0]?.source).toMatchObject({
      type: 'set', parts: [{ name: 'z', source: { type: 'sqlite', path: '/etc/z.db' } }, { name: 'a', source: { type: 'files', paths: ['/etc/up'] } }],
      quiesce: { command: 'stop', timeoutMs: 600_000 }, containers: { names: ['web', 'db'], stopSeconds: 90 },
    });
  });
});
