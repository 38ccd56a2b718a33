import type { Command } from 'commander';
import type { CommandResult } from '../command-result.ts';
import type { Context } from '../context.ts';
import type { Register } from '../program.ts';

export function addDoctor(program: Command, register: Register): void {
  const command = program
    .command('doctor')
    .description(
      'check the environment, connection, TLS, rights, extension and registry: a remedy for each finding',
    );
  register(command, 'doctor', doctorCommand);
}

export async function doctorCommand(_context: Context): Promise<CommandResult> {
  throw new Error('to be written');
}
