import { missingTables } from '../../../lib/sources/postgres/missing-tables.ts';

describe('tables of an archive are looked for in the restored database (R8)', () => {
  it.each<[string, string[], string[], string[]]>([
    ['all are there', ['public orders shop', 'public lines shop'], ['public.lines', 'public.orders', 'public.more'], []],
    ['one is missing', ['public orders shop', 'public lines shop'], ['public.orders'], ['public lines shop']],
    ['names with spaces, capitals and quotes', ['public Order Lines shop', 'my schema a"b the owner'], ['public."Order Lines"', '"my schema"."a""b"'], []],
    ['the name is only the beginning of another', ['public orders shop'], ['public.orders_old'], ['public orders shop']],
    ['nothing is there', ['public orders shop'], [], ['public orders shop']],
  ])('%s', (_what, listed, there, missing) => {
    expect(missingTables(listed, there)).toEqual(missing);
  });
});
