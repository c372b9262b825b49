import { statSync } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError } from '../../lib/model/errors.ts';
import { resolved } from '../support/stack/deployed-names.ts';
import { EXAMPLE, ofType, synthesize, templateOf } from '../support/stack/synthesize.ts';
import type { Template } from '../support/stack/synthesize.ts';

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: the smallest of them, of a managed policy. */
const MAX_POLICY = 6144;
/** https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html */
const MAX_RESOURCES = 500;
const MAX_TEMPLATE_BYTES = 1_000_000;

const planNamed = (name: string) => `  ${name}:\n    source: { type: files, paths: [/mnt/media] }\n    policy: configs\n    mounts: [{ path: /mnt/media, file-system: fs-0123456789abcdef0 }]\n`;
const yamlWith = (count: number) => EXAMPLE.replace(/\nplans:\n/, (start) => `${start}${Array.from({ length: count }, (_, index) => planNamed(`one-of-very-many-plans-${index}`)).join('')}`);
const withPlans = (count: number) => templateOf({ yaml: yamlWith(count) });
const sizesOf = (template: Template) => ['AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy'].flatMap((type) => ofType(template, type)).map(([id, { Properties }]) => [id, JSON.stringify(resolved(template, Properties['PolicyDocument'])).length] as const);

describe('a stack of 95 plans', () => {
  const made = synthesize({ yaml: yamlWith(92) });
  const template = made.templates[0] as Template;

  test('has that many', () => {
    expect(ofType(template, 'AWS::ECS::TaskDefinition').filter(([, { Properties }]) => String(Properties['Family']).startsWith('shop-backup-'))).toHaveLength(95);
  });

  test('has no policy that IAM refuses, and none that grows with the number of plans', () => {
    const sizes = sizesOf(template);
    expect(sizes.filter(([, size]) => size >= MAX_POLICY)).toEqual([]);
    const few = new Map(sizesOf(templateOf()));
    expect(sizes.filter(([id, size]) => few.has(id) && size !== few.get(id))).toEqual([]);
  });

  test('is within what CloudFormation takes', () => {
    expect(Object.keys(template.Resources).length).toBeLessThanOrEqual(MAX_RESOURCES);
    expect(statSync(join(made.outdir, 'shop.template.json')).size).toBeLessThan(MAX_TEMPLATE_BYTES);
  });
});

test('more plans than one stack can hold are refused, with the limit and the way out', () => {
  const error = (() => {
    try {
      return withPlans(97);
    } catch (thrown) {
      return thrown;
    }
  })();
  expect(error).toBeInstanceOf(HoldfastError);
  expect(error).toMatchObject({ code: 'config-invalid', message: expect.stringMatching(/shop.* would have \d+ resources for 100 plans.*500/) as string, nextStep: expect.stringContaining('several stacks') as string });
});
