import { expect, test } from 'vitest';
import { decodeText } from '../../src/text-file.ts';

const utf16 = (text: string, bom: string) => Buffer.from(bom + text, 'utf16le');

test.each<[string, Buffer, string, number | undefined]>([
  ['Windows-1252', Buffer.from('a\nb\nM\xFCller', 'latin1'), 'is not UTF-8: byte 0xFC in line 3', 3],
  ['a character that is cut off', Buffer.from([0x61, 0xc3]), 'is not UTF-8: byte 0xC3 in line 1', 1],
  ['a lone surrogate', Buffer.from([0xed, 0xa0, 0x80]), 'is not UTF-8: byte 0xED in line 1', 1],
  ['UTF-16 with its mark', utf16('é', '\uFEFF'), 'is UTF-16', undefined],
  ['UTF-16, big-endian', utf16('SELECT', '\uFEFF').swap16(), 'is UTF-16', undefined],
  ['UTF-16 without its mark', utf16('SELECT 1;', ''), 'is UTF-16', undefined],
  ['a NUL character', Buffer.from('SELECT\n1\0, 2'), 'contains a NUL character (byte 0x00) in line 2', 2],
])('text is refused: %s', (_, bytes, message, line) => {
  expect(() => decodeText(bytes)).toThrow(
    expect.objectContaining({ message: expect.stringContaining(message), line }),
  );
});

test('UTF-8 is read as it is, without a byte order mark', () => {
  for (const text of ['Müller 🦔', '\uFFFD', '']) {
    expect(decodeText(Buffer.from(text))).toBe(text);
    expect(decodeText(Buffer.from(`\uFEFF${text}`))).toBe(text);
  }
});
