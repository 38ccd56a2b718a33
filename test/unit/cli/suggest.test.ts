import { expect, test } from 'vitest';
import { insteadOf } from '../../../src/cli/words.ts';
import { parse } from '../../support/parse.ts';

test.for([
  ['migrat', 'Did you mean migrate?'],
  ['stauts', 'Did you mean status?'],
  ['inti', 'Did you mean init?'],
  ['migrate tenant', 'Did you mean tenants?'],
  ['tenant lsit', 'Did you mean list?'],
  ['runs shwo', 'Did you mean show?'],
  // The word of another level.
  ['provision org_1', 'Did you mean tenantctl tenant provision?'],
  ['show', 'Did you mean one of tenantctl tenant show, tenantctl drift show, tenantctl runs show?'],
  ['tenant migrate', 'Did you mean tenantctl migrate?'],
  // As a script of package.json is named.
  ['migrate:master', 'Did you mean tenantctl migrate master?'],
  ['rollback-tenants', 'Did you mean tenantctl rollback tenants?'],
  // Flags.
  ['status --chek', 'Did you mean --check?'],
  ['migrate tenants --dry', 'Did you mean --dry-run?'],
  ['migrate tenants --out-of-order', 'Did you mean --allow-out-of-order?'],
  ['migrate tenants -json', 'Did you mean --json?'],
  ['rollback tenants --force', 'Did you mean --yes?'],
  ['migrate tenants --tenants org_a', 'Did you mean --tenant?'],
  ['-V', 'Did you mean --version?'],
  [
    'make add_users',
    'Say for which schemas: tenantctl make tenant add_users, or tenantctl make master add_users',
  ],
  ['make tenant add users', 'A name is one word: tenantctl make tenant add_users'],
  ['status --canary 3', 'These commands take --canary: migrate tenants, migrate all, seed tenants, exec.'],
  ['migrate tenants org_a org_b', 'To select tenants: tenantctl migrate tenants --tenant org_a org_b'],
  ['exec SELECT 1', "To send a query: tenantctl exec --sql 'SELECT 1'"],
  ['exec --sql SELECT 1', "To send a query: tenantctl exec --sql 'SELECT 1'"],
  ['migrate tenants --run 3', 'These commands take --run: rollback tenants.'],
  ['migrate all -v', 'Did you mean --verbose?'],
  ['bogus', 'tenantctl --help shows how to call it.'],
] as const)('"%s": %s', async ([call, hint]) => {
  expect(await parse(call.split(' '))).toEqual({ hint });
});

test.for([
  'tenant deprovisio',
  'tenant unprovison',
  'unmigrate',
  'demigrate',
  'disinit',
  'unresolve x',
  'status --no-check',
  'status --no-verify',
  'status --no-json',
  'rollback tenants --no-yes',
  'migrate tenants --no-dry-run',
  'migrate tenants --compile',
  'migrate tenants --disallow-newer-history',
  'status --color',
  'status --noverify',
  'status --nojson',
  'resolve x --notapplied',
  'migrate tenants --allow-older-history',
  'migrate tenants --min-failures 1',
  // A word of another group that is only similar.
  'migrate lint',
])('"%s" is not answered with the opposite', async (call) => {
  expect(await parse(call.split(' '))).toEqual({
    hint: expect.stringMatching(/ --help shows how to call it\.$/),
  });
});

test.for([
  ['unlock', 'nothing to unlock'],
  ['migrate:unlock', 'nothing to unlock'],
  ['migrate:latest', 'tenantctl migrate all'],
  ['migrate up', 'tenantctl migrate all'],
  ['db:migrate', 'tenantctl migrate all'],
  ['db migrate', 'tenantctl migrate all'],
  ['deploy', 'tenantctl migrate all'],
  ['push', 'tenantctl migrate all'],
  ['migrate:make add_x', 'tenantctl make tenant <name>'],
  ['migrate:make:tenant add_x', 'tenantctl make tenant <name>'],
  ['provision:tenant org_1', 'tenantctl tenant provision <org>'],
  ['migrate:rollback', 'tenantctl rollback tenants --run <id>'],
  ['down', 'tenantctl rollback tenants --run <id>'],
  ['undo', 'tenantctl rollback tenants --run <id>'],
  // The beginning alone would mean the opposite.
  ['db:migrate:undo', 'tenantctl rollback tenants --run <id>'],
  ['db:migrate:undo:all', 'tenantctl rollback tenants --run <id>'],
  ['db:migrate:down', 'tenantctl rollback tenants --run <id>'],
  ['deploy:rollback', 'tenantctl rollback tenants --run <id>'],
  ['upgrade revert', 'tenantctl rollback tenants --run <id>'],
  ['migration:run:revert', 'tenantctl rollback tenants --run <id>'],
  ['rollback last', 'tenantctl rollback tenants --run <id>'],
  ['runs undo 3', 'tenantctl rollback tenants --run <id>'],
  ['db:migrate:status', 'tenantctl status'],
  ['runs 3', 'tenantctl runs show <id>'],
  ['runs latest', 'tenantctl runs show latest'],
  ['history list', 'tenantctl runs'],
  ['revision add_x', 'tenantctl make tenant <name>'],
  ['migrate:status', 'tenantctl status'],
  ['runs list', 'tenantctl runs'],
  ['seed:run', 'tenantctl seed tenants'],
  ['seed:make add_x', 'tenantctl make seed <name>'],
  ['create', 'tenantctl tenant provision <org>'],
  ['tenant delete org_1', 'tenantctl tenant drop <org>'],
  ['tenant deprovision org_1', 'tenantctl tenant drop <org>'],
  ['deprovision org_1', 'tenantctl tenant drop <org>'],
  ['tenant deactivate org_1', 'tenant suspend <org> takes a tenant out of use'],
] as const)('for the word of another tool "%s" the hint says: %s', async ([call, hint]) => {
  expect(await parse(call.split(' '))).toEqual({ hint: expect.stringContaining(hint) });
});

test('no word of the table is a command', async () => {
  for (const words of ['migrate all', 'tenant list', 'runs', 'new', 'up', 'ls'])
    expect(insteadOf(words.split(' '))).toBeUndefined();
});

test.for([
  ['up --dry-run', 'migrate all'],
  ['ls --json', 'tenant list'],
  ['tenant ls', 'tenant list'],
  ['tenant create org_1', 'tenant provision'],
  ['new tenant add_x', 'make tenant'],
] as const)('"%s" is %s', async ([call, command]) => {
  expect(await parse(call.split(' '))).toEqual({ command });
});

test.for([
  'status --dotenv=',
  'migrate tenants --tenant=',
  'migrate master --to=',
  'migrate tenants --check=',
  'exec --sql=',
  '--embedded= status',
])('"%s": an empty value is a usage error', async (call) => {
  expect(await parse(call.split(' '))).toEqual({
    hint: expect.stringMatching(/ --help shows how to call it\.$/),
  });
});
