import { splitSettings } from '../../../lib/sources/search/restored-settings.ts';

describe('settings of a restored index', () => {
  const told = {
    'index.uuid': 'u', 'index.creation_date': '1', 'index.provided_name': 'n', 'index.version.created': '8', 'index.number_of_shards': '3', 'index.number_of_replicas': '2', 'index.refresh_interval': '7s',
    'index.default_pipeline': 'p', 'index.blocks.write': 'true', 'index.blocks.read_only_allow_delete': 'true', 'index.routing.allocation.include._tier_preference': 'data_content', 'index.routing.allocation.require.box': 'hot',
    'index.analysis.filter.f.stopwords': ['a', 'b'], 'index.replication.type': 'SEGMENT', 'index.lifecycle.name': 'weekly',
  };

  it('come early where the load needs them, late where they would hinder it, and never where they are of the old index', () => {
    const { early, late, dropped } = splitSettings(told, { product: 'Elasticsearch' } as never);
    expect(early).toEqual({ 'index.number_of_shards': '3', 'index.analysis.filter.f.stopwords': ['a', 'b'], 'index.refresh_interval': '-1', 'index.number_of_replicas': '0', 'index.default_pipeline': '_none', 'index.final_pipeline': '_none', 'index.hidden': 'true' });
    expect(late).toEqual({ 'index.number_of_replicas': '2', 'index.refresh_interval': '7s', 'index.default_pipeline': 'p', 'index.final_pipeline': null, 'index.hidden': null, 'index.blocks.write': 'true', 'index.lifecycle.name': 'weekly' });
    expect(dropped).toEqual(['index.routing.allocation.require.box']);
  });

  it('keep the replication of segments where it is known', () => {
    expect(splitSettings(told, { product: 'OpenSearch' } as never).early).toMatchObject({ 'index.replication.type': 'SEGMENT' });
  });
});
