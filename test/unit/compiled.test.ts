import { parse } from 'libpg-query';
import { expect, test } from 'vitest';
import {
  asOneString,
  compile,
  historyAfter,
  statementsFor,
  type Addressee,
  type CompiledPlan,
  type SendingOptions,
  type Transcripts,
} from '../../src/core/migrations/compiled.ts';
import type { History } from '../../src/core/migrations/history.ts';
import type { Plan } from '../../src/core/migrations/plan.ts';
import { tenantTarget } from '../../src/core/migrations/target.ts';
import { createTranscript } from '../../src/db/transcript.ts';

function planOf(...names: string[]): Plan {
  const steps = names.map((name) => ({ name, file: { name, path: `/${name}` } }));
  return { steps, batch: 3, warnings: [] } as unknown as Plan;
}

/** What migrations sent: a text each, or with the reason why it holds for one tenant only. */
function sent(
  texts: Readonly<Record<string, readonly string[]>>,
  reasons: Readonly<Record<string, string>> = {},
): Transcripts {
  return new Map(
    Object.entries(texts).map(([name, each]) => {
      const transcript = createTranscript();
      for (const text of each) transcript.sent({ text, values: [] });
      const reason = reasons[name];
      if (reason !== undefined) transcript.depends(reason);
      return [name, transcript];
    }),
  );
}

test('what two tenants were sent alike is what all are sent, migration by migration', () => {
  const texts = { '1_a.js': ['A', 'B'], '2_b.sql': [], '3_c.js': ['C'] };
  expect(compile(planOf('1_a.js', '2_b.sql', '3_c.js'), 'up', sent(texts), sent(texts))).toEqual({
    direction: 'up',
    isClean: false,
    steps: [
      { name: '1_a.js', texts: ['A', 'B'] },
      { name: '2_b.sql', texts: [] },
      { name: '3_c.js', texts: ['C'] },
    ],
  });
});

/** Whether a plan whose one migration sends these texts needs nothing cleaned up behind it. */
function isClean(...texts: string[]): boolean | undefined {
  const transcripts = sent({ '1_a.js': texts });
  const compiled = compile(planOf('1_a.js'), 'up', transcripts, transcripts);
  return 'isClean' in compiled ? compiled.isClean : undefined;
}

test('what changes tables and nothing else leaves nothing to be cleaned up', () => {
  expect(
    isClean('create table "a" ("id" serial primary key)', 'alter table "a" add column "b" integer;'),
  ).toBe(true);
  expect(isClean('CREATE UNIQUE INDEX a_b ON a (b)', 'DROP INDEX a_b', 'drop table a')).toBe(true);
});

test.each([
  'CREATE TEMP TABLE a ()',
  'CREATE TABLE a AS SELECT 1; SET ROLE x',
  'CREATE TABLE a (b int) ; SELECT 1',
  "CREATE TABLE a AS SELECT set_config('work_mem', '1MB', false)",
  'CREATE TABLE a AS SELECT pg_advisory_lock(1)',
  'CREATE TABLE a AS SELECT own_function()',
  'CREATE TABLE a AS TABLE b',
  'CREATE TABLE a (b int DEFAULT 1) AS SELECT own_function()',
  "CREATE TABLE a AS SELECT nextval('s')",
  'ALTER TABLE a ADD b int DEFAULT own_function()',
  'ALTER TABLE a ADD CHECK (own_function(b))',
  'ALTER TABLE a ALTER b TYPE text USING own_function(b)',
  'CREATE INDEX a_b ON a (own_function(b))',
  'DROP TABLE knex_migrations_tenant',
  'SELECT 1',
  'SET ROLE x',
  'INSERT INTO a VALUES (1)',
  'DO $$ BEGIN END $$',
])('what may leave something behind is cleaned up after: %j', (text) => {
  expect(isClean('CREATE TABLE z ()', text)).toBe(false);
});

test.each<[string, readonly string[], readonly string[]]>([
  ['another text', ['A'], ['B']],
  ['one more', ['A'], ['A', 'B']],
  ['one less', ['A', 'B'], ['A']],
  ['another order', ['A', 'B'], ['B', 'A']],
  ['a blank more', ['A'], ['A ']],
  ['another cut', ['A;B'], ['A', 'B']],
])('two tenants that were sent different things speak for themselves only: %s', (_, one, other) => {
  const difference = { migration: '2_b.js', reason: 'it sent different statements to two tenants' };
  const [first, second] = [
    sent({ '1_a.js': ['X'], '2_b.js': one }),
    sent({ '1_a.js': ['X'], '2_b.js': other }),
  ];
  expect(compile(planOf('1_a.js', '2_b.js'), 'up', first, second)).toEqual(difference);
});

test('what depends on the tenant does so whichever of the two shows it, and the first such migration is named', () => {
  const texts = { '1_a.js': ['A'], '2_b.js': ['B'], '3_c.js': ['C'] };
  const plan = planOf('1_a.js', '2_b.js', '3_c.js');
  const dependent = sent(texts, { '2_b.js': 'it reads', '3_c.js': 'it binds' });
  const answer = { migration: '2_b.js', reason: 'it reads' };
  expect(compile(plan, 'down', dependent, sent(texts))).toEqual(answer);
  expect(compile(plan, 'down', sent(texts), dependent)).toEqual(answer);
});

test('a migration that one of the two did not come to is not sent to anybody', () => {
  const [both, one] = [sent({ '1_a.js': ['A'], '2_b.js': ['B'] }), sent({ '1_a.js': ['A'] })];
  const unseen = { migration: '2_b.js', reason: 'it was not seen' };
  expect(compile(planOf('1_a.js', '2_b.js'), 'up', both, one)).toEqual(unseen);
  expect(compile(planOf('1_a.js', '2_b.js'), 'up', one, both)).toEqual(unseen);
});

test('the history afterwards has the rows more, or less, that the plan says', () => {
  const history = {
    entries: [
      { name: '1_a.js', batch: 1 },
      { name: '2_b.js', batch: 2 },
    ],
    lockedByKnex: false,
  } as History;
  expect(historyAfter(history, planOf('3_c.js', '4_d.js'), 'up')).toEqual([
    { name: '1_a.js', batch: 1 },
    { name: '2_b.js', batch: 2 },
    { name: '3_c.js', batch: 3 },
    { name: '4_d.js', batch: 3 },
  ]);
  expect(historyAfter(history, planOf('2_b.js'), 'down')).toEqual([{ name: '1_a.js', batch: 1 }]);
  expect(historyAfter(history, planOf('2_b.js', '1_a.js'), 'down')).toEqual([]);
});

const COMPILED: CompiledPlan = {
  direction: 'up',
  isClean: false,
  steps: [
    { name: "1_it's.js", texts: ['CREATE TABLE a () -- the end', 'INSERT INTO a DEFAULT VALUES;'] },
    { name: '2_b.js', texts: [] },
  ],
};

function addressee(expected: string | null = '00000000-0000-0000-0000-000000000001'): Addressee {
  return {
    target: tenantTarget({ clerkOrgId: 'org_a', schema: `od"d'one` }),
    plan: planOf("1_it's.js", '2_b.js'),
    expected,
    becomes: '00000000-0000-0000-0000-000000000002',
  };
}

const OPTIONS: SendingOptions = {
  statuses: ['ACTIVE', "it's"],
  lockTimeoutMs: 1234,
  canCheckClient: true,
  closing: ['SELECT 0'],
};

const kindsOf = async (text: string) => {
  const parsed = text === '' ? {} : await parse(text);
  return (parsed.stmts ?? []).map(({ stmt }) => {
    const [kind, body] = Object.entries(stmt ?? {})[0] ?? [];
    return `${kind} ${(body as { kind?: string }).kind ?? ''}`.trim();
  });
};

test('all of it parses, is one transaction, and leaves the session clean behind it', async () => {
  const text = asOneString(statementsFor(COMPILED, addressee(), OPTIONS));
  const kinds = await kindsOf(text);
  expect(kinds[0]).toBe('TransactionStmt TRANS_STMT_BEGIN');
  expect(kinds.filter((kind) => kind.startsWith('TransactionStmt'))).toEqual([
    'TransactionStmt TRANS_STMT_BEGIN',
    'TransactionStmt TRANS_STMT_COMMIT',
  ]);
  const after = kinds.slice(kinds.indexOf('TransactionStmt TRANS_STMT_COMMIT') + 1);
  expect(after).toEqual(
    [
      'VariableSetStmt VAR_SET_DEFAULT',
      'VariableSetStmt VAR_RESET_ALL',
      'DiscardStmt',
      'DiscardStmt',
      'SelectStmt',
    ].map((kind) => expect.stringContaining(kind.split(' ')[0] ?? '') as string),
  );
});

test('the lock is taken and the history checked before anything else, and the record goes with its migration', () => {
  const statements = statementsFor(COMPILED, addressee(), OPTIONS);
  const at = (part: string) => statements.findIndex((statement) => statement.includes(part));
  expect(statements[0]).toBe('BEGIN ISOLATION LEVEL READ COMMITTED');
  expect(statements[1]).toBe(
    `SELECT tenantctl.enter('od"d''one', '00000000-0000-0000-0000-000000000001', ARRAY['ACTIVE', 'it''s'], 1234, 60000, 2000)`,
  );
  const order = [
    at('SET LOCAL search_path'),
    at('CREATE TABLE a'),
    at('INSERT INTO a'),
    at(`'1_it''s.js'`),
    statements.lastIndexOf(statements[at('SET LOCAL search_path')] ?? ''),
    at(`'2_b.js'`),
    at('SELECT 0'),
    statements.indexOf('COMMIT'),
  ];
  expect(order).toEqual(order.toSorted((one, other) => one - other));
  expect(new Set(order).size).toBe(order.length);
  expect(order).not.toContain(-1);
});

test('where nothing is left behind, nothing is cleaned up, and all is recorded at the end', () => {
  const statements = statementsFor({ ...COMPILED, isClean: true }, addressee(), OPTIONS);
  expect(statements.at(-1)).toBe('COMMIT');
  expect(statements.filter((statement) => statement.includes('1_it'))).toEqual([
    expect.stringContaining(`'up', ARRAY['1_it''s.js', '2_b.js']::text[], 3)`),
  ]);
});

test('each migration looks its names up in its own schema, whatever the one before it set', () => {
  const statements = statementsFor(COMPILED, addressee(), OPTIONS);
  const paths = statements.filter((statement) => statement.startsWith('SET LOCAL search_path'));
  expect(paths).toEqual([
    `SET LOCAL search_path TO "od""d'one", "public"`,
    `SET LOCAL search_path TO "od""d'one", "public"`,
  ]);
});

test('a tenant without a history table gets it, and no history is expected of it', () => {
  const statements = statementsFor(COMPILED, addressee(null), OPTIONS);
  expect(statements[1]).toContain(`'od"d''one', NULL,`);
  expect(
    statements.filter(
      (statement) => statement.includes('CREATE TABLE') && statement.includes('knex_migrations_tenant'),
    ),
  ).toHaveLength(2);
  expect(statements.find((statement) => statement.includes('tenantctl.leave'))).toContain(`', NULL, '`);
  expect(statementsFor(COMPILED, addressee(), OPTIONS).join()).not.toMatch(/CREATE TABLE.*knex_migrations/);
});

test('where the server cannot look after its client, it is not told to', () => {
  const [, enter] = statementsFor(COMPILED, addressee(), { ...OPTIONS, canCheckClient: false });
  expect(enter).toMatch(/, 1234, 60000, NULL\)$/);
});

test('what opens stands between the lock and the search_path', () => {
  const statements = statementsFor(COMPILED, addressee(), { ...OPTIONS, opening: ['CREATE SCHEMA x'] });
  expect(statements.slice(1, 4)).toEqual([
    expect.stringContaining('tenantctl.enter'),
    'CREATE SCHEMA x',
    expect.stringContaining('search_path'),
  ]);
});

test.each([
  'SELECT 1',
  'SELECT 1;',
  'SELECT 1 -- x',
  'SELECT 1 -- x;',
  'SELECT 1 /* x */',
  '',
  '-- x',
  ' ;; ',
  `SELECT ';' -- '`,
  'SELECT $$;--$$',
])('a text does not reach into the next one: %j', async (text) => {
  const count = (await kindsOf(text)).length;
  expect(await kindsOf(asOneString(['BEGIN', text, 'COMMIT']))).toHaveLength(count + 2);
});
