import { TenantctlError } from '../../errors.ts';
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
  const hint = flag === undefined ? undefined : suggestFlag(command, flag);
  const selects = command.options.some(({ long }) => long === '--tenant');
  const isTenant = cause.code === 'commander.excessArguments' && selects;
  return new TenantctlError('USAGE', asSentence(cause.message.replace(/^error: /, '')), {
    hint: hint ?? (isTenant ? `To select tenants: ${path} --tenant ${command.args.join(' ')}` : usage),
  });
}

function asSentence(text: string): string {
  const quoted = text.trim().replaceAll(/(^|\s)'([^']*)'/g, '$1"$2"');
  const sentence = `${quoted.charAt(0).toUpperCase()}${quoted.slice(1)}`;
  return sentence.endsWith('.') ? sentence : `${sentence}.`;
}
