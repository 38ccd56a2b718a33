import { expect, test } from 'vitest';
import { createNotices } from '../../../src/core/report/notices.ts';

const WARNING = 'WARNING';

test('a message is kept once for each migration, with the number of schemas, and without secrets', () => {
  const notices = createNotices((text) => text.replaceAll('s3cret', '***'));
  for (const schema of ['a', 'b', 'b'])
    notices.add({ severity: WARNING, message: 'is s3cret' }, ['1.sql'], schema);
  notices.add({ severity: WARNING, message: 'is s3cret' }, ['2.sql'], 'a');
  // As a string of several migrations tells it: the first schemas have shown which one it is.
  notices.add({ severity: WARNING, message: 'is s3cret' }, ['1.sql', '3.sql'], 'c');
  notices.add({ message: 'new' }, ['1.sql', '3.sql'], 'c');

  expect(notices.list()).toEqual([
    { migration: '1.sql', severity: WARNING, message: 'is ***', tenants: 3 },
    { migration: '2.sql', severity: WARNING, message: 'is ***', tenants: 1 },
    { migration: '1.sql, 3.sql', severity: 'NOTICE', message: 'new', tenants: 1 },
  ]);
});

test('messages are bounded in number and length, and a warning is not lost among notices', () => {
  const notices = createNotices((text) => text);
  for (let at = 0; at < 5_000; at += 1)
    notices.add({ message: `${at} ${'x'.repeat(10_000)}` }, ['1.sql'], `s${at}`);
  notices.add({ severity: WARNING, message: 'late' }, ['1.sql'], 'a');

  const [warning, ...others] = notices.list();
  expect(warning?.message).toBe('late');
  expect(others).toHaveLength(51);
  expect(others.at(-1)).toMatchObject({ message: 'More messages than 50 are not kept.', tenants: 4_950 });
  expect(JSON.stringify(others).length).toBeLessThan(35_000);
});
