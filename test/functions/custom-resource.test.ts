import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerResource } from '../../functions/vault-init/custom-resource.ts';
import type { ResourceEvent } from '../../functions/vault-init/custom-resource.ts';

/** The place where CloudFormation waits: a presigned address that takes one PUT without a content type. */
describe('the answer of a custom resource', () => {
  let server: Server;
  let statuses: number[];
  const taken: { method: string | undefined; contentType: string | undefined; body: Record<string, unknown> }[] = [];
  const pauses: number[] = [];
  let event: ResourceEvent;

  beforeEach(async () => {
    taken.splice(0);
    pauses.splice(0);
    statuses = [200];
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        taken.push({ method: request.method, contentType: request.headers['content-type'], body: JSON.parse(body) as Record<string, unknown> });
        response.writeHead(statuses.length > 1 ? (statuses.shift() as number) : (statuses[0] as number)).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    event = { RequestType: 'Create', ResponseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/x?signature=s3cret`, StackId: 'S', RequestId: 'R', LogicalResourceId: 'L' };
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  const ports = { fetch, sleep: (milliseconds: number) => Promise.resolve(pauses.push(milliseconds)) };

  it('is put once, without a content type, for which the address is not signed', async () => {
    await answerResource(event, 'id', { Status: 'SUCCESS', Data: { main: 'repository' } }, ports);
    expect(taken).toEqual([{ method: 'PUT', contentType: undefined, body: { Status: 'SUCCESS', Data: { main: 'repository' }, PhysicalResourceId: 'id', StackId: 'S', RequestId: 'R', LogicalResourceId: 'L' } }]);
  });

  it('says why it failed, within what CloudFormation takes', async () => {
    await answerResource(event, 'id', { Status: 'FAILED', Reason: 'x'.repeat(100_000) }, ports);
    expect(String(taken[0]?.body['Reason'])).toHaveLength(1500);
    expect(taken[0]?.body['Status']).toBe('FAILED');
  });

  it('is put again while nobody takes it, for the deploy hangs without it', async () => {
    statuses = [503, 500, 200];
    await answerResource(event, 'id', { Status: 'SUCCESS', Data: {} }, ports);
    expect([taken.length, pauses]).toEqual([3, [1000, 2000]]);
  });

  it.each([[403, 1], [500, 5]])('fails aloud after status %i and %i attempts, without the address', async (status, attempts) => {
    statuses = [status];
    await expect(answerResource(event, 'id', { Status: 'SUCCESS', Data: {} }, ports)).rejects.toMatchObject({ code: 'unavailable', message: expect.not.stringContaining('s3cret') as string });
    expect(taken).toHaveLength(attempts);
  });
});
