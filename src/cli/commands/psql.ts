import type { Command } from 'commander';
import { TenantctlError } from '../../errors.ts';
import { shellWord } from '../../wording.ts';
import { visible } from '../render/visible.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';

interface PsqlFlags {
  readonly write?: boolean;
}

export function addPsql(program: Command, register: Register): void {
  const command = program
    .command('psql')
    .description('open psql in the schema of a tenant, read only')
    .argument('<org or schema>', 'the tenant, whatever its status')
    .argument('[psql arguments...]', 'after --: arguments of psql')
    .option('--write', 'allow changes');
  register(command, 'psql', psqlCommand);
}

async function psqlCommand(
  context: Context,
  { write = false }: PsqlFlags,
  [name = '', ...args]: readonly string[],
): Promise<CommandResult> {
  const { output, folder } = context;
  if (output.json)
    throw new TenantctlError('USAGE', 'psql writes no JSON document.', {
      hint: `For one query: tenantctl exec --json --tenant ${shellWord(name)} --sql 'SELECT ...'`,
    });
  const { isProgram, refuseEmbedded, withEnvironment } = await import('../run/programs.ts');
  await refuseEmbedded(context, `Use tenantctl exec --tenant ${shellWord(name)} --sql 'SELECT ...'.`);
  if (!isProgram('psql', folder)) throw psqlMissing();
  return context.withDatabase(1, async (database, settings, _observe, core) => {
    const { usable, refused } = await core.readUsableTenants(database, { tenants: [name] });
    const [tenant] = usable;
    if (tenant === undefined) throw refused[0]?.error;
    const { clerkOrgId, status } = tenant;
    if (status !== 'ACTIVE') output.warn(`The tenant "${visible(clerkOrgId)}" is ${status}.`);
    return withEnvironment(database, settings, async (environmentOf) => {
      const readOnly = { default_transaction_read_only: write ? 'off' : 'on' };
      const env = environmentOf(tenant, readOnly);
      await database.close();
      const { runInTerminal } = await import('../run/in-terminal.ts');
      const exitCode = await runInTerminal(context, 'psql', [...promptOf(clerkOrgId, write), ...args], env);
      return { document: {}, exitCode };
    });
  });
}

function psqlMissing(): TenantctlError {
  return new TenantctlError('PROGRAM_MISSING', 'There is no psql on PATH.', {
    hint: 'Install the client of PostgreSQL: apt-get install postgresql-client, or brew install libpq.',
  });
}

/** psql's variables for a prompt that names the tenant; %R, %x and %# are as in psql's own. */
function promptOf(clerkOrgId: string, write: boolean): string[] {
  const name = visible(clerkOrgId).replaceAll('%', '%%');
  const prompt = `${name}${write ? '' : ' (read only)'}%R%x%# `;
  return ['PROMPT1', 'PROMPT2'].map((variable) => `--set=${variable}=${prompt}`);
}
