import { medianMs, type Measurement, type Work } from './measurement.ts';
import { RIVAL_TITLES } from './rival-titles.ts';
import { figure, thousands } from './figure.ts';
import { toTable } from './table.ts';

const TENANTS = 1_000_000;
const MINUTE = 60_000;
/** Smaller fleets cannot be extrapolated: fixed costs hide the cost per tenant. */
const SMALLEST = 1000;

/** A task's fixed cost and cost per tenant, in milliseconds. */
interface Cost {
  readonly once: number;
  readonly perTenant: number;
}

/**
 * Extrapolates to a million tenants from the two largest measured fleets, on as many servers of the largest
 * size as needed. Undefined without two large sizes.
 */
export function toMillion(growth: readonly Measurement[]): string | undefined {
  const sizes = [...new Set(growth.map(({ tenants }) => tenants))].toSorted((a, b) => a - b);
  const [smaller, larger] = sizes.slice(-2);
  if (smaller === undefined || larger === undefined || larger < SMALLEST) return undefined;
  const servers = Math.ceil(TENANTS / larger);
  const rows = (['no-op', 'add'] as const).flatMap((work) =>
    (['tenantctl', 'knex'] as const).flatMap((rival) => {
      const cost = costOf((tenants) => medianMs(only(growth, work, tenants), rival), smaller, larger);
      if (cost === undefined) return [];
      const server = cost.once + cost.perTenant * larger;
      return [
        [
          `${work}, ${RIVAL_TITLES[rival]}`,
          `${figure(cost.once / 1000)} s`,
          `${figure(cost.perTenant)} ms`,
          `${figure(server / MINUTE)} min`,
          `${figure((server * servers) / MINUTE)} min`,
        ],
      ];
    }),
  );
  const header = [
    'work',
    'once',
    'per tenant',
    `one server of ${thousands(larger)}`,
    `${thousands(servers)} servers, one after the other`,
  ];
  return toTable([header, ...rows]).join('\n');
}

function only(growth: readonly Measurement[], work: Work, tenants: number): Measurement[] {
  return growth.filter((each) => each.work === work && each.tenants === tenants);
}

/** The straight line through two sizes, with an intercept of at least 0. */
function costOf(
  msAt: (tenants: number) => number | undefined,
  smaller: number,
  larger: number,
): Cost | undefined {
  const few = msAt(smaller);
  const many = msAt(larger);
  if (few === undefined || many === undefined) return undefined;
  const perTenant = (many - few) / (larger - smaller);
  return { once: Math.max(0, few - perTenant * smaller), perTenant };
}
