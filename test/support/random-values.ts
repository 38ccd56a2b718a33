import * as fc from 'fast-check';
import { literal } from '../../src/db/sql.ts';

/** A column's type, and SQL expressions for values of it. */
export interface ValueType {
  readonly type: string;
  readonly value: fc.Arbitrary<string>;
}

const quoted = (...texts: readonly string[]) => fc.constantFrom(...texts.map((text) => literal(text)));

/** What COPY, CSV, shells and JSON treat specially; and strings that look like NULL. PostgreSQL refuses NUL. */
const HOSTILE_TEXTS = [
  '',
  ' ',
  '\\.',
  '\\N',
  'NULL',
  '\t\n\r\b\f\v',
  '"',
  "'",
  '\\',
  '\u0001',
  '$1',
  '{}',
  'ß💥e\u0301',
  'x'.repeat(9_000),
];

const text = fc
  .oneof(
    fc.constantFrom(...HOSTILE_TEXTS),
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.string({ unit: 'grapheme' }),
  )
  .map((each) => literal(each.replaceAll('\0', '').toWellFormed()));

const bytes = fc.uint8Array({ maxLength: 40 }).map((each) => `'\\x${Buffer.from(each).toString('hex')}'`);

/** Types that every server since 12 has. A value is written as an untyped literal, so that its column decides. */
export const PLAIN_TYPES: readonly ValueType[] = [
  { type: 'text', value: text },
  { type: 'varchar(10)', value: quoted('', 'a', 'ten letters'.slice(0, 10), '  padded  ') },
  { type: 'char(5)', value: quoted('', 'ab', 'abcde') },
  { type: '"char"', value: quoted('', 'x', '\\') },
  { type: 'text COLLATE "C"', value: text },
  { type: 'bytea', value: bytes },
  { type: 'smallint', value: quoted('0', '-32768', '32767') },
  { type: 'bigint', value: quoted('0', '-9223372036854775808', '9223372036854775807') },
  {
    type: 'numeric',
    value: quoted('NaN', '0.10', '1e-30', '-1234567890123456789012345678901234567890.5', '1e300'),
  },
  { type: 'numeric(6,2)', value: quoted('NaN', '0', '9999.99', '-0.10') },
  { type: 'real', value: quoted('NaN', 'Infinity', '-Infinity', '0.1', '-0', '1e-45', '3.4028235e38') },
  {
    type: 'double precision',
    value: quoted('NaN', 'Infinity', '-Infinity', '0.30000000000000004', '-0', '5e-324'),
  },
  { type: 'boolean', value: quoted('t', 'f') },
  { type: 'date', value: quoted('infinity', '-infinity', '0044-03-15 BC', '2024-02-29') },
  {
    type: 'timestamp',
    value: quoted('infinity', '-infinity', '4713-01-01 00:00:00 BC', '2024-02-29 23:59:59.999999'),
  },
  {
    type: 'timestamptz',
    value: quoted('infinity', '-infinity', '294276-12-31 23:59:59+00', '1900-01-01 00:00:00+00:19'),
  },
  { type: 'timestamptz(0)', value: quoted('2024-10-27 02:30:00+02', '2024-10-27 02:30:00+01') },
  { type: 'time', value: quoted('24:00', '00:00:00.000001') },
  { type: 'timetz', value: quoted('23:59:59+14', '12:00-12') },
  { type: 'interval', value: quoted('1 mon -1 day 00:00:01.5', '-178000000 years', '0') },
  {
    type: 'uuid',
    value: quoted('00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-4fff-bfff-ffffffffffff'),
  },
  { type: 'json', value: quoted('{"b":1, "a":1,"a":2}', 'null', '" "', '[1.10]', '{"\\u00e9":"\\\\"}') },
  { type: 'jsonb', value: quoted('{"b":1,"a":{"x":[null,1e2,"\\t"]}}', 'null', '""', '1.10', '[]') },
  { type: 'int4range', value: quoted('empty', '(,)', '[1,5)', '(,7)') },
  { type: 'tstzrange', value: quoted('empty', '[2024-01-01,infinity]', '["2024-01-01 12:00+02",)') },
  { type: 'int[]', value: quoted('{}', '{NULL,1}', '{{1,2},{3,4}}', '[2:3]={5,6}') },
  { type: 'text[]', value: quoted('{}', '{""}', '{NULL,"NULL","a,b","\\\\","\\""}', '{{a,b},{c,d}}') },
  { type: 'numeric[]', value: quoted('{NaN,NULL,1e40}', '{{-0.0,0.10},{1,2}}') },
  {
    type: 'date[]',
    value: quoted('{infinity,-infinity,NULL}', '[0:1][1:1]={{2024-02-29},{"0001-01-01 BC"}}'),
  },
  { type: 'bytea[]', value: quoted('{"\\\\x00ff",NULL}', '{"\\\\x"}') },
  { type: 'money', value: quoted('-92233720368547758.08', '0.01', '1234567.89') },
  { type: 'xml', value: quoted('', '<a b="c&amp;d">x</a>', 'text &lt; more<br/>') },
  { type: 'jsonpath', value: quoted('$', '$.a[*] ? (@ > 1)') },
  { type: 'interval second(2)', value: quoted('1.23', '-0.01') },
  { type: 'oid', value: quoted('0', '4294967295') },
  { type: 'box', value: quoted('(1,-0),(NaN,-Infinity)') },
  { type: 'circle', value: quoted('<(0.1,1e300),5e-324>') },
  { type: 'inet', value: quoted('::1', '10.0.0.1/8') },
  { type: 'macaddr', value: quoted('08:00:2b:01:02:03') },
  { type: 'bit(3)', value: quoted('101', '000') },
  { type: 'varbit', value: quoted('', '1', '0101010101') },
  { type: 'point', value: quoted('(0.1,-0)', '(NaN,Infinity)') },
  { type: 'tsvector', value: quoted('', "'a':1A 'b c':2") },
  { type: 'tsquery', value: quoted("'a' & !'b'") },
  { type: 'name', value: quoted('', 'x') },
  { type: 'pg_lsn', value: quoted('0/0', 'FFFFFFFF/FFFFFFFF') },
];
