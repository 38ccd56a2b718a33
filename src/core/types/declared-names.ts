/** Something of a schema that the output declares under a name. */
export interface Named {
  readonly schema: string;
  readonly name: string;
}

/**
 * Names for tables and enums, in this order: org_users is OrgUsers. If that is taken, the schema's name stands before
 * it, and then a number behind it.
 * @param prefixOf what stands for a schema in front of a name
 */
export function declaredNames(
  all: readonly Named[],
  taken: Iterable<string>,
  prefixOf: (schema: string) => string,
): (of: Named) => string {
  const used = new Set(taken);
  const keyOf = ({ schema, name }: Named) => JSON.stringify([schema, name]);
  const names = new Map<string, string>();
  for (const each of all) {
    if (names.has(keyOf(each))) continue;
    const long = pascalCase(`${prefixOf(each.schema)}_${each.name}`);
    let name = pascalCase(each.name);
    for (let number = 1; used.has(name); number += 1) name = number === 1 ? long : `${long}${number}`;
    used.add(name);
    names.set(keyOf(each), name);
  }
  return (of) => names.get(keyOf(of)) ?? 'unknown';
}

/** "org_users": OrgUsers; "2fa codes": _2faCodes */
function pascalCase(name: string): string {
  const words = name.split(/[^\p{ID_Continue}]+|_+/u);
  const joined = words.map((word) => word.replace(/^./u, (first) => first.toUpperCase())).join('');
  return /^\p{ID_Start}/u.test(joined) ? joined : `_${joined}`;
}
