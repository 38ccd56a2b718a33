/** `from` has a foreign key to `to`. */
export interface Reference {
  readonly from: string;
  readonly to: string;
}

/**
 * Names in an order in which each stands after those that it refers to. A cycle is cut where it is entered: some of its
 * references then lead to a later name. Pure.
 */
export function loadOrder(names: readonly string[], references: readonly Reference[]): string[] {
  const referred = Map.groupBy(references, ({ from }) => from);
  const ordered = new Set<string>();
  const entered = new Set<string>();
  // A stack instead of recursion: a chain of references may be long.
  const stack = names.toReversed();
  for (let name = stack.at(-1); name !== undefined; name = stack.at(-1)) {
    if (entered.has(name)) {
      ordered.add(name);
      stack.pop();
      continue;
    }
    entered.add(name);
    for (const { to } of referred.get(name) ?? []) if (!entered.has(to)) stack.push(to);
  }
  return [...ordered];
}
