import { settleEmbedded } from '../../src/cli/flags/embedded-argument.ts';
import { settleHelp } from '../../src/cli/flags/help-argument.ts';
import { createProgram } from '../../src/cli/program.ts';
import { endParsingByThrowing, ParsingEnded } from '../../src/cli/run/parsing-ended.ts';
import { toUsageError } from '../../src/cli/run/usage-error.ts';

/** Parses a call as the program does, and runs nothing: the command's name, or the hint of the usage error. */
export async function parse(
  args: readonly string[],
): Promise<{ command: string | undefined } | { help: string } | { hint: string | undefined }> {
  let command: string | undefined;
  let help = '';
  const program = createProgram('1.0.0', async (name) => {
    command = name;
  });
  endParsingByThrowing(program, (text) => (help += text));
  try {
    await program.parseAsync(settleEmbedded(settleHelp(args), program), { from: 'user' });
    return { command };
  } catch (error) {
    if (!(error instanceof ParsingEnded)) throw error;
    return error.isAnswer() ? { help } : { hint: toUsageError(error).hint };
  }
}
