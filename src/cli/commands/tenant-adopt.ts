import type { TenantNames } from '../../names.ts';
import { InvalidArgumentError, type Command } from 'commander';
import { adoptionDocument } from '../../core/documents/adoption-document.ts';
import type { AdoptionResult, Adoptions } from '../../core/tenant/adopt.ts';
import type { AdoptionCandidates } from '../../core/tenant/adoption/adoption-candidates.ts';
import { counted, listed } from '../../wording.ts';
import { addRun, concurrency, runOptions, type FleetFlags } from '../flags/fleet-options.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';
import { readInput } from '../run/read-input.ts';
import { tenantsResult } from '../run/results.ts';

interface AdoptFlags extends FleetFlags {
  readonly map?: string;
}

/** What a map names. */
interface Named {
  readonly adoptions: readonly TenantNames[];
  readonly bad: readonly AdoptionResult[];
}

/** Adds `tenant adopt`. */
export function addAdopt(tenant: Command, register: Register): void {
  const adopt = tenant
    .command('adopt')
    .description('show schemas without a row in the registry, and register them as ACTIVE tenants')
    .argument('[schema=org...]', 'schemas, each with the organization id that it belongs to', pair)
    .option(
      '--map <file>',
      'CSV with columns schema and clerk_org_id, JSON Lines, or one JSON object; - is standard input',
    )
    .option('--dry-run', 'show what would be registered; change nothing');
  register(addRun(adopt).addOption(concurrency()), 'tenant adopt', adoptTenants);
}

function pair(text: string, before: readonly string[] = []): string[] {
  const [schema, ...organization] = text.split('=');
  if (schema === '' || organization.join('=') === '')
    throw new InvalidArgumentError('Expected a schema and its organization: acme=org_acme.');
  return [...before, text];
}

async function adoptTenants(
  context: Context,
  flags: AdoptFlags,
  pairs: readonly string[],
): Promise<CommandResult> {
  const map = await readMap(context, flags);
  return context.withDatabase(flags.concurrency, async (database, settings, observe, core) => {
    const given = await core.splitPairs(database, pairs);
    const isNamed = map !== undefined || pairs.length > 0;
    const candidates = await core.readAdoptionCandidates(database);
    const known = candidates.schemas.flatMap(({ schema, clerkOrgId }) =>
      clerkOrgId === null ? [] : { schema, clerkOrgId },
    );
    const adoptions = isNamed ? [...given, ...(map?.adoptions ?? [])] : known;
    const { bad = [] } = map ?? {};
    const planned = await core.planAdoption(database, adoptions);
    if (flags.dryRun === true || adoptions.length + bad.length === 0)
      return plannedResult(context, candidates, [...planned, ...bad]);
    const due = planned.filter(({ outcome }) => outcome === 'adopted');
    const others = [...planned.filter(({ outcome }) => outcome !== 'adopted'), ...bad];
    if (due.length === 0)
      return adoptionResult(context, candidates, { tenants: others, interrupted: false, durationMs: 0 });
    if (!isNamed) await showCandidates(context, candidates);
    await context.confirm(question(due));
    const options = { ...runOptions(context, settings, flags), observe };
    const adopted = await core.adoptTenants(database, due, options);
    return adoptionResult(context, candidates, { ...adopted, tenants: [...adopted.tenants, ...others] });
  });
}

/** Before the question. */
async function showCandidates({ output }: Context, candidates: AdoptionCandidates): Promise<void> {
  if (output.json) return;
  const { renderCandidates } = await import('../render/results.ts');
  output.message(await renderCandidates(candidates, output.errorLook));
}

/** Undefined if there is no map. @throws TenantctlError FILE_UNUSABLE */
async function readMap(context: Context, { map }: AdoptFlags): Promise<Named | undefined> {
  if (map === undefined) return undefined;
  const text = await readInput(context, map);
  await context.readEnvironment();
  const { parseAdoptions } = await import('../run/core.ts');
  const { adoptions, bad } = parseAdoptions(text);
  return { adoptions, bad: bad.map((line) => ({ ...line, outcome: 'failed', durationMs: 0 })) };
}

function question(due: readonly AdoptionResult[]): string {
  const names = due.map(({ schema, clerkOrgId }) => `${schema} (${clerkOrgId})`);
  return `This registers ${counted(due.length, 'schema')} as ACTIVE tenants: ${listed(names, 10)}.`;
}

function plannedResult(
  context: Context,
  candidates: AdoptionCandidates,
  tenants: readonly AdoptionResult[],
): CommandResult {
  return tenantsResult(
    context,
    { tenants },
    {
      document: {
        dryRun: true,
        ...adoptionDocument({ tenants, interrupted: false, durationMs: 0 }),
        ...candidates,
      },
      text: async ({ renderAdoptions, renderCandidates }, look) =>
        [
          await renderCandidates(candidates, look),
          ...(tenants.length === 0 ? [] : [renderAdoptions(tenants, candidates.schemas, true, look)]),
        ].join('\n'),
    },
    { verb: 'would fail' },
  );
}

function adoptionResult(
  context: Context,
  { schemas }: AdoptionCandidates,
  adoptions: Adoptions,
): CommandResult {
  return tenantsResult(context, adoptions, {
    document: adoptionDocument(adoptions),
    text: ({ renderAdoptions }, look) => renderAdoptions(adoptions.tenants, schemas, false, look),
  });
}
