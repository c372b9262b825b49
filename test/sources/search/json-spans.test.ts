import { elementsOf, membersOf, oneLine, parsed, slice } from '../../../lib/sources/search/json-spans.ts';

const textOf = (json: string, name: string) => {
  const bytes = Buffer.from(json);
  const span = membersOf(bytes).get(name);
  return span === undefined ? undefined : slice(bytes, span).toString();
};

describe('values in JSON text', () => {
  it.each<[json: string, name: string, value: string]>([
    ['{"a":123456789012345678901234567890.10}', 'a', '123456789012345678901234567890.10'],
    ['{"a":-0.0,"b":1e400}', 'b', '1e400'],
    ['{ "a" : { "b" : [ "}" , "\\"]" ] } , "c" : null }', 'a', '{ "b" : [ "}" , "\\"]" ] }'],
    ['{"a":"\\\\","b":"\\\\\\""}', 'b', '"\\\\\\""'],
    ['{"a":[],"b":{},"":1}', '', '1'],
    ['{"\\u0061":true}', 'a', 'true'],
    ['/* one */{"a"/* two } */:/* three */{"x":1 // four }\n},"b":2}', 'a', '{"x":1 // four }\n}'],
    ['{"é😀":"ü"}', 'é😀', '"ü"'],
  ])('of %s, %j is found as it was written: %s', (json, name, value) => expect(textOf(json, name)).toBe(value));

  it('elements are found in their order, nested ones as one', () => {
    const text = Buffer.from(' [ 1.0, [2,[3]], {"a":[4]} , "5]" ] ');
    expect(elementsOf(text).map((span) => slice(text, span).toString())).toEqual(['1.0', '[2,[3]]', '{"a":[4]}', '"5]"']);
    expect(elementsOf(Buffer.from('[ ]'))).toEqual([]);
    expect(parsed(text, elementsOf(text)[3] as never)).toBe('5]');
  });

  it.each(['', '{', '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":{"b":1}', '{"a":"b', '{"a":"b\\"}', '{"a" 1}', '{"a":1 "b":2}', '[1]', '{"a":/* 1}', '{"a":}', '{a:1}', '<html>'])('%j is refused, because it is cut or no object', (json) => {
    expect(() => membersOf(Buffer.from(json))).toThrow(expect.objectContaining({ code: 'source-failed', message: expect.stringContaining('no whole JSON'), nextStep: expect.any(String) }));
  });

  it('every beginning of a whole text is refused', () => {
    const whole = '{"a":[1,{"b":"c\\"d"}],"e":/*f*/null,"g":-1.5e-3}';
    for (let end = 0; end < whole.length; end++) expect(() => membersOf(Buffer.from(whole.slice(0, end)))).toThrow('no whole JSON');
    expect([...membersOf(Buffer.from(whole)).keys()]).toEqual(['a', 'e', 'g']);
  });
});

describe('a value on one line', () => {
  it.each<[value: string, line: string]>([
    ['{"a":1}', '{"a":1}'],
    ['{\n  "a": 1,\r\n  "b": "x // y /* z"\n}', '{  "a": 1,  "b": "x // y /* z"}'],
    ['{"a":1 /* "b": { */ , "c":2}', '{"a":1  , "c":2}'],
    ['{"a":1 // "b\n,"c":2}', '{"a":1 ,"c":2}'],
    ['{"a":"\\n\\"//"}', '{"a":"\\n\\"//"}'],
  ])('%j becomes %j', (value, line) => {
    expect(oneLine(Buffer.from(value)).toString()).toBe(line);
    expect(oneLine(Buffer.from(line)).toString()).toBe(line);
  });
});
