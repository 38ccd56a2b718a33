import type { PoolClient } from 'pg';
import type { Database } from '../../../db/database.ts';
import { qualified } from '../../../db/sql.ts';
import { withTransaction } from '../../../db/transaction.ts';
import { TenantctlError } from '../../../errors.ts';
import type { Names, TenantNames } from '../../../names.ts';
import type { Content } from '../../content/content.ts';
import type { Mask } from '../../content/mask.ts';
import { planMask, type MaskPlan } from '../../content/plan-mask.ts';
import { readContent } from '../../content/read-content.ts';
import { contentSettings } from '../../content/text-form.ts';
import { tenantNotActive } from '../../registry/not-active.ts';
import { findTenants, type Tenant } from '../../registry/registry.ts';
import { readHistories, type HistoryEntry } from '../../target/history.ts';
import { assertFinished } from '../../state/unfinished-verb.ts';

/** What may be cloned. */
const CLONED = ['ACTIVE', 'SUSPENDED'];

interface SourceOptions {
  /** An organization id or a schema name. */
  readonly tenant: string;
  readonly mask?: Mask | undefined;
  readonly maskRest?: 'keep' | undefined;
}

/** A tenant that is to be cloned. */
export interface CloneSource {
  readonly tenant: TenantNames;
  readonly history: readonly HistoryEntry[];
  readonly content: Content;
  /** Names of tables with rules; leaf partitions instead of partitioned tables. */
  readonly masked: readonly string[];
}

type MaskedBy = Pick<SourceOptions, 'mask' | 'maskRest'>;

/** @throws TenantctlError as cloneTenant, for what the source itself does not allow */
export async function readCloneSource(
  database: Database,
  { tenant: name, ...masked }: SourceOptions,
): Promise<CloneSource> {
  const [tenant] = await findTenants(database, [name]);
  if (tenant === undefined) throw new Error('findTenants throws for an unknown name');
  assertFinished(tenant.unfinished);
  assertCloned(tenant, tenant.status);
  const history = await readHistory(database, tenant.schema);
  const read = ({ client }: { readonly client: PoolClient }) =>
    readCloneContent(client, tenant.schema, database.names, masked);
  const { content, masks } = await withTransaction(database, {}, [], read);
  return { tenant, history, content, masked: [...masks.keys()] };
}

/** What is copied, and how it is masked, in the caller's transaction. */
export async function readCloneContent(
  client: PoolClient,
  schema: string,
  names: Names,
  { mask = {}, maskRest }: MaskedBy,
): Promise<{ readonly content: Content; readonly masks: MaskPlan }> {
  await client.query(contentSettings(schema));
  const content = await readContent(client, schema, names);
  return {
    content,
    masks: await planMask(client, schema, { mask, maskRest, unmaskable: [names.tenantHistory] }),
  };
}

/** @throws TenantctlError TENANT_NOT_ACTIVE */
export function assertCloned(tenant: Pick<Tenant, 'clerkOrgId'>, status: string | null): void {
  if (status === null || !CLONED.includes(status)) throw tenantNotActive(tenant, status);
}

async function readHistory(database: Database, schema: string): Promise<readonly HistoryEntry[]> {
  const tables = [{ schema, hasHistory: true, hasLock: true }];
  const history = (await readHistories(database, database.names.tenantHistory, tables)).get(schema);
  if (history?.lockedByKnex !== true) return history?.entries ?? [];
  throw new TenantctlError(
    'KNEX_LOCKED',
    `Knex's own lock on ${schema} is set: Knex is migrating it, or died while doing so.`,
    {
      hint: 'Run the command again when Knex has ended. tenantctl doctor has the SQL for a lock that was left behind.',
    },
  );
}

/** @throws TenantctlError TENANT_CHANGED if the source was migrated since */
export async function assertHistory(
  client: PoolClient,
  { tenant, history }: CloneSource,
  { tenantHistory }: Names,
): Promise<void> {
  const { rows } = await client.query<HistoryEntry>(
    `SELECT name, coalesce(batch, 0) AS batch FROM ${qualified(tenant.schema, tenantHistory)} ORDER BY coalesce(batch, 0), id`,
  );
  const now = rows.map(({ name, batch }) => [name, batch]);
  if (JSON.stringify(now) === JSON.stringify(history.map(({ name, batch }) => [name, batch]))) return;
  throw new TenantctlError(
    'TENANT_CHANGED',
    `"${tenant.clerkOrgId}" was migrated while it was being cloned.`,
    {
      tenant: tenant.clerkOrgId,
      hint: 'Run the command again.',
    },
  );
}
