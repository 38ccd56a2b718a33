import { expect, test } from 'vitest';
import { createCopyDataFilter } from '../../../src/db/copy-data-filter.ts';

function message(type: string, content: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length + 4);
  return Buffer.concat([Buffer.from(type), length, Buffer.from(content)]);
}

const ROWS = ['1\tone\n', '', `2\t${'x'.repeat(50)}\n`, '3\tthree\n'];
const ASIDE = [message('H', '\0\0\0'), message('N', 'a notice\0'), message('A', 'a notification')];
const END = [message('c', ''), message('C', 'COPY 4\0'), message('Z', 'T')];

test('data, messages aside and what ends the copy are told apart, wherever a chunk ends', () => {
  const [response, notice, notification] = ASIDE as [Buffer, Buffer, Buffer];
  const [first, ...others] = ROWS.map((row) => message('d', row)) as [Buffer, ...Buffer[]];
  const sent = Buffer.concat([response, first, notice, notification, ...others, ...END]);
  for (let size = 1; size <= sent.length; size += 1) {
    const filter = createCopyDataFilter();
    const [data, aside]: Buffer[][] = [[], []];
    let rest: Buffer | undefined;
    let at = 0;
    while (rest === undefined && at < sent.length) {
      const filtered = filter(Buffer.from(sent.subarray(at, at + size)));
      data?.push(filtered.data);
      aside?.push(...filtered.others);
      rest = filtered.rest;
      at += size;
    }
    expect(Buffer.concat(data ?? []).toString()).toBe(ROWS.join(''));
    expect(Buffer.concat(aside ?? [])).toEqual(Buffer.concat(ASIDE));
    expect(Buffer.concat([rest ?? Buffer.of(), sent.subarray(at)])).toEqual(Buffer.concat(END));
  }
});
