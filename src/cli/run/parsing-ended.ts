import type { Command, CommanderError } from 'commander';

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

  /** Help or version was asked for, and not for a command that does not exist. */
  isAnswer(): boolean {
    return this.cause.exitCode === 0 && !this.isUnknownCommand();
  }

  /** Commander shows the group's help for `nosuch --help`, and counts `runs nosuch` as an argument too many. */
  isUnknownCommand(): boolean {
    const { command, cause } = this;
    const codes = ['commander.unknownCommand', 'commander.excessArguments', 'commander.helpDisplayed'];
    const [word = '-'] = command.args;
    return command.commands.length > 0 && codes.includes(cause.code) && !word.startsWith('-');
  }
}

/** Makes commander throw instead of exiting, without its own messages; it hands out the help. */
export function endParsingByThrowing(program: Command, takeHelp: (text: string) => void): void {
  const allCommands = (command: Command): Command[] => [command, ...command.commands.flatMap(allCommands)];
  for (const command of allCommands(program)) {
    command.exitOverride((error) => {
      throw new ParsingEnded(command, error);
    });
    command.showSuggestionAfterError(false).configureOutput({
      outputError: () => {},
      writeOut: takeHelp,
      writeErr: takeHelp,
    });
  }
}
