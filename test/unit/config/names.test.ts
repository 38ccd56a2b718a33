import { expect, test } from 'vitest';
import { readEnvironment, requireSettings } from '../../../src/config/environment.ts';
import { DEFAULT_NAMES } from '../../../src/names.ts';

const read = (variables: Readonly<Record<string, string>>) =>
  readEnvironment({ DB_HOST: 'h', DB_USER: 'u', DB_NAME: 'd', ...variables }, { folder: '/nowhere' });

test('a team names its registry, columns, statuses, histories and schemas; what it leaves out is as in ORIGIN.md', () => {
  const { names } = requireSettings(
    read({
      REGISTRY_TABLE: 'app.Customer-List',
      REGISTRY_COLUMNS: 'organization=slug, schema=db_schema,status=state',
      REGISTRY_STATUSES: 'ACTIVE=live|trial, SUSPENDED=on hold',
      MASTER_HISTORY_TABLE: 'knex_migrations',
      TENANT_HISTORY_TABLE: 'knex_migrations',
      TENANT_SCHEMA_PREFIX: 'customer-',
    }),
  );
  expect(names).toEqual({
    registry: { schema: 'app', table: 'Customer-List' },
    columns: { ...DEFAULT_NAMES.columns, organization: 'slug', schema: 'db_schema', status: 'state' },
    statuses: { ...DEFAULT_NAMES.statuses, ACTIVE: ['live', 'trial'], SUSPENDED: ['on hold'] },
    masterHistory: 'knex_migrations',
    tenantHistory: 'knex_migrations',
    schemaPrefix: 'customer-',
  });
});

test.for([
  [{ REGISTRY_TABLE: 'customers' }, ['"customers" is not a table with its schema']],
  [{ REGISTRY_TABLE: 'a.b.c' }, ['"a.b.c" is not a table with its schema']],
  [{ REGISTRY_TABLE: 'public.' }, ['a name is empty']],
  [{ REGISTRY_TABLE: '"public"."customers"' }, ['holds "\\""', 'holds "\\""']],
  [{ REGISTRY_TABLE: 'pg_catalog.customers' }, ['"pg_catalog" is reserved']],
  [{ REGISTRY_TABLE: 'tenantctl.customers' }, ['"tenantctl" is reserved']],
  [{ REGISTRY_TABLE: 'public.customers$routine$' }, ['holds "$"']],
  [{ REGISTRY_TABLE: 'postgres://u:secret@h/d' }, ['does not hold names']],
  [{ REGISTRY_COLUMNS: 'slug' }, ['"slug" is not of the form key=value']],
  [{ REGISTRY_COLUMNS: 'organization=a=b' }, ['"organization=a=b" is not of the form key=value']],
  [
    { REGISTRY_COLUMNS: 'organisation=slug' },
    ['"organisation" is unknown: the keys are organization, schema'],
  ],
  [{ REGISTRY_COLUMNS: 'schema=a,schema=b' }, ['"schema" is set twice']],
  [{ REGISTRY_COLUMNS: 'organization=name,schema=name' }, ['"name" is named twice']],
  [{ REGISTRY_COLUMNS: 'organization=' }, ['a name is empty']],
  [{ REGISTRY_COLUMNS: `organization=${'x'.repeat(64)}` }, ['is too long: at most 63 bytes']],
  [{ REGISTRY_STATUSES: 'LIVE=live' }, ['"LIVE" is unknown: the keys are PROVISIONING, ACTIVE']],
  [{ REGISTRY_STATUSES: 'ACTIVE=live,FAILED=live' }, ['"live" stands for ACTIVE and for FAILED']],
  [{ REGISTRY_STATUSES: 'ACTIVE=FAILED' }, ['"FAILED" stands for ACTIVE and for FAILED']],
  [{ REGISTRY_STATUSES: 'ACTIVE=live|' }, ['ACTIVE has an empty value']],
  [{ MASTER_HISTORY_TABLE: 'x'.repeat(59) }, ['is too long: at most 58 bytes']],
  [{ MASTER_HISTORY_TABLE: 'public.migrations' }, ['holds a dot: name the table alone, it is in public']],
  [{ TENANT_HISTORY_TABLE: 'x.migrations' }, ['holds a dot: name the table alone']],
  [{ MASTER_HISTORY_TABLE: 'tenants' }, ['"tenants" takes the name of the registry']],
  [{ TENANT_HISTORY_TABLE: 'ü'.repeat(30) }, ['is too long: at most 58 bytes']],
  [{ TENANT_SCHEMA_PREFIX: 'pg_x' }, ['"pg_x" is reserved']],
  [{ TENANT_SCHEMA_PREFIX: 'x'.repeat(54) }, ['is too long: at most 53 bytes']],
] as const)('%o is refused, and the message says why', ([variables, messages]) => {
  const { problems } = read(variables);
  expect(problems.map(({ variable }) => variable)).toEqual(messages.map(() => Object.keys(variables)[0]));
  for (const [at, message] of messages.entries()) expect(problems[at]?.message).toContain(message);
  expect(JSON.stringify(problems)).not.toContain('secret');
});

test('the name of a role for each tenant fits with the prefix, too', () => {
  const { problems } = read({ TENANT_ROLE: 'owner_of_{schema}', TENANT_SCHEMA_PREFIX: 'x'.repeat(50) });
  expect(problems).toEqual([
    { variable: 'TENANT_ROLE', message: expect.stringContaining('too long with this TENANT_SCHEMA_PREFIX') },
  ]);
});

test('every problem of every variable is reported at once', () => {
  const { problems } = read({
    REGISTRY_TABLE: 'customers',
    REGISTRY_COLUMNS: 'organization=name,schema=name,slug',
    REGISTRY_STATUSES: 'ACTIVE=live,FAILED=live,DEAD=gone',
    TENANT_SCHEMA_PREFIX: 'pg_',
  });
  expect(problems.map(({ variable }) => variable).toSorted()).toEqual([
    'REGISTRY_COLUMNS',
    'REGISTRY_COLUMNS',
    'REGISTRY_STATUSES',
    'REGISTRY_STATUSES',
    'REGISTRY_TABLE',
    'TENANT_SCHEMA_PREFIX',
  ]);
});
