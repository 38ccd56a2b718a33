import type { Adoptions } from '../tenant/adopt.ts';
import { tenantsDocument, type TenantsDocument } from './document.ts';

/** `tenant adopt`. */
export type AdoptionDocument = TenantsDocument<Adoptions>;

export const adoptionDocument = (result: Adoptions): AdoptionDocument => tenantsDocument(result);
