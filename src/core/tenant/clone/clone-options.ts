import type { Database } from '../../../db/database.ts';
import { TenantctlError } from '../../../errors.ts';
import { tenantWord } from '../../../wording.ts';
import type { VerbOptions } from '../../commands/in-verb-run.ts';
import { checkMask, maskInvalid, needsKey, type Mask } from '../../content/mask.ts';
import { checkCall } from '../../options/check-call.ts';
import { newSchemaName } from '../../registry/schema-name.ts';

export interface CloneOptions extends VerbOptions {
  /** The folder of the tenant migrations. */
  readonly folder: string;
  /** Copies no rows: the clone has those that its migrations insert. */
  readonly schemaOnly?: boolean | undefined;
  /** Rules by table and column. Tables without rules are copied as they are. */
  readonly mask?: Mask | undefined;
  /** Without it, a column that no rule names is an error, in a table that has rules. */
  readonly maskRest?: 'keep' | undefined;
  /** The secret of rules that hash or fake, at least 16 characters. It is stored nowhere. */
  readonly maskKey?: string | undefined;
  /** Clones a tenant that is not as its migrations make it: the clone is as they make it. */
  readonly allowDrift?: boolean | undefined;
}

/** Characters of the shortest key. */
const KEY_LENGTH = 16;

/** Without what the run does not need, the key above all. */
export function runOptionsOf({
  mask: _mask,
  maskKey: _key,
  maskRest: _rest,
  ...options
}: CloneOptions): Omit<CloneOptions, 'mask' | 'maskKey' | 'maskRest'> {
  return options;
}

/** The options of a clone, checked, with its names. */
export type CheckedClone = ReturnType<typeof checkClone>;

/** @throws TenantctlError USAGE, MASK_INVALID, ORGANIZATION_ID_INVALID */
export function checkClone(database: Database, tenant: string, organizationId: string, given: CloneOptions) {
  const options = checkCall(
    database,
    { ...given, tenant, organizationId },
    'folder',
    'tenant',
    'organizationId',
  );
  const mask = options.mask === undefined ? undefined : checkMask(options.mask);
  if (options.schemaOnly === true && mask !== undefined)
    throw new TenantctlError('USAGE', 'A clone of the schema only has no rows to mask.', {
      hint: 'Give a mask, or the schema only; not both.',
    });
  if (mask !== undefined && needsKey(mask) && (options.maskKey ?? '').length < KEY_LENGTH)
    throw maskInvalid(
      [`Rules that hash or fake need a secret key of at least ${KEY_LENGTH} characters.`],
      'Set TENANT_MASK_KEY, or name a file with it: --mask-key-file <file>. Nothing was changed.',
    );
  return {
    ...options,
    mask,
    clerkOrgId: organizationId,
    schema: newSchemaName(database.names, organizationId),
  };
}

/** What ends a clone that was killed. */
export function commandOf({
  tenant,
  clerkOrgId,
  schemaOnly,
  mask,
  maskRest,
  allowDrift,
}: CheckedClone): string {
  const words = [tenant, clerkOrgId].map(tenantWord);
  const guard = words.some((word) => word.startsWith('-')) ? ['--'] : [];
  return [
    'tenantctl tenant clone',
    ...(schemaOnly === true ? ['--schema-only'] : []),
    ...(mask === undefined ? [] : ['--mask <file>']),
    ...(maskRest === undefined ? [] : ['--mask-rest keep']),
    ...(allowDrift === true ? ['--allow-drift'] : []),
    ...guard,
    ...words,
  ].join(' ');
}
