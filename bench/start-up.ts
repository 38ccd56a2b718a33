import { fileURLToPath } from 'node:url';
import { runChild } from './child.ts';

const PROGRAM = fileURLToPath(new URL('../bin/tenantctl.js', import.meta.url));

export interface StartUp {
  /** Milliseconds of each `node -e 0`, and of each `tenantctl --help`, taken in turns. */
  readonly node: readonly number[];
  readonly help: readonly number[];
}

/** `tenantctl --help` beside `node -e 0`: what must be paid before any work begins. */
export async function measureStartUp(times: number): Promise<StartUp> {
  const startUp: { node: number[]; help: number[] } = { node: [], help: [] };
  for (let time = 0; time < times; time += 1) {
    startUp.node.push((await runChild(process.execPath, ['-e', '0'])).ms);
    const help = await runChild(process.execPath, [PROGRAM, '--help']);
    if (!help.stdout.includes('migrate')) throw new Error(`--help said:\n${help.stdout}`);
    startUp.help.push(help.ms);
  }
  return startUp;
}
