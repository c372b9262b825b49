import { byteString, display, fromText, unsteered } from '../../lib/model/byte-string.ts';

describe('names for people', () => {
  test('UTF-8 is shown as it is', () => {
    expect(display(fromText('grün 日本 \u{1f600}'))).toBe('grün 日本 \u{1f600}');
  });

  test('a byte that is no UTF-8 is shown with one backslash, a backslash doubled: both can be told apart', () => {
    expect(display(byteString(Buffer.from([0x61, 0xff, 0x62])))).toBe(String.raw`a\xffb`);
    expect(display(fromText(String.raw`a\xffb`))).toBe(String.raw`a\\xffb`);
    expect(display(byteString(Buffer.from([0x5c, 0xff])))).toBe(String.raw`\\\xff`);
  });

  test('text that quotes a vault keeps its line ends, tabs and backslashes, and steers nothing', () => {
    expect(unsteered('a\n\tb\\c\u001b[2J\u202egnp\r')).toBe('a\n\tb\\c\\x1b[2J\\u202egnp\\x0d');
  });

  test('nothing in a name steers a terminal or turns the direction of writing', () => {
    expect(display(fromText('\u001b[2J\n\u007f\u009b'))).toBe(String.raw`\x1b[2J\x0a\x7f\x9b`);
    expect(display(fromText('a\u202egnp.exe\u2066b\u2069'))).toBe(String.raw`a\u202egnp.exe\u2066b\u2069`);
  });
});
