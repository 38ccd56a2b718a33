import { differences } from './differences.ts';
import type { SchemaSnapshot, Snapshot } from './snapshot.ts';

/** All that there is of a tenant. */
export interface TenantState {
  readonly status: string | undefined;
  /** Absent if the tenant has none. */
  readonly schema: SchemaSnapshot | undefined;
  /** The verb that has begun and not ended. */
  readonly verb: string | undefined;
}

/** Whether a tenant may be so between two transactions of a verb. @param before the tenant at the start */
export type Between = (is: TenantState, before: TenantState) => boolean;

/** A verb in one transaction: a tenant is as before or as afterwards. */
export const inOneStep: Between = () => false;

/** `drop` and `archive`: all but the foreign keys is there until the end. */
export function whileRemoved(verb: string): Between {
  return (is, before) =>
    is.verb === verb &&
    is.status === 'SUSPENDED' &&
    is.schema?.history.join() === before.schema?.history.join() &&
    differences(is.schema?.content ?? [], before.schema?.content ?? []).every(
      (line) => /^constraint .* FOREIGN KEY /.test(line) && before.schema?.content.includes(line) === true,
    );
}

/** `restore`, `unarchive` and `clone`: registered, then built anew. */
export function whileBuilt(verb: string): Between {
  return (is) => is.status === 'PROVISIONING' && (is.verb === verb || (is.verb === undefined && !is.schema));
}

/** `restore --replace`: the new schema is built beside the tenant's. */
export const whileReplaced: Between = (is, before) =>
  is.verb === 'restore' && sameState({ ...is, verb: undefined }, before);

/** `exec --batch` with a DELETE: some rows are gone, none is changed. */
export const whileDeleted: Between = (is, before) =>
  is.status === before.status &&
  is.verb === undefined &&
  is.schema?.history.join() === before.schema?.history.join() &&
  is.schema?.content.every((line) => before.schema?.content.includes(line)) === true &&
  differences(is.schema.content, before.schema?.content ?? []).every((line) => line.startsWith('row notes '));

export function stateOf({ tenants, schemas, verbs }: Snapshot, organization: string): TenantState {
  const tenant = tenants.find((each) => each.organization === organization);
  const { schema, status } = tenant ?? {};
  return {
    status,
    schema: tenant?.hasSchema === true ? schemas.find((each) => each.schema === schema) : undefined,
    verb: verbs.find((each) => each.organization === organization)?.verb,
  };
}

export function sameState(one: TenantState, other: TenantState): boolean {
  const [a, b] = [one, other].map(({ schema, ...rest }) => JSON.stringify([rest.status, rest.verb, schema]));
  return a === b;
}
