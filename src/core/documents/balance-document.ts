import type { Balance, BalancePlan } from '../tenant/balance.ts';
import { tenantsDocument, type TenantsDocument } from './document.ts';

/** `fleet balance`. */
export type BalanceDocument = TenantsDocument<Balance>;

export const balanceDocument = (result: Balance): BalanceDocument => tenantsDocument(result);

export type BalancePlanDocument = ReturnType<typeof balancePlanDocument>;

/** `fleet balance --dry-run`: what each tenant's outcome would be. */
export function balancePlanDocument({ moves, nodes, left }: BalancePlan) {
  const tenants = moves.map((move) => ({ ...move, outcome: 'moved' as const }));
  return { dryRun: true as const, tenants, nodes, left };
}
