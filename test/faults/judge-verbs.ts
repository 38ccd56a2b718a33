import { differences } from './differences.ts';
import type { Reference } from './reference.ts';
import type { Snapshot } from './snapshot.ts';
import { sameState, stateOf, type TenantState } from './verb-states.ts';

type Expected = Pick<Reference, 'start' | 'final' | 'scenario'>;

/**
 * Judges a verb of a tenant's life: each tenant is as before or as afterwards, never half; those that the verb does not
 * concern are as before; ledger, tombstones and recorded backups agree. Pure.
 * @param isEnd the verb has done everything
 */
export function judgeVerbs(snapshot: Snapshot, expected: Expected, isEnd: boolean): readonly string[] {
  const { start, final, scenario } = expected;
  const shots = [start, final, snapshot];
  const organizations = new Set(
    shots.flatMap(({ tenants }) => tenants.flatMap(({ organization }) => organization ?? [])),
  );
  const beside = isEnd ? undefined : scenario.verb?.beside;
  return [
    ...[...organizations].flatMap((each) => judgeTenant(each, snapshot, expected, isEnd)),
    ...snapshot.besides.flatMap((schema) =>
      beside?.test(schema) === true ? [] : [`${schema}: a schema that nobody knows`],
    ),
    ...disagreements(snapshot),
  ];
}

function judgeTenant(
  organization: string,
  snapshot: Snapshot,
  { start, final, scenario }: Expected,
  isEnd: boolean,
): readonly string[] {
  const [is, before, after] = [snapshot, start, final].map((each) => stateOf(each, organization)) as [
    TenantState,
    TenantState,
    TenantState,
  ];
  const isConcerned = scenario.organizations.includes(organization);
  if (sameState(is, after) || (!isEnd && sameState(is, before))) return [];
  if (!isEnd && isConcerned && scenario.verb?.between(is, before) === true) return [];
  return [
    `${organization}: ${stateText(is)}${isConcerned ? difference(is, after) : ', and it was not named'}`,
  ];
}

function stateText({ status, schema, verb }: TenantState): string {
  const of = verb === undefined ? '' : `, its ${verb} has begun`;
  return `it is ${status ?? 'not registered'}, ${schema === undefined ? 'without a schema' : `with ${schema.schema} at [${schema.history.join(', ')}]`}${of}`;
}

function difference(is: TenantState, after: TenantState): string {
  if (is.schema === undefined || after.schema === undefined) return '';
  const lines = differences(is.schema.content, after.schema.content);
  return lines.length === 0
    ? ''
    : `; it differs from how it should be at the end in ${lines.slice(0, 6).join('; ')}`;
}

/** Each of these outcomes in the ledger, and what goes with it in its transaction. */
function disagreements({ deeds, tombstones, backups }: Snapshot): readonly string[] {
  const schemas = new Set([...deeds, ...tombstones, ...backups].map(({ schema }) => schema));
  return [...schemas].flatMap((schema) => {
    const count = (outcomes: readonly string[]) =>
      deeds.filter((deed) => deed.schema === schema && outcomes.includes(deed.outcome)).length;
    const dropped = tombstones.filter((each) => each.schema === schema);
    const unsaved = dropped.filter(({ backup }) => backup === null).length;
    const saved = backups.filter((each) => each.schema === schema).length;
    return [
      ...(count(['dropped']) === dropped.length
        ? []
        : [
            `${schema}: ${dropped.length} tombstones, and the ledger says dropped ${count(['dropped'])} times`,
          ]),
      ...(count(['backed-up', 'archived', 'dropped']) - unsaved === saved
        ? []
        : [`${schema}: ${saved} recorded backups, and the ledger has another number`]),
    ];
  });
}
