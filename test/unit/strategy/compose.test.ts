import { parse } from 'libpg-query';
import { expect, test } from 'vitest';
import type { CompiledPlan } from '../../../src/core/strategy/compiled.ts';
import { createComposer } from '../../../src/core/strategy/compose-parts.ts';
import { asOneString } from '../../../src/core/strategy/part-list.ts';
import { tenantTarget } from '../../../src/core/target/target.ts';
import { DEFAULT_NAMES } from '../../../src/names.ts';

const COMPILED: CompiledPlan = {
  direction: 'up',
  limits: { schemas: ['public'], keyLocks: [], drops: false, thorough: true, columns: false },
  readsHistory: true,
  hasHooks: false,
  steps: [
    step("1_it's.js", ['CREATE TABLE a () -- the end', 'INSERT INTO a DEFAULT VALUES;']),
    step('2_b.js', []),
  ],
};

function step(name: string, texts: readonly string[]) {
  return { name, needsCommit: false, pieces: texts.map((text) => ({ text })) };
}

const HISTORY = '00000000-0000-0000-0000-000000000001';

/** What is sent to a tenant with an odd name. */
function statementsFor(
  compiled: CompiledPlan,
  {
    expected = HISTORY,
    isNew = false,
    opening = [],
    statementTimeoutMs,
  }: { expected?: string | null; isNew?: boolean; opening?: string[]; statementTimeoutMs?: number } = {},
): string[] {
  const assumption = {
    statuses: ['ACTIVE', "it's"],
    batch: 3,
    expected,
    becomes: '00000000-0000-0000-0000-000000000002',
    isNew,
  };
  const compose = createComposer({ ...CONTEXT, statementTimeoutMs }, compiled, assumption);
  const target = tenantTarget(DEFAULT_NAMES, { clerkOrgId: 'org_a', schema: `od"d'one` });
  return compose(target, { opening, closing: ['SELECT 0'], hooks: {} }).flatMap((part) => {
    if (part.kind === 'run') return [`Knex runs ${part.what as string}`];
    return (part.kind === 'end' ? part.textAfter({ texts: [], readings: [] }) : part.text).split('\n;\n');
  });
}

const CONTEXT = {
  lockTimeoutMs: 1234,
  database: {
    deadClientSettings: { idle_in_transaction_session_timeout: 50_000, tcp_user_timeout: 40_000 },
    hasNodes: false,
    acceptsAnyInStrings: true,
  },
  run: { id: 42 },
};

const kindsOf = async (text: string) => {
  const parsed = text === '' ? {} : await parse(text);
  return (parsed.stmts ?? []).map(({ stmt }) => {
    const [kind, body] = Object.entries(stmt ?? {})[0] ?? [];
    return `${kind} ${(body as { kind?: string }).kind ?? ''}`.trim();
  });
};

test('all of it parses, is one transaction, and leaves the session clean behind it', async () => {
  const text = asOneString(statementsFor(COMPILED));
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
      'ClosePortalStmt',
      'UnlistenStmt',
      'CallStmt',
      'DiscardStmt',
      'DiscardStmt',
      'SelectStmt',
    ].map((kind) => expect.stringContaining(kind.split(' ')[0] ?? '') as string),
  );
});

test('the lock is taken and the history checked before anything else, and the record goes with its migration', () => {
  const statements = statementsFor(COMPILED);
  const at = (part: string) => statements.findIndex((statement) => statement.includes(part));
  expect(statements[0]).toBe('BEGIN ISOLATION LEVEL READ COMMITTED');
  expect(statements[1]).toBe(
    `CALL tenantctl.enter('od"d''one'::text, NULL::text, '00000000-0000-0000-0000-000000000001'::uuid, ARRAY['ACTIVE', 'it''s']::text[], ARRAY['datestyle', 'ISO', 'intervalstyle', 'postgres', 'quote_all_identifiers', 'off', 'standard_conforming_strings', 'on', 'idle_in_transaction_session_timeout', '50000', 'tcp_user_timeout', '40000', 'lock_timeout', '1234']::text[])`,
  );
  const order = [
    at('SET LOCAL search_path'),
    at('CREATE TABLE a'),
    at('INSERT INTO a'),
    at(`'1_it''s.js'`),
    at(`'2_b.js'`),
    at('SELECT 0'),
    statements.indexOf('COMMIT'),
  ];
  expect(order).toEqual(order.toSorted((one, other) => one - other));
  expect(new Set(order).size).toBe(order.length);
  expect(order).not.toContain(-1);
});

test('where nothing reads the history, all is recorded at the end, and the session is reset all the same', () => {
  const plain = { ...COMPILED, readsHistory: false };
  const statements = statementsFor(plain);
  expect(statements.slice(statements.indexOf('COMMIT'))).toEqual(statementsFor(COMPILED).slice(-9));
  expect(statements.filter((statement) => statement.includes('1_it'))).toEqual([
    expect.stringContaining(
      `'up'::text, ARRAY['1_it''s.js', '2_b.js']::text[], 3::integer, 42::bigint, 'org_a'::text)`,
    ),
  ]);
});

test('what a migration sets ends with it', () => {
  const [, second] = COMPILED.steps;
  const setting = step('1_set.js', ["SET LOCAL lock_timeout = '1s'"]);
  const statements = statementsFor({
    ...COMPILED,
    steps: [setting, ...(second === undefined ? [] : [second])],
  });
  const at = (part: string) => statements.findIndex((statement) => statement.includes(part));
  expect(at('reset_val')).toBeGreaterThan(at('SET LOCAL lock_timeout'));
});

test('before Knex runs a migration, those before it are recorded, and nothing that follows is sent', () => {
  const steps = [
    step('1_a.js', ['CREATE TABLE a ()']),
    { name: '2_b.js', needsCommit: false, interactive: 'it reads the clock' },
    step('3_c.js', ['CREATE TABLE c ()']),
  ];
  const statements = statementsFor({ ...COMPILED, readsHistory: false, steps });
  const at = (part: string) => statements.findIndex((statement) => statement.includes(part));
  const order = [at('CREATE TABLE a'), at('tenantctl.record'), at('Knex runs 2_b.js'), at('CREATE TABLE c')];
  expect(order).toEqual(order.toSorted((one, other) => one - other));
  expect(statements[at('tenantctl.record')]).toContain(`ARRAY['1_a.js']`);
  expect(statements[at('tenantctl.leave')]).toContain(`ARRAY['2_b.js', '3_c.js']`);
});

test('a statement with an answer is sent by itself', () => {
  const pieces = [{ text: 'SELECT 1' }, { text: 'SELECT 2', answer: 'rows:a' }, { text: 'SELECT 3' }];
  const steps = [{ name: '1_a.js', needsCommit: false, pieces }];
  const compose = createComposer(
    { ...CONTEXT, statementTimeoutMs: undefined },
    { ...COMPILED, steps },
    { statuses: [], batch: 1, expected: HISTORY, becomes: HISTORY, isNew: false },
  );
  const parts = compose(tenantTarget(DEFAULT_NAMES, { clerkOrgId: 'org_a', schema: 'a' }), {
    opening: [],
    closing: [],
    hooks: {},
  });
  expect(parts).toEqual([
    { kind: 'string', text: expect.stringMatching(/SELECT 1$/) as string },
    { kind: 'string', text: 'SELECT 2', asks: { name: '1_a.js', answer: 'rows:a' } },
    { kind: 'string', text: expect.stringMatching(/^(?!.*SELECT 2)[^]*SELECT 3\n/) as string },
  ]);
});

test('each migration looks its names up in its own schema, whatever the one before it set', () => {
  const statements = statementsFor(COMPILED);
  const paths = statements.filter((statement) => statement.startsWith('SET LOCAL search_path'));
  expect(paths.slice(0, 2)).toEqual([
    `SET LOCAL search_path TO "od""d'one", "public"`,
    `SET LOCAL search_path TO "od""d'one", "public"`,
  ]);
});

test('a tenant without a history table gets it, and no history is expected of it', () => {
  const statements = statementsFor(COMPILED, { expected: null });
  expect(statements[1]).toContain(`'od"d''one'::text, NULL::text, NULL::uuid,`);
  expect(
    statements.filter(
      (statement) => statement.includes('CREATE TABLE') && statement.includes('knex_migrations_tenant'),
    ),
  ).toHaveLength(2);
  expect(statements.find((statement) => statement.includes('tenantctl.leave'))).toContain(
    `'::text, NULL::uuid, '`,
  );
  expect(statementsFor(COMPILED).join()).not.toMatch(/CREATE TABLE.*knex_migrations/);
});

test('a statement may take as long as the server says, unless told otherwise', () => {
  expect(statementsFor(COMPILED)[1]).not.toContain('statement_timeout');
  expect(statementsFor(COMPILED, { statementTimeoutMs: 0 })[1]).toMatch(
    /'statement_timeout', '0'\]::text\[\]\)$/,
  );
});

test('what opens stands between the lock and the search_path', () => {
  const statements = statementsFor(COMPILED, { opening: ['CREATE SCHEMA x'] });
  expect(statements.slice(1, 5)).toEqual([
    expect.stringContaining('tenantctl.enter'),
    expect.stringContaining('tenantctl.note_own'),
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

test('where nodes take statements one at a time, what defines something is sent by itself', () => {
  const texts = ['CREATE INDEX i ON a (b)', '-- an index\nDROP INDEX i', 'INSERT INTO a DEFAULT VALUES'];
  const database = { ...CONTEXT.database, hasNodes: true, acceptsAnyInStrings: false };
  const compose = createComposer(
    { ...CONTEXT, database, statementTimeoutMs: undefined },
    { ...COMPILED, steps: [step('1_a.js', texts)] },
    { statuses: [], batch: 1, expected: HISTORY, becomes: HISTORY, isNew: false },
  );
  const target = tenantTarget(DEFAULT_NAMES, { clerkOrgId: 'org_a', schema: 'a' });

  expect(compose(target, { opening: [], closing: [], hooks: {} })).toEqual([
    {
      kind: 'string',
      text: expect.stringMatching(/^BEGIN[^]*lock_timeout TO 1234;[^]*search_path/) as string,
    },
    { kind: 'string', text: texts[0] },
    { kind: 'string', text: texts[1] },
    { kind: 'string', text: expect.stringMatching(/^INSERT INTO[^]*assert_spread\('a'[^]*COMMIT/) as string },
  ]);
});

const PLAIN: CompiledPlan = {
  ...COMPILED,
  limits: { ...COMPILED.limits, thorough: false },
  readsHistory: false,
  steps: [step('1_a.js', ['CREATE TABLE a ()'])],
};

test('new history tables get their trigger and stamp without a question, between the record and the look of the guard', () => {
  const statements = statementsFor(PLAIN, { expected: null, isNew: true });
  const at = (part: string) => statements.findIndex((statement) => statement.includes(part));
  const order = [
    at('CALL tenantctl.record'),
    at('CREATE FUNCTION "od""d\'one".tenantctl_unstamp_'),
    at('ALTER TABLE "od""d\'one"."knex_migrations_tenant_lock" ENABLE ALWAYS TRIGGER'),
    at('CALL tenantctl.stamp_new'),
    at('CALL tenantctl.stay_within'),
  ];
  expect(order).not.toContain(-1);
  expect(order).toEqual(order.toSorted((one, other) => one - other));
  expect(at('tenantctl.leave')).toBe(-1);
  // Where somebody else has made them meanwhile, the string fails.
  expect(at('IF NOT EXISTS')).toBe(-1);
});

test('where there is a history table already, or no tenant can have a stamp, the server asks what is there', () => {
  const statements = statementsFor(PLAIN, { expected: null, isNew: false });
  expect(statements.filter((statement) => statement.includes('tenantctl.leave'))).toHaveLength(1);
  expect(statements.filter((statement) => statement.includes('stamp_new'))).toEqual([]);
});

const REACHES_HISTORY: readonly (readonly [string, Partial<CompiledPlan>, boolean])[] = [
  ['nothing else can have written it', {}, false],
  ['a text may run what somebody wrote', { limits: COMPILED.limits }, true],
  ['a text, or what is stored, names the history', { readsHistory: true }, true],
  ['a hook is called', { hasHooks: true }, true],
  [
    'Knex runs a migration',
    { steps: [{ name: '1_a.js', needsCommit: false, interactive: 'it waits' }] },
    true,
  ],
];

test.each(REACHES_HISTORY)(
  'where %s, a new history is read before it is stamped, or not',
  (_, plan, reads) => {
    const statements = statementsFor({ ...PLAIN, ...plan }, { expected: null, isNew: true });
    const stamps = statements.filter((statement) => statement.includes('stamp_new'));
    expect(stamps).toEqual([expect.stringContaining(`::uuid, ${reads})`)]);
    expect(statements.filter((statement) => statement.includes('tenantctl.leave'))).toEqual([]);
  },
);

test('prepared statements are removed only if a text may have prepared one', () => {
  const isRemoved = (plan: CompiledPlan) => statementsFor(plan).includes('CALL tenantctl.deallocate()');
  expect([isRemoved(COMPILED), isRemoved(PLAIN)]).toEqual([true, false]);
});
