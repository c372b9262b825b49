import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { withPlan } from '../../scripts/example-template.ts';
import { RECEIVING, synthesize } from '../support/stack/synthesize.ts';

test('cdk-nag (AWS Solutions) and the checks of CloudFormation find nothing that is not explained in place (F4)', () => {
  const { synth, outdir } = synthesize({ yaml: withPlan(RECEIVING, '  stored: { source: { type: configs, parameters: ["/shop/*", one], secrets: ["shop/*", one] }, policy: configs }\n  group-logs: { source: { type: logs, log-groups: ["/aws/lambda/shop-*", one] }, policy: logs }\n  objects: { source: { type: s3, bucket: shop-media, prefix: uploads/ }, policy: media }') }, { checks: true });
  synth();
  const report = JSON.parse(readFileSync(join(outdir, 'validation-report.json'), 'utf8')) as { pluginReports: readonly { readonly violations?: readonly { readonly ruleName: string; readonly severity?: string }[] }[] };
  const findings = report.pluginReports.flatMap(({ violations = [] }) => violations).filter(({ severity }) => severity !== 'info' && severity !== 'note').map(({ ruleName }) => ruleName);
  expect(findings).toEqual([]);
});
