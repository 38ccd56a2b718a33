import { execFile } from 'node:child_process';
import { execPath } from 'node:process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const MODULE = JSON.stringify(new URL('../../src/time-zone.ts', import.meta.url).href);

/** What a new process with this TZ says, first as tenantctl does and then as Intl does. */
async function zonesOf(TZ: string): Promise<string[]> {
  const code = `import { timeZone } from ${MODULE}; console.log(timeZone(), Intl.DateTimeFormat().resolvedOptions().timeZone)`;
  const { stdout } = await promisify(execFile)(execPath, ['--input-type=module', '-e', code], {
    env: { TZ },
  });
  return stdout.trim().split(' ');
}

// The last two differ for some hours of a year only.
test.each(['UTC', 'Europe/Berlin', 'Asia/Beirut', 'Europe/Helsinki'])(
  'the time zone of a process is TZ: %s',
  async (zone) => expect(await zonesOf(zone)).toEqual([zone, zone]),
);

test.each([':Europe/Berlin', 'Etc/UCT', 'EST5EDT', 'EST5EDT,M3.2.0,M11.1.0'])(
  'TZ=%s is the time zone that Intl makes of it',
  async (zone) => {
    const [own, intl] = await zonesOf(zone);
    expect(own).toBe(intl);
  },
);
