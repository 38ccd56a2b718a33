import { setTimeout as sleep } from 'node:timers/promises';
import type { FleetSnapshot } from '../../core/fleet/snapshot.ts';
import { toTenantctlError, type TenantctlError } from '../../errors.ts';
import type { CommandResult } from '../run/command.ts';
import type { Context } from '../run/context.ts';
import { openScreen, type Screen } from '../terminal/screen.ts';

export interface WatchOptions {
  readonly seconds: number;
  readonly list: 'none' | 'attention' | 'all';
  readonly read: () => Promise<FleetSnapshot>;
}

/** Snapshots that the rate is worked out from. */
const KEPT = 10;

/**
 * Shows the fleet every few seconds until q or a signal: on the whole terminal, in blocks without one, in lines of
 * JSON. After the first round, a failure is shown and the next round tries again.
 */
export async function watchStatus(context: Context, options: WatchOptions): Promise<CommandResult> {
  const { interruption, output } = context;
  interruption.abortOnFirst();
  const quit = new AbortController();
  const signal = AbortSignal.any([interruption.signal, quit.signal]);
  const display = createDisplay(context, options, () => quit.abort());
  const ended = new Promise<undefined>((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  try {
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      const reading = options.read().catch((thrown: unknown) => {
        if (isFirst && !signal.aborted) throw thrown;
        return toTenantctlError(thrown);
      });
      const seen = await Promise.race([reading, ended]);
      if (seen === undefined) break;
      await display.show(seen);
      await sleep(options.seconds * 1_000, undefined, { signal }).catch(() => {});
    }
  } finally {
    display.close();
  }
  return output.redraws ? { text: () => display.text() } : {};
}

function createDisplay({ output }: Context, { list }: WatchOptions, onQuit: () => void) {
  const snapshots: FleetSnapshot[] = [];
  let screen: Screen | undefined;
  let text = '';
  const textOf = async (error: TenantctlError | undefined) => {
    const { renderSnapshot } = await import('../render/results.ts');
    const look = output.redraws ? { ...output.look, width: process.stdout.columns } : output.look;
    const shown = await renderSnapshot(snapshots, list, look);
    const { paint, marks } = output.look;
    return error === undefined
      ? shown
      : `${paint.red(marks.failed)} ${error.message} ${paint.dim('Trying again.')}\n${shown}`;
  };
  let latest: TenantctlError | undefined;
  const draw = async () => {
    text = await textOf(latest);
    if (output.redraws) await (screen ??= openScreen(output, onQuit, () => void draw())).show(text);
    else await output.result(`${text}\n`);
  };
  return {
    text: () => text,
    async show(seen: FleetSnapshot | TenantctlError): Promise<void> {
      latest = 'status' in seen ? undefined : seen;
      if ('status' in seen) snapshots.push(...snapshots.splice(0).slice(1 - KEPT), seen);
      if (!output.json) return draw();
      const { snapshotDocument } = await import('../../core/documents/status-document.ts');
      const document =
        'status' in seen
          ? { command: 'status', ok: true, ...snapshotDocument(seen, list === 'all') }
          : { command: 'status', ok: false, at: new Date().toISOString(), error: seen.toJSON() };
      await output.part(`${output.masked(document)}\n`);
    },
    close: () => screen?.close(),
  };
}
