import { answerFailure, connectionFailure } from '../../../lib/sources/search/failures.ts';

describe('what a cluster says', () => {
  const place = { connection: { endpoint: 'https://search.internal:9200', user: 'u', password: 'canary' }, role: 'source' } as const;

  it('is told with every cause and without the password', () => {
    const body = Buffer.from(JSON.stringify({ error: { type: 'search_phase_execution_exception', reason: 'all shards failed', root_cause: [{ type: 'x', reason: 'said canary' }] }, status: 500 }));
    expect(answerFailure({ status: 500, body }, 'POST /_search', place)).toMatchObject({ code: 'source-failed', message: 'The cluster at https://search.internal:9200 as u refused this (POST /_search, HTTP 500). It said: search_phase_execution_exception: all shards failed; x: said ***' });
  });

  it.each<[status: number, said: string, code: string, retryable: boolean]>([
    [401, 'no', 'permission', false], [403, 'no', 'permission', false], [429, 'busy', 'unavailable', true], [503, '<html>', 'unavailable', true], [404, 'index_not_found_exception', 'source-failed', true], [400, 'no', 'source-failed', false],
    [429, 'circuit_breaking_exception: Data too large', 'source-failed', true], [403, 'cluster_block_exception: index [a] blocked by: [FORBIDDEN/8/index write (api)]', 'source-failed', false],
  ])('HTTP %d with %j fails as %s', (status, said, code, retryable) => {
    expect(answerFailure({ status, body: Buffer.from(said) }, 'GET /', place)).toMatchObject({ code, retryable, nextStep: expect.stringMatching(/^Nothing of this run is kept\. ./) });
  });

  it('of a restore, nothing is said of runs', () => {
    expect(answerFailure({ status: 400, body: Buffer.from('no') }, 'PUT /a', { ...place, role: 'target' })).toMatchObject({ code: 'target-failed', nextStep: 'Mend what it says, and start again.' });
  });

  it('a certificate that nobody knows is no reason to try again', () => {
    expect(connectionFailure(Object.assign(new Error('self-signed certificate in certificate chain'), { code: 'SELF_SIGNED_CERT_IN_CHAIN' }), place)).toMatchObject({ retryable: false, nextStep: expect.stringContaining('ca-file') });
  });
});
