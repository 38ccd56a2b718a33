import { TenantctlError } from '../../../errors.ts';
import type { ShapeDifference } from '../../shape/compare-shapes.ts';

/** How many differences an error shows. */
const SHOWN = 20;

interface Words {
  readonly message: string;
  /** What to say of an object, by its difference. */
  readonly words: Readonly<Record<ShapeDifference['difference'], string>>;
  readonly hint: string;
}

/** Why rows are not put into a schema: its migrations do not build the schema that the rows come from. */
export function shapeDiffers(
  tenant: string,
  differences: readonly ShapeDifference[],
  { message, words, hint }: Words,
): TenantctlError {
  const lines = differences.map(({ kind, name, difference }) => `${kind} ${name}: ${words[difference]}`);
  const more = lines.length - SHOWN;
  const details = more > 0 ? [...lines.slice(0, SHOWN), `and ${more} more`] : lines;
  return new TenantctlError('SHAPE_DIFFERS', message, { tenant, details, hint });
}
