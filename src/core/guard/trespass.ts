import type { Outside } from './allowed.ts';
import { objectKey, type ObjectName } from './before.ts';
import type { Descriptions } from './description.ts';

export interface Trespass extends Outside {
  readonly deed: 'created' | 'changed' | 'dropped' | 'locked' | 'touched' | 'referred to';
  readonly object: ObjectName;
  readonly type: string | undefined;
  /** The strongest lock on it. */
  readonly mode: string | undefined;
  readonly step: number;
}

/** Keeps one trespass per object: what was done to it says more than how it was locked. */
export function createFindings({ before, now }: Readonly<Record<'before' | 'now', Descriptions>>) {
  const found = new Map<string, Trespass>();
  return {
    all: () => withoutParts([...found.values()]),
    note(deed: Trespass['deed'], object: ObjectName, step: number, mode?: string) {
      const key = objectKey(object);
      const earlier = found.get(key);
      if (earlier !== undefined && weightOf(earlier) >= weightOf({ deed, mode })) return;
      const [was, is] = [before.get(key), now.get(key)];
      const { type, identity, extension } = was ?? is ?? {};
      const isOtherTenants = was?.isOtherTenants === true || is?.isOtherTenants === true;
      found.set(key, { deed, object, type, identity, extension, mode, isOtherTenants, step });
    },
  };
}

/** A reference may read what it refers to. */
function weightOf({ deed, mode }: Pick<Trespass, 'deed' | 'mode'>): number {
  if (deed !== 'locked' && deed !== 'touched' && deed !== 'referred to') return 2;
  return mode === 'AccessShareLock' ? 0 : 1;
}

/**
 * Drops the row types of relations, and the objects of extensions, that are listed themselves. Puts other
 * tenants' objects first, indexes and sequences last.
 */
function withoutParts(trespasses: readonly Trespass[]): Trespass[] {
  const listed = (catalog: string) =>
    new Set(trespasses.filter(({ object }) => object.catalog === catalog).map(({ identity }) => identity));
  const [relations, extensions] = [listed('pg_class'), listed('pg_extension')];
  const isPart = ({ object: { catalog }, identity, extension, isOtherTenants }: Trespass) =>
    (catalog === 'pg_type' && relations.has(identity?.replace(/\[\]$/, ''))) ||
    (catalog !== 'pg_extension' && !isOtherTenants && extensions.has(extension ?? undefined));
  const rank = ({ type, isOtherTenants }: Trespass) =>
    Number(type === 'index' || type === 'sequence') - Number(isOtherTenants);
  return trespasses
    .filter((trespass) => !isPart(trespass))
    .toSorted((a, b) => a.step - b.step || rank(a) - rank(b));
}
