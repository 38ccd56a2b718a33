import type { Command, CommanderError } from 'commander';
import { TenantctlError } from '../../errors.ts';

/** Commander stopped parsing, for a mistake, the help or the version. */
export class ParsingEnded extends Error {
  override readonly name = 'ParsingEnded';
  readonly command: Command;
  override readonly cause: CommanderError;

  constructor(command: Command, cause: CommanderError) {
    super(cause.message, { cause });
    this.command = command;
    this.cause = cause;
  }
}

/** "migrate tenants"; empty for the program itself. */
export function commandPath(command: Command): string {
  const names: string[] = [];
  for (let at: Command | null = command; at?.parent; at = at.parent) names.unshift(at.name());
  return names.join(' ');
}

export function toUsageError({ command, cause }: ParsingEnded): TenantctlError {
  const path = ['tenantctl', commandPath(command)].join(' ').trim();
  if (cause.code === 'commander.help') {
    const verbs = command.commands.map((verb) => verb.name()).join(', ');
    return new TenantctlError('USAGE', `${path} needs a subcommand: ${verbs}.`, {
      hint: `${path} --help shows how to call it.`,
    });
  }
  const [text = '', suggestion] = cause.message.replace(/^error: /, '').split(/\n?\(Did you mean /);
  const meant = suggestion?.replace(/\?\)$/, '');
  return new TenantctlError('USAGE', asSentence(text), {
    hint: meant === undefined ? `${path} --help shows how to call it.` : `Did you mean ${meant}?`,
  });
}

function asSentence(text: string): string {
  const quoted = text.trim().replaceAll(/(^|\s)'([^']*)'/g, '$1"$2"');
  const sentence = `${quoted.charAt(0).toUpperCase()}${quoted.slice(1)}`;
  return sentence.endsWith('.') ? sentence : `${sentence}.`;
}
