import { OffsetTranslation } from '../../../lib/sources/kafka/offset-translation.ts';

it('the next record of a group is the same one after a restore, wherever holes are (S10)', () => {
  const committed = [0, 3, 4, 5, 9, 10, 12, 13, 400, 4];
  const translation = new OffsetTranslation(committed);
  // Offsets that had records; the others were markers, aborted, compacted, or deleted before they were read.
  const records = [3, 4, 8, 9, 12];
  for (const [index, offset] of records.entries()) translation.pass(offset, index);
  translation.end(records.length);
  const next = (offset: number) => records.findIndex((one) => one >= offset);
  for (const offset of committed) expect([offset, translation.of(offset)]).toEqual([offset, next(offset) === -1 ? records.length : next(offset)]);
  expect(() => translation.of(7)).toThrow('was not translated');
});

it('a partition without records begins and ends at 0 (S10)', () => {
  const translation = new OffsetTranslation([0, 17]);
  translation.end(0);
  expect([translation.of(0), translation.of(17)]).toEqual([0, 0]);
});
