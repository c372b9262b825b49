import * as util from 'node:util';

/** Stands in for `node:util` in the kit's bundle, for the reason that `zlib.ts` gives. */
export const { promisify, stripVTControlCharacters } = util;

/** Without colours where there is no such function. */
export const styleText: (style: string, text: string) => string = (util as { styleText?: (style: string, text: string) => string }).styleText ?? ((_, text) => text);
