import { expect, test } from 'vitest';
import { Chalk } from 'chalk';
import { TenantctlError } from '../../../src/errors.ts';
import { renderError } from '../../../src/cli/render/error.ts';
import { UNICODE } from '../../../src/cli/render/look.ts';
import { visible, visibleText } from '../../../src/cli/render/visible.ts';

test('text keeps its colours, lines and tabs, and no other control character reaches the terminal', () => {
  expect(visibleText('\u001B[31mred\u001B[39m\n\ttab\r\n')).toBe('\u001B[31mred\u001B[39m\n\ttab\r\n');
  expect(visibleText('\u001B[8mhidden \u001B[5mblinking \u001B[30;40m')).toBe(
    '\\u001b[8mhidden \\u001b[5mblinking \\u001b[30;40m',
  );
  expect(visibleText('\u001B[31mred', false)).toBe('\\u001b[31mred');
  expect(visibleText('\u001B[8mhidden', false)).toBe('\\u001b[8mhidden');
  expect(visibleText('a\u001B[2Jb\u001B]0;title\u0007c\rd\u0000\u009B1m\u202Ee\u2066\u0007[31m')).toBe(
    'a\\u001b[2Jb\\u001b]0;title\\u0007c\\rd\\u0000\\u009b1m\\u202ee\\u2066\\u0007[31m',
  );
  expect(visibleText('日本 👩\u200D👧 שלום')).toBe('日本 👩\u200D👧 שלום');
});

test('data is one line', () => {
  expect(visible('a\nb\t\u001B[31m')).toBe('a\\nb\\t\\u001b[31m');
});

test('a name with a line break begins no line of its own in an error', () => {
  const error = new TenantctlError('CONFIG_INVALID', 'Refused.', {
    tenant: 'org\n✔ 5 tenants migrated',
    details: ['DB_NAME: a\n✔ b', '     ^'],
  });
  const look = { paint: new Chalk({ level: 0 }), marks: UNICODE, width: undefined };
  expect(renderError(error, look, false)).toBe(
    '✖ Refused.\n  tenant     org\n             ✔ 5 tenants migrated\n  DB_NAME: a\n  ✔ b\n       ^',
  );
});
