import { createTwins, type Twins } from './twins.ts';

/**
 * Five tenants, and their twins. The first two are alike, so that nothing but the migration itself can tell that it
 * may do something else with the third, which has rows, the fourth, which has a table more, and the fifth, which has
 * rows elsewhere and lacks a column.
 */
export function fiveTenants(): Promise<Twins> {
  return createTwins(5, (nth) => {
    if (nth < 2) return 'ALTER TABLE notes ADD body text';
    if (nth === 2)
      return `ALTER TABLE notes ADD body text; INSERT INTO notes VALUES (1, 'a'), (2, 'b'), (3, 'c')`;
    if (nth === 3) return 'ALTER TABLE notes ADD body text; CREATE TABLE extra (id int)';
    return 'INSERT INTO tags VALUES (7)';
  });
}

/** The ways of five tenants where each was gone through as Knex would. */
export const ALL_INTERACTIVE = Array.from({ length: 5 }, () => 'interactively' as const);

/** The ways of five tenants where the first two showed what the others were sent. */
export const THREE_IN_ONE_STRING = [
  'interactively',
  'interactively',
  'in one string',
  'in one string',
  'in one string',
] as const;
