import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { PLACES, type Call, type Calls } from './calls.ts';
import type { Scenario } from './scenario.ts';
import {
  inOneStep,
  whileBuilt,
  whileRemoved,
  whileReplaced,
  whileDeleted,
  type Between,
} from './verb-states.ts';

const FLEET = ['org_a', 'org_b', 'org_c'];
/** The first: the other two must stay as they are. */
const [ONE = '', TWO = ''] = FLEET;
const NEW = 'org_new';

interface Verb extends Pick<Scenario, 'verb' | 'sql'> {
  readonly id: string;
  /** After the fleet was made. */
  readonly before?: readonly Call[];
  readonly call: Call;
  readonly organizations: readonly string[];
}

/** The verbs of a tenant's life that do not follow migrations. */
export function verbScenarios(calls: Calls): Scenario[] {
  const { base, most, full, tenant, migrateMaster, provision } = calls;
  const out = ['--out', PLACES.out];
  const backup = tenant(most, 'backup', ONE, ...out);
  const older = tenant(base, 'backup', ONE, ...out);
  const verb = (between: Between, more: Partial<NonNullable<Scenario['verb']>> = {}) => ({
    between,
    ...more,
  });
  const fleet = (count: number) => [migrateMaster(full), provision(FLEET, count)];
  const verbs: readonly Verb[] = [
    {
      id: 'tenant-drop',
      call: tenant(most, 'drop', ONE, TWO, ...out),
      organizations: [ONE, TWO],
      verb: verb(whileRemoved('drop'), { writesFiles: true }),
    },
    {
      id: 'tenant-drop-no-backup',
      call: tenant(most, 'drop', ONE, TWO, '--no-backup'),
      organizations: [ONE, TWO],
      verb: verb(whileRemoved('drop')),
    },
    {
      id: 'tenant-archive',
      call: tenant(most, 'archive', ONE, TWO, ...out),
      organizations: [ONE, TWO],
      verb: verb(whileRemoved('archive'), { writesFiles: true }),
    },
    {
      id: 'tenant-unarchive',
      before: [tenant(most, 'archive', ONE, TWO, ...out)],
      call: tenant(most, 'unarchive', ONE, TWO),
      organizations: [ONE, TWO],
      verb: verb(whileBuilt('unarchive')),
    },
    {
      id: 'tenant-backup',
      call: tenant(most, 'backup', ONE, TWO, ...out),
      organizations: [ONE, TWO],
      verb: verb(inOneStep, { writesFiles: true }),
    },
    {
      id: 'tenant-restore',
      before: [tenant(most, 'drop', ONE, ...out)],
      call: tenant(most, 'restore', PLACES.backup),
      organizations: [ONE],
      verb: verb(whileBuilt('restore'), { onceDone: 'TENANT_EXISTS' }),
    },
    {
      id: 'tenant-restore-replace',
      before: [backup],
      sql: `UPDATE ${schemaNameFor(ONE)}.deeds SET name = 'after the backup'`,
      call: tenant(most, 'restore', PLACES.backup, '--replace'),
      organizations: [ONE],
      verb: verb(whileReplaced, { beside: /^tenantctl_(?:new|old)_/ }),
    },
    {
      id: 'tenant-restore-from',
      call: tenant(most, 'restore', ONE, '--from', PLACES.url, '--as', NEW),
      organizations: [NEW],
      verb: verb(whileBuilt('restore'), { onceDone: 'TENANT_EXISTS' }),
    },
    {
      id: 'tenant-clone-mask',
      call: tenant(most, 'clone', ONE, NEW, '--mask', PLACES.mask, '--mask-rest', 'keep'),
      organizations: [NEW],
      verb: verb(whileBuilt('clone'), { onceDone: 'TENANT_EXISTS' }),
    },
    {
      id: 'tenant-adopt',
      sql: `DELETE FROM public.tenants WHERE clerk_org_id IN ('${ONE}', '${TWO}')`,
      call: tenant(most, 'adopt', ...[ONE, TWO].map((each) => `${schemaNameFor(each)}=${each}`)),
      organizations: [ONE, TWO],
      verb: verb(inOneStep),
    },
  ];
  const made = verbs.map(({ before = [], ...more }) => ({
    ...more,
    before: [...fleet(most), ...before],
    steps: [],
    hasOutside: false,
  }));
  const updated: Scenario = {
    id: 'tenant-restore-as',
    before: [...fleet(base), older],
    call: tenant(most, 'restore', PLACES.backup, '--as', NEW),
    steps: [],
    organizations: [NEW],
    hasOutside: false,
    verb: verb(whileBuilt('restore'), { onceDone: 'TENANT_EXISTS' }),
  };
  return [...made, updated, ...rowScenarios(calls)];
}

/** What changes rows in every tenant, and no history. */
function rowScenarios({ full, most, migrateMaster, provision, seed, script, write }: Calls): Scenario[] {
  const insert = ['--sql', `INSERT INTO deeds VALUES ('written')`];
  const few = 'DELETE FROM notes WHERE id IN (SELECT id FROM notes WHERE id > 20 ORDER BY id LIMIT 10)';
  const verbs = [
    { id: 'seed-tenants', call: seed(most), verb: { between: inOneStep } },
    { id: 'repeatable-scripts', call: script(most), verb: { between: inOneStep } },
    {
      id: 'exec-write',
      call: write(most, ...insert),
      verb: { between: inOneStep, resume: write(most, ...insert, '--resume', 'latest') },
    },
    { id: 'exec-write-batch', call: write(most, '--batch', few), verb: { between: whileDeleted } },
  ];
  return verbs.map((each) => ({
    ...each,
    before: [migrateMaster(full), provision(FLEET, most)],
    steps: [],
    organizations: FLEET,
    hasOutside: false,
  }));
}
