import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { TenantctlError } from '../../../src/errors.ts';
import { parseSqlMigration } from '../../../src/core/files/sql-file.ts';

/** What opens, closes, nests and escapes, and what only looks like it. */
const LEXICAL =
  `' '' " "" $$ $a$ $b$ $1 /* */ -- E' e' U&' N' B'1' \\ \\' a E $ 1 ; . - * / é 😀 x$y$ 'a' SELECT`.split(
    ' ',
  );
const pieces = fc.array(
  fc.constantFrom(...LEXICAL, ' ', '\n', '\n', '\n-- migrate:down\n', '\n  -- migrate:up\n'),
  { maxLength: 30 },
);

const marker = fc.constantFrom('-- migrate:down', '--migrate:up', '  -- MIGRATE:DOWN transaction:false');
const anything = fc
  .tuple(fc.string({ unit: 'grapheme' }), marker, fc.string())
  .map((lines) => lines.join('\n'));
/** SQL that is whole: what it opens it ends. Markers stand in it wherever they are text. */
const wholePiece = fc.oneof(
  anything.map((text) => `'${text.replaceAll("'", "''")}'`),
  anything.map((text) => `E'${text.replaceAll(/['\\]/g, '\\$&')}'`),
  anything.map((text) => `"${text.replaceAll('"', '""')}"`),
  anything.filter((text) => !text.includes('$t$')).map((text) => `$t$${text}$t$`),
  anything.map((text) => `/* ${text.replaceAll(/\/\*|\*\/|[/*]$/g, '')} */`),
  fc.string().map((text) => `-- ${text.replaceAll(/[\r\n]|migrate:/gi, '')}\n`),
  fc.constantFrom('SELECT 1;', 'a$b$c', '$1', '\n', '- / * .'),
);
const section = fc.array(wholePiece, { maxLength: 6 }).map((parts) => parts.join(' ').trim());

test('whatever whole SQL the sections hold, it comes back as it was written', async () => {
  await fc.assert(
    fc.asyncProperty(section, section, fc.boolean(), fc.boolean(), async (up, down, upIn, downIn) => {
      const text = `-- migrate:up transaction:${upIn}\n${up}\n-- migrate:down transaction:${downIn}\n${down}`;
      expect(await parseSqlMigration(text, '1_a.sql')).toMatchObject({
        up,
        down,
        upInTransaction: upIn,
        downInTransaction: downIn,
        allowOutside: [],
      });
    }),
    { numRuns: 1_500 },
  );
});

const lettersOf = (text: string) => text.replaceAll(/\s/g, '').length;

async function readOrRefusal(text: string) {
  try {
    return await parseSqlMigration(text, '1_a.sql');
  } catch (error) {
    if (error instanceof TenantctlError) return error;
    throw error;
  }
}

test('whatever the text is, it is read or refused as what it is, and never half', async () => {
  await fc.assert(
    fc.asyncProperty(pieces, async (parts) => {
      const text = parts.join('');
      const read = await readOrRefusal(text);
      expect('code' in read ? [read.code, read.migration] : 'read').toEqual(
        'code' in read ? ['MIGRATION_INVALID', '1_a.sql'] : 'read',
      );
      // What is neither section nor marker is white space and comments before the first.
      const kept = 'code' in read ? Infinity : lettersOf(read.up + (read.down ?? ''));
      const rest = lettersOf(text.replaceAll(/^[ \t]*--[ \t]*migrate:(?:up|down)[ \t]*$/gim, ''));
      expect(kept).toBeGreaterThanOrEqual(rest - text.indexOf('migrate:'));
    }),
    { numRuns: 1_000 },
  );
});
