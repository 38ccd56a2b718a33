import { TenantctlError } from '../../errors.ts';
import { counted } from '../../wording.ts';
import { compareShapes, type ShapeDifference } from '../shape/compare-shapes.ts';
import type { Shape } from '../shape/shape.ts';

/** How many differences an error shows. */
const SHOWN = 20;

/**
 * Compares a schema that was built by its migrations with the one that it stands for.
 * @returns the differences, if they are allowed
 * @throws TenantctlError SHAPE_DIFFERS
 */
export function assertSameShape(
  source: Shape,
  built: Shape,
  { tenant, allowDrift = false }: { readonly tenant: string; readonly allowDrift?: boolean | undefined },
): readonly ShapeDifference[] {
  const differences = compareShapes(built, source);
  if (differences.length === 0 || allowDrift) return differences;
  const shown = differences.slice(0, SHOWN).map(describe);
  const more = differences.length - shown.length;
  throw new TenantctlError(
    'SHAPE_DIFFERS',
    `"${tenant}" is not as its migrations make it: ${counted(differences.length, 'object', 'differs')}.`,
    {
      tenant,
      details: more > 0 ? [...shown, `and ${more} more`] : shown,
      hint: `To see it: tenantctl drift show ${tenant}. Repair the tenant by a migration; or go on without what its migrations do not make: --allow-drift`,
    },
  );
}

function describe({ kind, name, difference }: ShapeDifference): string {
  return `${kind} ${name} is ${difference}.`;
}
