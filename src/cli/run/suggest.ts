import type { Command } from 'commander';
import { similarTo } from '../../similar.ts';
import { listed } from '../../wording.ts';
import { FLAGS_INSTEAD, insteadOf } from '../words.ts';
import { commandPath, findCommand, lineage } from './command-path.ts';

/** What to use for a word that names no command of this group; `args` begins with the word. */
export function suggestCommand(group: Command, args: readonly string[]): string | undefined {
  const given = args.filter((word) => !word.startsWith('-')).slice(0, 2);
  // "db:migrate" and "migrate-master" are "db migrate" and "migrate master".
  const words =
    `${commandPath(group)} ${given.join(' ')}`
      .toLowerCase()
      .replaceAll(/\d+/g, '#')
      .match(/[a-z]+|#/g) ?? [];
  const instead = insteadOf(words);
  if (instead !== undefined) return instead;
  const program = rootOf(group);
  const exact = deepest(program, words);
  if (exact.commands.length === 0) return `Did you mean tenantctl ${commandPath(exact)}?`;
  const [word = ''] = given;
  const siblings = similarTo(word, visible(group).map(nameOf));
  if (siblings.length > 0) return didYouMean(siblings);
  const others = allCommands(program);
  const isKnown = others.some((command) => nameOf(command) === word);
  // Within a group, a word that only resembles another group's command means something else.
  const names = isKnown ? [word] : group === program ? similarTo(word, others.map(nameOf)) : [];
  const meant = others.filter((command) => names.includes(nameOf(command)));
  if (meant.length > 0) return didYouMean(meant.map((command) => `tenantctl ${commandPath(command)}`));
  // The word is the file's name, and which schemas it is for is missing.
  if (nameOf(group) === 'make')
    return `Say for which schemas: tenantctl make tenant ${word}, or tenantctl make master ${word}`;
  return undefined;
}

/** What to use for a flag that this command lacks, given as typed. */
export function suggestFlag(command: Command, flag: string): string | undefined {
  const word = flag.replace(/^-+|=.*$/gs, '');
  const own = lineage(command).flatMap(flagsOf);
  const synonym = FLAGS_INSTEAD[word];
  if (synonym !== undefined && own.includes(synonym)) return didYouMean([`--${synonym}`]);
  const others = allCommands(rootOf(command)).filter((other) => flagsOf(other).includes(word));
  if (others.length > 0 && !own.includes(word))
    return `These commands take --${word}: ${listed(others.map(commandPath))}.`;
  const meant = similarTo(word, own);
  return meant.length === 0 ? undefined : didYouMean(meant.map((each) => `--${each}`));
}

function didYouMean(names: readonly string[]): string {
  return `Did you mean ${names.length === 1 ? '' : 'one of '}${names.join(', ')}?`;
}

const nameOf = (command: Command) => command.name();
const rootOf = (command: Command): Command => lineage(command).at(-1) ?? command;

function visible(group: Command): Command[] {
  return [...group.createHelp().visibleCommands(group)];
}

function allCommands(group: Command): Command[] {
  return visible(group).flatMap((command) => [command, ...allCommands(command)]);
}

function flagsOf(command: Command): string[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .flatMap(({ long }) => long?.replace(/^--/, '') ?? []);
}

/** The command that the words lead to, as far as they name one. */
function deepest(group: Command, [word = '', ...rest]: readonly string[]): Command {
  const command = findCommand(group, word);
  return command === undefined ? group : deepest(command, rest);
}
