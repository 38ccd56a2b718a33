import { runChild } from '../child.ts';
import type { Finding } from '../report/finding.ts';
import { median } from '../report/median.ts';
import type { PartResult } from '../report/report.ts';
import { TENANTCTL } from '../rivals/tenantctl.ts';

const TIMES = 20;

/** Start-up time: `--help` and `--version` alternating with `node -e 0`. */
export async function measureStartUp(): Promise<PartResult> {
  const node: number[] = [];
  const help: number[] = [];
  const version: number[] = [];
  for (let time = 0; time < TIMES; time += 1) {
    node.push(await timeOf(['-e', '0'], /^$/));
    help.push(await timeOf(['--', TENANTCTL, '--help'], /migrate/));
    version.push(await timeOf(['--', TENANTCTL, '--version'], /^\d/));
  }
  const against = (what: string, times: readonly number[]): Finding[] => [
    { what: `${what}: median of ${TIMES}`, value: median(times), unit: 'ms' },
    {
      what: `${what}: times as long as \`node -e 0\``,
      value: median(times.map((time, at) => time / (node[at] ?? Number.NaN))),
      unit: '×',
      bar: { kind: 'at most', limit: 2 },
    },
  ];
  return {
    measurements: [],
    findings: [
      { what: `\`node -e 0\`: median of ${TIMES}`, value: median(node), unit: 'ms' },
      ...against('`tenantctl --help`', help),
      ...against('`tenantctl --version`', version),
    ],
    notes: [],
  };
}

async function timeOf(args: readonly string[], said: RegExp): Promise<number> {
  const { ms, stdout } = await runChild(process.execPath, args);
  if (!said.test(stdout)) throw new Error(`node ${args.join(' ')} said:\n${stdout}`);
  return ms;
}
