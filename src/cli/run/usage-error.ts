import type { Command } from 'commander';
import { TenantctlError } from '../../errors.ts';
import { shellWord, tenantOption } from '../../wording.ts';
import { commandPath } from './command-path.ts';
import type { ParsingEnded } from './parsing-ended.ts';
import { suggestCommand, suggestFlag } from './suggest.ts';

/** The error for a mistake in the arguments, with a hint at what was probably meant. */
export function toUsageError(ended: ParsingEnded): TenantctlError {
  const { command, cause } = ended;
  const path = ['tenantctl', commandPath(command)].join(' ').trim();
  const usage = `${path} --help shows how to call it.`;
  if (ended.isUnknownCommand()) {
    const hint = suggestCommand(command, command.args) ?? usage;
    return new TenantctlError('USAGE', `Unknown command "${command.args[0]}".`, { hint });
  }
  if (cause.code === 'commander.help') {
    const verbs = command
      .createHelp()
      .visibleCommands(command)
      .map((verb) => verb.name());
    return new TenantctlError('USAGE', `${path} needs a subcommand: ${verbs.join(', ')}.`, { hint: usage });
  }
  const [, flag] = /unknown option '(.*)'/s.exec(cause.message) ?? [];
  const hint = flag === undefined ? undefined : (suggestFlag(command, flag) ?? restHint(command));
  return new TenantctlError('USAGE', asSentence(cause.message.replace(/^error: /, '')), {
    hint: hint ?? (cause.code === 'commander.excessArguments' ? flagFor(command) : undefined) ?? usage,
  });
}

/** For commands whose arguments are those of another program. */
function restHint(command: Command): string | undefined {
  const isOfProgram = command.registeredArguments.some(({ description }) =>
    description.startsWith('after --'),
  );
  return isOfProgram ? 'Arguments of the program follow --, after those of tenantctl.' : undefined;
}

/** The flag that takes what was given as an argument. */
function flagFor(command: Command): string | undefined {
  const takes = (flag: string) => command.options.some(({ long }) => long === flag);
  const path = `tenantctl ${commandPath(command)}`;
  if (takes('--sql')) {
    const { sql } = command.opts<{ sql?: string }>();
    const query = [...(sql === undefined ? [] : [sql]), ...command.args].join(' ');
    return `To send a query: ${path} --sql ${shellWord(query)}`;
  }
  if (commandPath(command).startsWith('make '))
    return `A name is one word: ${path} ${command.args.join('_')}`;
  return takes('--tenant') ? `To select tenants: ${path} ${tenantOption(command.args)}` : undefined;
}

function asSentence(text: string): string {
  const quoted = text.trim().replaceAll(/(^|\s)'([^']*)'/g, '$1"$2"');
  const sentence = `${quoted.charAt(0).toUpperCase()}${quoted.slice(1)}`;
  return sentence.endsWith('.') ? sentence : `${sentence}.`;
}
