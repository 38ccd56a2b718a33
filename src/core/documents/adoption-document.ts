import type { Adoptions } from '../tenant/adopt.ts';
import { withReport } from './document.ts';

export type AdoptionDocument = ReturnType<typeof adoptionDocument>;

/** `tenant adopt`. */
export function adoptionDocument({ run, tenants, ...rest }: Adoptions) {
  return { ...(run !== undefined && { run }), ...rest, tenants: tenants.map(withReport) };
}
